import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS } from './constants.ts';

/** When to tell the peer what was received: with whatever goes out, or by itself after a while or a lot. */
export class Acknowledger {
  #received = 0;
  #told = 0;
  #untoldBytes = 0;
  #dueAt = Infinity;
  /** The time came, and the acknowledgement waits for the link to take a record. */
  #isRipe = false;

  /** Number of the last numbered frame that was received. */
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

  /** A new link: the peer is told by the hello itself. */
  beginLink(): void {
    this.#settle();
  }

  receive(number: number, bytes: number, now: number): void {
    this.#received = number;
    this.#untoldBytes += bytes;
    if (this.#untoldBytes >= ACKNOWLEDGE_BYTES) this.#dueAt = now;
    else if (this.#dueAt === Infinity && !this.#isRipe) this.#dueAt = now + ACKNOWLEDGE_DELAY_MS;
  }

  /** The number to tell now, or undefined: nothing new, or nothing that would not wait for company. */
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
