import { GATHER_BELOW_BYTES, GATHER_BYTES } from '../session/constants.ts';

/** Whether `piece` is put together with its neighbours while it waits. */
export function isSmall(piece: Uint8Array): boolean {
  return piece.length < GATHER_BELOW_BYTES;
}

/**
 * Small pieces that wait, put together: by itself each would cost some hundred bytes besides its own. The buffer grows with
 * what is in it, so that a few bytes hold a few.
 */
export class Gathering {
  #buffer: Uint8Array = new Uint8Array();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was gathered. Nothing may be added from here on. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Copies `piece`. False where it is not small or there is no room for it. */
  add(piece: Uint8Array): boolean {
    const length = this.#length + piece.length;
    if (!isSmall(piece) || length > GATHER_BYTES) return false;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(2 * length, GATHER_BYTES));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = length;
    return true;
  }
}
