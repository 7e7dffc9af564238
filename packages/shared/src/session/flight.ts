import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS, LOG_LIMIT_BYTES } from './constants.ts';

/** Before anything is measured. On a slow line the kernel accepts less than this anyway. */
const FIRST_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 64 * 1024;
/** The rate is measured over this period, or over a round trip if that is longer, in ms: event loops stop and go. */
const PERIOD_MS = 20;
/** The best rate within this time counts, in ms: more than it takes to notice that the path got longer. */
const MEMORY_MS = 12_000;
/** Above one, so that a fully used link shows whether it can carry more. */
const FACTOR = 1.5;
/** Jitter of an unqueued round trip over the shortest one, in ms. */
const SLACK_MS = 1;
/** How many round trips are remembered. */
const ROUND_TRIPS = 5;
/**
 * A round trip that exceeds what our own bytes in flight explain by more than this is attributed to the path, in ms.
 */
const UNEXPLAINED_MS = 3;

/**
 * How much may be in flight to the peer, unacknowledged: somewhat more than the link carries in a round trip. Anything
 * beyond that would sit in the kernel's buffers, out of our sight, with every keystroke queued behind it. Times are
 * monotonic ms.
 */
export class Flight {
  /** In bytes per ms, decreasing: a rate that a later one exceeds no longer matters. */
  readonly #rates: { readonly rate: number; readonly at: number }[] = [];
  #periodStart: number;
  #bytes = 0;
  #limitBytes = FIRST_BYTES;
  /** More would have been sent in this period if the limit had allowed it. */
  #wasFull = false;
  /** The round trip without a queue, as far as it is known. */
  #pathMs: number;
  readonly #roundTrips: number[] = [];

  /** `roundTripMs` is an initial estimate from the handshake. */
  constructor(now: number, roundTripMs: number) {
    this.#periodStart = now;
    this.#pathMs = roundTripMs;
  }

  /** How much may be unacknowledged, in bytes. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** The limit kept something from being sent. */
  full(): void {
    this.#wasFull = true;
  }

  /**
   * A heartbeat's round trip was measured. The shortest one counts, until several in a row are longer than the data in
   * flight explains: then the path itself got longer, and keeping the old value would starve the link.
   */
  roundTrip(roundTripMs: number): void {
    this.#roundTrips.push(roundTripMs);
    if (this.#roundTrips.length > ROUND_TRIPS) this.#roundTrips.shift();
    const least = Math.min(...this.#roundTrips);
    const explainedMs = FACTOR * (this.#pathMs + SLACK_MS + this.#acknowledgeMs);
    const isLonger = this.#roundTrips.length === ROUND_TRIPS && least > explainedMs + UNEXPLAINED_MS;
    if (isLonger || least < this.#pathMs) this.#pathMs = least;
  }

  /** The peer acknowledged `bytes` more. */
  acknowledged(bytes: number, now: number): void {
    this.#bytes += bytes;
    const elapsedMs = now - this.#periodStart;
    if (elapsedMs < Math.max(PERIOD_MS, this.#pathMs)) return;
    const rate = this.#bytes / elapsedMs;
    const wasFull = this.#wasFull;
    this.#periodStart = now;
    this.#bytes = 0;
    this.#wasFull = false;
    // A period with too little to send says nothing about the link, unless its rate was the best so far.
    if (!wasFull && rate <= this.#bestRate) return;
    while (this.#rates.length > 0 && this.#rates.at(-1)!.rate <= rate) this.#rates.pop();
    this.#rates.push({ rate, at: now });
    while (this.#rates[0]!.at < now - MEMORY_MS) this.#rates.shift();
    const wantedBytes = FACTOR * this.#bestRate * (this.#pathMs + SLACK_MS + this.#acknowledgeMs);
    const leastBytes = wasFull ? LEAST_BYTES : this.#limitBytes;
    this.#limitBytes = Math.min(LOG_LIMIT_BYTES, Math.max(leastBytes, wantedBytes));
  }

  /** How long the peer delays an acknowledgement: for a fixed time or a number of bytes, whichever comes first. */
  get #acknowledgeMs(): number {
    return Math.min(ACKNOWLEDGE_DELAY_MS, ACKNOWLEDGE_BYTES / this.#bestRate);
  }

  get #bestRate(): number {
    return this.#rates[0]?.rate ?? 0;
  }
}
