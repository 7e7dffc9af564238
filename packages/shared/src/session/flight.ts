import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS, LOG_LIMIT_BYTES } from './constants.ts';

/** Before anything is measured. The kernel takes less than that over a slow line. */
const FIRST_BYTES = 4 * 1024 * 1024;
const LEAST_BYTES = 64 * 1024;
/** The rate is measured over this, or a round trip if that is longer, in ms: event loops stop and go. */
const PERIOD_MS = 20;
/** The best of so many periods counts. */
const PERIODS = 8;
/** Above one, so that a link that is used to the full shows whether it carries more. */
const FACTOR = 1.5;
/** What a round trip takes longer than the least one, without a queue, in ms. */
const SLACK_MS = 1;

/**
 * How much may be on its way to the peer, unacknowledged: somewhat more than the link carries in a round trip. What is
 * beyond that lies in the kernel's buffers, which nobody can see into, and every keystroke behind it. Times are monotonic ms.
 */
export class Flight {
  /** Bytes per ms. */
  readonly #rates: number[] = [];
  #periodStart: number;
  #bytes = 0;
  #limitBytes = FIRST_BYTES;
  /** More would have been sent in this period, if it had been allowed. */
  #wasFull = false;

  constructor(now: number) {
    this.#periodStart = now;
  }

  /** What may be unacknowledged, in bytes. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** The limit kept something from being sent. */
  full(): void {
    this.#wasFull = true;
  }

  /** The peer has `bytes` more. `roundTripMs` is the link's least. */
  acknowledged(bytes: number, now: number, roundTripMs: number): void {
    this.#bytes += bytes;
    const elapsedMs = now - this.#periodStart;
    if (elapsedMs < Math.max(PERIOD_MS, roundTripMs)) return;
    const rate = this.#bytes / elapsedMs;
    const wasFull = this.#wasFull;
    this.#periodStart = now;
    this.#bytes = 0;
    this.#wasFull = false;
    // A period in which there was less to send tells nothing about the link, unless it was better than the others.
    if (!wasFull && rate <= this.#bestRate) return;
    this.#rates.push(rate);
    if (this.#rates.length > PERIODS) this.#rates.shift();
    const best = this.#bestRate;
    const acknowledgeMs = Math.min(ACKNOWLEDGE_DELAY_MS, ACKNOWLEDGE_BYTES / best);
    const wantedBytes = FACTOR * best * (roundTripMs + SLACK_MS + acknowledgeMs);
    const leastBytes = wasFull ? LEAST_BYTES : this.#limitBytes;
    this.#limitBytes = Math.min(LOG_LIMIT_BYTES, Math.max(leastBytes, wantedBytes));
  }

  get #bestRate(): number {
    return Math.max(0, ...this.#rates);
  }
}
