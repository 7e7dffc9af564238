import { monotonicNow } from '@tunnel/shared/node';

/**
 * Limits for one turn of the event loop: its duration in ms, and the number of pieces, since opening a port continues
 * after its piece.
 */
const TURN_MS = 2;
const TURN_PIECES = 16;

/** Someone with work that is not urgent. */
export interface Worker {
  /** Does one small piece of work. Returns whether there is another one that can be done now. */
  work(): boolean;
}

/**
 * Shares the event loop: each worker does one piece of its work in turn, within a limit for each turn of the loop, so
 * that one client's requests never hold up the traffic of others.
 */
export class FairTurns {
  /** In the order of their turns. */
  readonly #workers = new Set<Worker>();
  readonly #now: () => number;
  #isDue = false;

  constructor(now: () => number = monotonicNow) {
    this.#now = now;
  }

  /** There is work: the worker gets its turn after the others. */
  add(worker: Worker): void {
    this.#workers.add(worker);
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#run());
  }

  remove(worker: Worker): void {
    this.#workers.delete(worker);
  }

  #run(): void {
    this.#isDue = false;
    const end = this.#now() + TURN_MS;
    let pieces = 0;
    // A set iterates again over items that are added back during iteration.
    for (const worker of this.#workers) {
      this.#workers.delete(worker);
      if (worker.work()) this.#workers.add(worker);
      pieces += 1;
      if (pieces >= TURN_PIECES || this.#now() >= end) break;
    }
    const [next] = this.#workers;
    if (next) this.add(next);
  }
}
