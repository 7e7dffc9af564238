/** How many links in a row may die young and still be retried from the start of the backoff. */
const QUICK_RETRIES = 5;

/** One quick retry is refilled after this long, so a link that lives at least as long never runs out of them. */
export const QUICK_RETRY_REFILL_MS = 10_000;

/**
 * Slows down a link that is accepted and dies again and again: each such death takes one quick retry, and time refills
 * them. An immutable value.
 */
export class RetryBucket {
  readonly retries: number;
  /** When `retries` was last updated, in ms. Before the first use the bucket is full, whatever the time. */
  readonly #at: number;

  constructor(retries: number = QUICK_RETRIES, at: number = Number.NEGATIVE_INFINITY) {
    this.retries = retries;
    this.#at = at;
  }

  refilled(now: number): RetryBucket {
    // A clock that went backwards must not take any out.
    const elapsedMs = Math.max(0, now - this.#at);
    return new RetryBucket(Math.min(QUICK_RETRIES, this.retries + elapsedMs / QUICK_RETRY_REFILL_MS), now);
  }

  /** The bucket with one quick retry less; `undefined` if it is empty. Refill it first. */
  take(): RetryBucket | undefined {
    return this.retries >= 1 ? new RetryBucket(this.retries - 1, this.#at) : undefined;
  }
}
