/** Handshakes at a time. */
const HANDSHAKE_LIMIT = 256;

/** Requests that may wait for one of those places; what comes beyond could not be served before its client gives up. */
const HANDSHAKE_QUEUE_LIMIT = 4096;

/** While others wait, a handshake that takes longer than this makes room, in ms. */
const CROWDED_HANDSHAKE_MS = 3_000;

/**
 * Who may begin a handshake now: a few hundred at a time, the rest in the order in which they came. A storm of clients after
 * a restart is served in one go, and a crowd that only holds places is moved on.
 */
export class Admission<T> {
  /** Since when, in the order in which they entered. */
  readonly #inside = new Map<T, number>();
  readonly #waiting = new Set<T>();

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get count(): number {
    return this.#inside.size + this.#waiting.size;
  }

  request(entry: T, now: number): 'admitted' | 'waiting' | 'refused' {
    if (this.#inside.size < HANDSHAKE_LIMIT) {
      this.#inside.set(entry, now);
      return 'admitted';
    }
    if (this.#waiting.size >= HANDSHAKE_QUEUE_LIMIT) return 'refused';
    this.#waiting.add(entry);
    return 'waiting';
  }

  /** The entry is done, or gone. Returns who is admitted in its place. */
  leave(entry: T, now: number): T | undefined {
    this.#waiting.delete(entry);
    if (!this.#inside.delete(entry)) return undefined;
    const [next] = this.#waiting;
    if (next === undefined) return undefined;
    this.#waiting.delete(next);
    this.#inside.set(next, now);
    return next;
  }

  /** Those who are inside for too long while others wait. */
  overdue(now: number): T[] {
    const overdue: T[] = [];
    for (const [entry, since] of this.#inside) {
      if (now - since < CROWDED_HANDSHAKE_MS || overdue.length >= this.#waiting.size) break;
      overdue.push(entry);
    }
    return overdue;
  }
}
