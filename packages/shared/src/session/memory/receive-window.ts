import { malformed } from '../../wire/byte-reader.ts';
import { LEAST_WINDOW_BYTES, MAX_WINDOW_BYTES, WINDOW_SLACK_MS } from './constants.ts';
import type { MemoryShare } from './memory-budget.ts';

/**
 * The receiving end of one direction's credit. The window grows with what the local side takes in a round trip, so that
 * one stream can fill a long fat link, while a side that does not read holds no more than the window.
 */
export class ReceiveWindow {
  readonly #memory: MemoryShare;
  readonly #firstBytes: number;
  #windowBytes: number;
  /** Offsets, counted from the start of the stream. */
  #received = 0;
  #consumed = 0;
  #granted: number;
  /** `ending`: nothing more will arrive. `released`: nor will anyone take what has arrived. */
  #state: 'open' | 'ending' | 'released' = 'open';
  /**
   * A round is over when everything granted at its start has been taken. For a sender waiting for credit that takes a
   * round trip.
   */
  #roundAt: number;
  #roundFrom = 0;
  /** Undefined between rounds. */
  #roundEnd: number | undefined;
  /** When the local side last took something. */
  movedAt: number;

  /**
   * The peer may send `firstBytes` before anything is granted. Whatever exceeds the smallest window is charged to the
   * budget.
   */
  constructor(now: number, memory: MemoryShare, firstBytes: number) {
    this.#roundAt = now;
    this.movedAt = now;
    this.#memory = memory;
    this.#firstBytes = firstBytes;
    this.#granted = firstBytes;
    this.#roundEnd = firstBytes > 0 ? firstBytes : undefined;
    this.#windowBytes = Math.max(firstBytes, LEAST_WINDOW_BYTES);
    memory.charge(this.#windowBytes - LEAST_WINDOW_BYTES);
  }

  /** The offset up to which the peer may send. */
  get granted(): number {
    return this.#granted;
  }

  /** More was granted than the stream began with. */
  get hasGranted(): boolean {
    return this.#granted > this.#firstBytes;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Bytes that arrived but have not been taken by the local side. */
  get heldBytes(): number {
    return this.#received - this.#consumed;
  }

  /** Some bytes will still be taken. */
  get isHeld(): boolean {
    return this.#state !== 'released' && this.heldBytes > 0;
  }

  /** Throws `protocol-error` if the peer sends more than it was granted. */
  receive(bytes: number): void {
    if (this.#received + bytes > this.#granted) throw malformed('data beyond the credit of its stream');
    this.#received += bytes;
    if (this.#state !== 'released') this.#memory.wait(bytes);
  }

  /** The local side took `bytes`. True if a CREDIT frame is due. `roundTripMs` is the link's shortest round trip. */
  consume(bytes: number, now: number, roundTripMs: number): boolean {
    this.#consumed += bytes;
    this.movedAt = now;
    if (this.#state !== 'released') this.#memory.wait(-bytes);
    if (this.#state !== 'open') this.#shrink(this.heldBytes);
    else this.#measure(now, roundTripMs);
    return this.isGrantDue;
  }

  /** A good part of the window is ungranted. */
  get isGrantDue(): boolean {
    const grantable = this.#consumed + this.#windowBytes - this.#granted;
    return grantable >= this.#windowBytes / 4;
  }

  /** Grants as much as possible and returns the new offset. */
  grant(): number {
    this.#granted = Math.max(this.#granted, this.#consumed + this.#windowBytes);
    this.#roundEnd ??= this.#granted;
    return this.#granted;
  }

  /** Nothing more will arrive: returns to the budget what is not held, and the rest as it is consumed. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ending';
    this.#shrink(this.heldBytes);
  }

  /** Nothing more will be granted or held: returns everything to the budget and charges nothing more. */
  release(): void {
    if (this.#state !== 'released') this.#memory.wait(-this.heldBytes);
    this.#state = 'released';
    this.#shrink(0);
  }

  #shrink(bytes: number): void {
    const windowBytes = Math.min(this.#windowBytes, Math.max(bytes, LEAST_WINDOW_BYTES));
    this.#memory.takeBack(this.#windowBytes - windowBytes);
    this.#windowBytes = windowBytes;
  }

  /**
   * Sizes the window at four times what is taken in a round trip: the sender stays busy, and a new stream fills a long
   * line within a few round trips.
   */
  #measure(now: number, roundTripMs: number): void {
    if (this.#roundEnd === undefined || this.#consumed < this.#roundEnd) return;
    const leastMs = roundTripMs + WINDOW_SLACK_MS;
    const elapsedMs = Math.max(now - this.#roundAt, leastMs);
    const wanted = Math.min((4 * (this.#consumed - this.#roundFrom) * leastMs) / elapsedMs, MAX_WINDOW_BYTES);
    this.#roundAt = now;
    this.#roundFrom = this.#consumed;
    this.#roundEnd = undefined;
    if (wanted > this.#windowBytes) this.#windowBytes += this.#memory.promise(Math.ceil(wanted) - this.#windowBytes);
  }
}
