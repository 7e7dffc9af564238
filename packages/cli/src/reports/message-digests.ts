import { RepeatDigest } from '@tunnel/shared';
import type { Repeats } from '../output/reporter.ts';

/** How many messages are told as they come, before the others are only counted. */
export interface DigestLimits {
  /** Senders, or whatever else the key tells apart, that are kept apart at a time. All beyond share one digest. */
  readonly keys: number;
  /** Told in a row, for each of them. */
  readonly atOnce: number;
  /** The same for all that share one digest. */
  readonly othersAtOnce: number;
}

interface Entry<Message> {
  readonly digest: RepeatDigest;
  last: Message;
}

/** Which messages are told, where others decide how many there are: a digest for each key, for a limited number of them. */
export class MessageDigests<Message> {
  readonly #limits: DigestLimits;
  readonly #byKey = new Map<string, Entry<Message>>();
  readonly #others: RepeatDigest;
  #lastOther: Message | undefined;
  #deadline = Infinity;

  constructor(limits: DigestLimits) {
    this.#limits = limits;
    this.#others = new RepeatDigest(limits.othersAtOnce);
  }

  /** True: tell it now. False: it is counted. */
  add(key: string, message: Message, now: number): boolean {
    const entry = this.#byKey.get(key) ?? this.#begin(key, message, now);
    if (entry) entry.last = message;
    else this.#lastOther = message;
    const digest = entry?.digest ?? this.#others;
    if (digest.add(now)) return true;
    this.#deadline = Math.min(this.#deadline, digest.deadline);
    return false;
  }

  /** When a sum is due. */
  get deadline(): number {
    return this.#deadline;
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
    this.#deadline = Infinity;
    for (const { digest, last } of this.#byKey.values()) {
      const count = from(digest);
      if (count > 0) taken.push([last, { count, areMixed: false }]);
      this.#deadline = Math.min(this.#deadline, digest.deadline);
    }
    const count = from(this.#others);
    if (count > 0 && this.#lastOther !== undefined) taken.push([this.#lastOther, { count, areMixed: true }]);
    this.#deadline = Math.min(this.#deadline, this.#others.deadline);
    return taken;
  }

  #begin(key: string, message: Message, now: number): Entry<Message> | undefined {
    const { keys, atOnce } = this.#limits;
    for (const [known, { digest }] of this.#byKey) {
      if (this.#byKey.size < keys) break;
      if (digest.isQuiet(now)) this.#byKey.delete(known);
    }
    if (this.#byKey.size >= keys) return undefined;
    const entry = { digest: new RepeatDigest(atOnce), last: message };
    this.#byKey.set(key, entry);
    return entry;
  }
}
