/** Retries in a row after links that died young that start the delay anew. */
const QUICK_RETRIES = 5;

/** One quick retry comes back after this. A link that lives as long therefore never runs out of them. */
export const QUICK_RETRY_REFILL_MS = 10_000;

/**
 * Holds a link that is accepted and dies again and again: each such death takes a quick retry out, time puts them back.
 * An immutable value.
 */
export class RetryBucket {
  readonly retries: number;
  /** When `retries` was right, in ms; before the first use it is full, whatever the time. */
  readonly #at: number;

  constructor(retries: number = QUICK_RETRIES, at: number = Number.NEGATIVE_INFINITY) {
    this.retries = retries;
    this.#at = at;
  }

  refilled(now: number): RetryBucket {
    // A clock that went back must take nothing out.
    const elapsedMs = Math.max(0, now - this.#at);
    return new RetryBucket(Math.min(QUICK_RETRIES, this.retries + elapsedMs / QUICK_RETRY_REFILL_MS), now);
  }

  /** Without one quick retry; `undefined` when there is none. Refill it first. */
  take(): RetryBucket | undefined {
    return this.retries >= 1 ? new RetryBucket(this.retries - 1, this.#at) : undefined;
  }
}
