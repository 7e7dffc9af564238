import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS, LOG_LIMIT_BYTES } from './constants.ts';

/** Before anything is measured. The kernel takes less than that over a slow line. */
const FIRST_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 64 * 1024;
/** The rate is measured over this, or a round trip if that is longer, in ms: event loops stop and go. */
const PERIOD_MS = 20;
/** The best rate of so long counts, in ms: longer than it takes to see that the path got longer. */
const MEMORY_MS = 12_000;
/** Above one, so that a link that is used to the full shows whether it carries more. */
const FACTOR = 1.5;
/** What a round trip takes longer than the least one, without a queue, in ms. */
const SLACK_MS = 1;
/** Round trips that are remembered. */
const ROUND_TRIPS = 5;
/** A round trip that is longer by this than what one's own bytes in flight explain belongs to the path, in ms. */
const UNEXPLAINED_MS = 3;

/**
 * How much may be on its way to the peer, unacknowledged: somewhat more than the link carries in a round trip. What is
 * beyond that lies in the kernel's buffers, which nobody can see into, and every keystroke behind it. Times are monotonic ms.
 */
export class Flight {
  /** Bytes per ms. Falling: what a later one exceeds is of no interest. */
  readonly #rates: { readonly rate: number; readonly at: number }[] = [];
  #periodStart: number;
  #bytes = 0;
  #limitBytes = FIRST_BYTES;
  /** More would have been sent in this period, if it had been allowed. */
  #wasFull = false;
  /** What the path takes without a queue, as far as that is known. */
  #pathMs: number;
  readonly #roundTrips: number[] = [];

  /** `roundTripMs` is the first estimate, from the handshake. */
  constructor(now: number, roundTripMs: number) {
    this.#periodStart = now;
    this.#pathMs = roundTripMs;
  }

  /** What may be unacknowledged, in bytes. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** The limit kept something from being sent. */
  full(): void {
    this.#wasFull = true;
  }

  /**
   * A heartbeat took so long. The least one counts, until several in a row take longer than what is in flight explains: then
   * the path got longer, and with the old round trip the limit would starve the link.
   */
  roundTrip(roundTripMs: number): void {
    this.#roundTrips.push(roundTripMs);
    if (this.#roundTrips.length > ROUND_TRIPS) this.#roundTrips.shift();
    const least = Math.min(...this.#roundTrips);
    const explainedMs = FACTOR * (this.#pathMs + SLACK_MS + this.#acknowledgeMs);
    const isLonger = this.#roundTrips.length === ROUND_TRIPS && least > explainedMs + UNEXPLAINED_MS;
    if (isLonger || least < this.#pathMs) this.#pathMs = least;
  }

  /** The peer has `bytes` more. */
  acknowledged(bytes: number, now: number): void {
    this.#bytes += bytes;
    const elapsedMs = now - this.#periodStart;
    if (elapsedMs < Math.max(PERIOD_MS, this.#pathMs)) return;
    const rate = this.#bytes / elapsedMs;
    const wasFull = this.#wasFull;
    this.#periodStart = now;
    this.#bytes = 0;
    this.#wasFull = false;
    // A period in which there was less to send tells nothing about the link, unless it was better than the others.
    if (!wasFull && rate <= this.#bestRate) return;
    while (this.#rates.length > 0 && this.#rates.at(-1)!.rate <= rate) this.#rates.pop();
    this.#rates.push({ rate, at: now });
    while (this.#rates[0]!.at < now - MEMORY_MS) this.#rates.shift();
    const wantedBytes = FACTOR * this.#bestRate * (this.#pathMs + SLACK_MS + this.#acknowledgeMs);
    const leastBytes = wasFull ? LEAST_BYTES : this.#limitBytes;
    this.#limitBytes = Math.min(LOG_LIMIT_BYTES, Math.max(leastBytes, wantedBytes));
  }

  /** The peer waits at most so long, or for so many bytes, before it acknowledges. */
  get #acknowledgeMs(): number {
    return Math.min(ACKNOWLEDGE_DELAY_MS, ACKNOWLEDGE_BYTES / this.#bestRate);
  }

  get #bestRate(): number {
    return this.#rates[0]?.rate ?? 0;
  }
}
