import { monotonicNow } from '@tunnel/shared/node';

/** An attempt that is to come, in monotonic ms. */
export interface DueAttempt {
  readonly attempt: number;
  readonly dueAt: number;
}

/** The wait for the next attempt. It can be made shorter. */
export class RetryWait {
  /** Resolves when the wait is over. */
  readonly over: Promise<void>;
  readonly #attempt: number;
  #end!: () => void;
  #dueAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(attempt: number, delayMs: number) {
    this.#attempt = attempt;
    this.over = new Promise((resolve) => (this.#end = resolve));
    this.endAfter(delayMs);
  }

  get due(): DueAttempt {
    return { attempt: this.#attempt, dueAt: this.#dueAt };
  }

  /** From now on, instead of what was left of it. */
  endAfter(leftMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#end, leftMs);
    this.#dueAt = monotonicNow() + leftMs;
  }
}
