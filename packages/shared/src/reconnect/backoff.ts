/** The shortest wait: even the quickest retry gives the network and the server a moment. */
export const FLOOR_DELAY_MS = 50;

/** The lowest cap that a user may set: anything below would hammer a server that is down. */
export const MIN_DELAY_CAP_MS = 100;

/** Upper bound of the first wait; it doubles with each further failure. */
const BASE_DELAY_MS = 250;

export const DEFAULT_MAX_RECONNECT_DELAY_MS = 30_000;

/** The longest timer (2^31 - 1 ms, 24.8 days): a longer one would fire at once. */
export const GREATEST_DELAY_MS = 2_147_483_647;

/** After this many doublings every permitted cap is reached: the count may go on, the exponent does not. */
const GREATEST_EXPONENT = 32;

/**
 * A sequence of delays as an immutable value: exponential with full jitter, between the floor and base × 2^count,
 * capped. Full jitter spreads the clients of a restarted server over the whole interval (AWS, "Exponential Backoff And
 * Jitter"); the floor keeps the low end from becoming a hot loop.
 */
export class Backoff {
  /** How many delays have been used. */
  readonly count: number;
  readonly maxDelayMs: number;

  /** Throws a `RangeError` if the cap is below the floor or longer than a timer can wait. */
  constructor(maxDelayMs: number = DEFAULT_MAX_RECONNECT_DELAY_MS, count = 0) {
    if (!(maxDelayMs >= FLOOR_DELAY_MS && maxDelayMs <= GREATEST_DELAY_MS)) {
      throw new RangeError(
        `the greatest delay must be ${FLOOR_DELAY_MS} to ${GREATEST_DELAY_MS} ms, and is ${maxDelayMs}`,
      );
    }
    if (!(count >= 0)) throw new RangeError(`the count must not be negative, and is ${count}`);
    this.maxDelayMs = maxDelayMs;
    this.count = Math.min(Math.floor(count), Number.MAX_SAFE_INTEGER);
  }

  /** Upper bound of the delay, in ms; at least the floor, at most the cap. */
  get ceilingMs(): number {
    return Math.min(this.maxDelayMs, BASE_DELAY_MS * 2 ** Math.min(this.count, GREATEST_EXPONENT));
  }

  /** A delay in whole ms. `random` yields numbers in [0, 1). */
  delayMs(random: () => number): number {
    return Math.floor(FLOOR_DELAY_MS + random() * (this.ceilingMs - FLOOR_DELAY_MS));
  }

  next(): Backoff {
    return new Backoff(this.maxDelayMs, this.count + 1);
  }

  start(): Backoff {
    return new Backoff(this.maxDelayMs);
  }
}
