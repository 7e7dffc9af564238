/** Counts what should be rare, within windows of fixed length. No clock: `now` is monotonic ms. */
export class FloodCount {
  readonly #limit: number;
  readonly #windowMs: number;
  #count = 0;
  #since = -Infinity;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Whether this one is too many. */
  add(now: number): boolean {
    if (now - this.#since >= this.#windowMs) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > this.#limit;
  }
}
