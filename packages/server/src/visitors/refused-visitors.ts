import { RepeatDigest } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';

export interface RefusedCounts {
  readonly denied: number;
  readonly overLimit: number;
}

/** Counts the visitors of one tunnel that were kept out, and tells it: the first at once, then sums, ever more seldom. */
export class RefusedVisitors {
  readonly #tell: (counts: RefusedCounts) => void;
  readonly #now: () => number;
  readonly #digest = new RepeatDigest();
  #denied = 0;
  #overLimit = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `tell` gets the counts since the start. */
  constructor(tell: (counts: RefusedCounts) => void, now: () => number = monotonicNow) {
    this.#tell = tell;
    this.#now = now;
  }

  add(code: 'visitor-denied' | 'visitor-limit'): void {
    if (this.#isClosed) return;
    if (code === 'visitor-denied') this.#denied += 1;
    else this.#overLimit += 1;
    if (this.#digest.add(this.#now())) this.tellAgain();
    this.#arm();
  }

  /** What was told last may be lost. */
  tellAgain(): void {
    if (this.#denied + this.#overLimit > 0) this.#tell({ denied: this.#denied, overLimit: this.#overLimit });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const { deadline } = this.#digest;
    if (this.#timer !== undefined || deadline === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (this.#digest.take(this.#now()) > 0) this.tellAgain();
        this.#arm();
      },
      Math.max(0, Math.ceil(deadline - this.#now())),
    );
  }
}
