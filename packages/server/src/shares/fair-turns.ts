import { monotonicNow } from '@tunnel/shared/node';

/** What is done in one turn of the event loop: as long as this, in ms, and no more pieces than this, since opening a port goes on behind its piece. */
const TURN_MS = 2;
const TURN_PIECES = 16;

/** Somebody with work that need not be done at once. */
export interface Worker {
  /** Does one small piece. Whether there is another one that can be done now. */
  work(): boolean;
}

/**
 * Divides the event loop: everybody with work does one piece of it in turn, and a turn of the loop takes only so much, so
 * that what one client asks for never holds up the traffic of the others.
 */
export class FairTurns {
  /** In the order of their turns. */
  readonly #workers = new Set<Worker>();
  readonly #now: () => number;
  #isDue = false;

  constructor(now: () => number = monotonicNow) {
    this.#now = now;
  }

  /** There is work: the worker gets its turn behind the others. */
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
    // A set gives out again what is put back while it is walked through.
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
