/** The first summary of repeats comes after this long, in ms; each further one after twice the previous interval, … */
const FIRST_SUM_MS = 10_000;
/** … up to this limit. */
const GREATEST_SUM_MS = 60_000;

/**
 * Decides which of many similar messages are reported: the first at once, the ones after it as counts at growing
 * intervals. After a quiet period the next message counts as a first again. Others can trigger such messages as fast as
 * they like; this keeps the log short.
 */
export class RepeatDigest {
  readonly #atOnceLimit: number;
  #atOnce = 0;
  #repeats = 0;
  #sumMs = FIRST_SUM_MS;
  /** When the current interval ends. */
  #sumAt = Number.NEGATIVE_INFINITY;

  /** `atOnceLimit`: how many in a row are reported at once. */
  constructor(atOnceLimit = 1) {
    this.#atOnceLimit = atOnceLimit;
  }

  /** Nothing was reported or counted within the last interval. */
  isQuiet(now: number): boolean {
    return this.#repeats === 0 && now >= this.#sumAt;
  }

  /** Adds one message. True: report it now. False: it is counted. */
  add(now: number): boolean {
    if (this.isQuiet(now)) {
      this.#sumMs = FIRST_SUM_MS;
      this.#sumAt = now + FIRST_SUM_MS;
      this.#atOnce = 0;
    }
    this.#atOnce += 1;
    if (this.#atOnce <= this.#atOnceLimit) return true;
    this.#repeats += 1;
    return false;
  }

  /** When a summary is due; `Infinity` if nothing was counted. */
  get deadline(): number {
    return this.#repeats === 0 ? Infinity : this.#sumAt;
  }

  /** The count since the last summary if one is due, else 0. */
  take(now: number): number {
    if (now < this.deadline) return 0;
    this.#sumMs = Math.min(this.#sumMs * 2, GREATEST_SUM_MS);
    this.#sumAt = now + this.#sumMs;
    return this.takeAll();
  }

  /** The count since the last summary, due or not; for the end. */
  takeAll(): number {
    const repeats = this.#repeats;
    this.#repeats = 0;
    return repeats;
  }
}
