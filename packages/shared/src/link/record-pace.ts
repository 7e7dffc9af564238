import { MAX_PLAINTEXT_BYTES } from '../wire/constants.ts';

/** The smallest limit given for a record. */
const LEAST_RECORD_BYTES = 4 * 1024;
/** A record holds at most what the link drains in this time. */
const PERIOD_MS = 250;

/**
 * How large the next record may be. On a link that drains at once records grow; on one that lags they shrink to what it
 * drained in the last period, so that whole records keep arriving on a slow link and a keystroke does not wait behind a
 * long one.
 */
export class RecordPace {
  #bytes = 64 * 1024;
  #periodStart: number;
  #drainedAtStart = 0;

  constructor(now: number) {
    this.#periodStart = now;
  }

  /**
   * `queuedBytes` are waiting in this process for the socket; `drainedBytes` have gone through it since the link began.
   */
  next(now: number, queuedBytes: number, drainedBytes: number): number {
    if (queuedBytes === 0) {
      this.#bytes = Math.min(MAX_PLAINTEXT_BYTES, this.#bytes * 2);
      this.#startPeriod(now, drainedBytes);
    } else if (now - this.#periodStart >= PERIOD_MS) {
      const perPeriod = ((drainedBytes - this.#drainedAtStart) * PERIOD_MS) / (now - this.#periodStart);
      this.#bytes = Math.max(LEAST_RECORD_BYTES, Math.min(MAX_PLAINTEXT_BYTES, Math.floor(perPeriod)));
      this.#startPeriod(now, drainedBytes);
    }
    return this.#bytes;
  }

  #startPeriod(now: number, drainedBytes: number): void {
    this.#periodStart = now;
    this.#drainedAtStart = drainedBytes;
  }
}
