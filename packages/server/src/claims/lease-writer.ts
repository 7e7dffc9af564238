import { monotonicNow } from '@tunnel/shared/node';
import type { Lease, LeaseStore } from './lease-file.ts';

/** The next write comes at least so long after the last one, in ms, … */
const LEAST_PAUSE_MS = 1_000;
/** … and so many times as long as that one took. */
const PAUSE_FACTOR = 20;

/**
 * Writes the leases down after they changed. At most one write is on its way and one waits for its time, however often they
 * change: what is written is what they are then.
 */
export class LeaseWriter {
  readonly #leases: () => readonly Lease[];
  readonly #store: LeaseStore;
  readonly #onFailure: (error: unknown) => void;
  readonly #now: () => number;
  #isDue = false;
  /** When the next write may be: monotonic ms. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    leases: () => readonly Lease[],
    store: LeaseStore,
    onFailure: (error: unknown) => void,
    now: () => number = monotonicNow,
  ) {
    this.#leases = leases;
    this.#store = store;
    this.#onFailure = onFailure;
    this.#now = now;
  }

  changed(): void {
    this.#isDue = true;
    this.#arm();
  }

  /** Writes at once what waits. Resolves when it is written, or could not be. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isDue) this.#write();
    await this.#writing;
  }

  #arm(): void {
    if (!this.#isDue || this.#writing || this.#timer) return;
    const waitMs = this.#nextAt - this.#now();
    if (waitMs <= 0) {
      this.#write();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, Math.ceil(waitMs)).unref();
  }

  #write(): void {
    this.#isDue = false;
    const began = this.#now();
    const writing = this.#store
      .write(this.#leases())
      .catch(this.#onFailure)
      .then(() => {
        // Another one may have followed for a flush.
        if (this.#writing !== writing) return;
        this.#writing = undefined;
        this.#nextAt = this.#now() + Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (this.#now() - began));
        this.#arm();
      });
    this.#writing = writing;
  }
}
