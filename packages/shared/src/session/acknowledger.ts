import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS } from './constants.ts';

/**
 * Decides when to acknowledge what was received: along with any other frame, or on its own after a while or a lot of
 * data.
 */
export class Acknowledger {
  #received = 0;
  #told = 0;
  #untoldBytes = 0;
  #dueAt = Infinity;
  /** The time has come, and the acknowledgement is waiting for the link to take a record. */
  #isRipe = false;

  /** Number of the last numbered frame received. */
  get received(): number {
    return this.#received;
  }

  /** When `tick` has something to do. */
  get dueAt(): number {
    return this.#dueAt;
  }

  tick(now: number): void {
    if (now < this.#dueAt) return;
    this.#isRipe = true;
    this.#dueAt = Infinity;
  }

  /** On a new link the hello itself acknowledges. */
  beginLink(): void {
    this.#settle();
  }

  receive(number: number, bytes: number, now: number): void {
    this.#received = number;
    this.#untoldBytes += bytes;
    if (this.#untoldBytes >= ACKNOWLEDGE_BYTES) this.#dueAt = now;
    else if (this.#dueAt === Infinity && !this.#isRipe) this.#dueAt = now + ACKNOWLEDGE_DELAY_MS;
  }

  /** The number to acknowledge now; undefined if nothing is new, or if it should wait for another frame. */
  take(now: number, hasCompany: boolean): number | undefined {
    if (this.#received === this.#told) return undefined;
    if (!(hasCompany || this.#isRipe || now >= this.#dueAt)) return undefined;
    this.#settle();
    return this.#told;
  }

  #settle(): void {
    this.#told = this.#received;
    this.#untoldBytes = 0;
    this.#dueAt = Infinity;
    this.#isRipe = false;
  }
}
