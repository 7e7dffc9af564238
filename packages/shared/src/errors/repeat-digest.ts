/** Repeats are summed up after this for the first time, in ms; each further time after twice as long … */
const FIRST_SUM_MS = 10_000;
/** … up to this. */
const GREATEST_SUM_MS = 60_000;

/**
 * Which of many like messages are told: the first at once, those behind it as sums, ever more seldom. After a quiet time
 * the next one counts as a first again. Somebody else can cause such messages as fast as they like; lines they get few.
 */
export class RepeatDigest {
  readonly #atOnceLimit: number;
  #atOnce = 0;
  #repeats = 0;
  #sumMs = FIRST_SUM_MS;
  /** When the present interval ends. */
  #sumAt = Number.NEGATIVE_INFINITY;

  /** `atOnceLimit`: how many in a row are told at once. */
  constructor(atOnceLimit = 1) {
    this.#atOnceLimit = atOnceLimit;
  }

  /** Nothing was told or counted within the last interval. */
  isQuiet(now: number): boolean {
    return this.#repeats === 0 && now >= this.#sumAt;
  }

  /** There was one more. True: tell it now. False: it is counted. */
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

  /** When a sum is due; `Infinity` where nothing was counted. */
  get deadline(): number {
    return this.#repeats === 0 ? Infinity : this.#sumAt;
  }

  /** How many were counted since the last sum, where one is due; else 0. */
  take(now: number): number {
    if (now < this.deadline) return 0;
    this.#sumMs = Math.min(this.#sumMs * 2, GREATEST_SUM_MS);
    this.#sumAt = now + this.#sumMs;
    return this.takeAll();
  }

  /** How many were counted since the last sum, due or not: for the end. */
  takeAll(): number {
    const repeats = this.#repeats;
    this.#repeats = 0;
    return repeats;
  }
}
