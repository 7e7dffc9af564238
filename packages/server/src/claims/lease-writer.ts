import { monotonicNow } from '@tunnel/shared/node';
import type { Lease, LeaseStore } from './lease-file.ts';

/** The next write comes at least this long after the last one, in ms, … */
const LEAST_PAUSE_MS = 1_000;
/** … and at least this many times as long as the last one took. */
const PAUSE_FACTOR = 20;

/**
 * Persists the leases after changes. At most one write is in progress and one is pending, however often they change;
 * each writes the leases as of its start.
 */
export class LeaseWriter {
  readonly #leases: () => readonly Lease[];
  readonly #store: LeaseStore;
  readonly #onFailure: (error: unknown) => void;
  readonly #now: () => number;
  #isDue = false;
  /** The earliest time of the next write: monotonic ms. */
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

  /** Makes a pending write at once. Resolves when it is done or has failed. */
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
        // A flush may have started another one.
        if (this.#writing !== writing) return;
        this.#writing = undefined;
        this.#nextAt = this.#now() + Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (this.#now() - began));
        this.#arm();
      });
    this.#writing = writing;
  }
}
