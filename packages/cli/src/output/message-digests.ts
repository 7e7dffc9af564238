import { RepeatDigest } from '@tunnel/shared';

/** Senders, or whatever else the key tells apart, that are kept apart at a time. All beyond share one digest. */
const KEY_LIMIT = 32;

/** What was not told since the last line of its kind. */
export interface Repeats {
  readonly count: number;
  /** They are not all from the sender that is named: there were too many. */
  readonly areMixed: boolean;
}

interface Entry<Message> {
  readonly digest: RepeatDigest;
  last: Message;
}

/** Which messages are told, where others decide how many there are: a digest for each key, for a limited number of them. */
export class MessageDigests<Message> {
  readonly #byKey = new Map<string, Entry<Message>>();
  readonly #others = new RepeatDigest();
  #lastOther: Message | undefined;

  /** True: tell it now. False: it is counted. */
  add(key: string, message: Message, now: number): boolean {
    const entry = this.#byKey.get(key) ?? this.#begin(key, message, now);
    if (!entry) {
      this.#lastOther = message;
      return this.#others.add(now);
    }
    entry.last = message;
    return entry.digest.add(now);
  }

  /** When a sum is due. */
  get deadline(): number {
    let deadline = this.#others.deadline;
    for (const { digest } of this.#byKey.values()) deadline = Math.min(deadline, digest.deadline);
    return deadline;
  }

  /** The sums that are due, each with the last message of its kind. */
  take(now: number): readonly (readonly [Message, Repeats])[] {
    return this.#take((digest) => digest.take(now));
  }

  /** The sums, due or not: for the end. */
  takeAll(): readonly (readonly [Message, Repeats])[] {
    return this.#take((digest) => digest.takeAll());
  }

  #take(from: (digest: RepeatDigest) => number): (readonly [Message, Repeats])[] {
    const taken: (readonly [Message, Repeats])[] = [];
    for (const { digest, last } of this.#byKey.values()) {
      const count = from(digest);
      if (count > 0) taken.push([last, { count, areMixed: false }]);
    }
    const count = from(this.#others);
    if (count > 0 && this.#lastOther !== undefined) taken.push([this.#lastOther, { count, areMixed: true }]);
    return taken;
  }

  #begin(key: string, message: Message, now: number): Entry<Message> | undefined {
    for (const [known, { digest }] of this.#byKey) {
      if (this.#byKey.size < KEY_LIMIT) break;
      if (digest.isQuiet(now)) this.#byKey.delete(known);
    }
    if (this.#byKey.size >= KEY_LIMIT) return undefined;
    const entry = { digest: new RepeatDigest(), last: message };
    this.#byKey.set(key, entry);
    return entry;
  }
}
