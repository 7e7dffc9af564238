import { MessageChannel } from 'node:worker_threads';

/** Smaller ones are cheaper left to the garbage collector. */
export const LEAST_FREED_BYTES = 16 * 1024;

/** A port that is closed at both ends: what is transferred through it is freed. */
const nowhere = new MessageChannel().port1;
nowhere.close();

/**
 * Frees the memory of `data` now, if it is all of its ArrayBuffer, and leaves it alone otherwise. `data` and every other view
 * of that buffer are empty from here on.
 *
 * V8 counts such memory against its small heap, and collects all garbage for every 20 MB that pass: at a gigabit and more
 * that costs as much as encryption. What is given back at once is also still in the processor's cache when it is used again.
 */
export function freeMemory(data: Uint8Array): void {
  if (data.length < LEAST_FREED_BYTES || data.length !== data.buffer.byteLength) return;
  nowhere.postMessage(undefined, [data.buffer as ArrayBuffer]);
}

/** Frees buffers of which several users hold views, once the last of them is done. */
export class SharedMemory {
  readonly #users = new WeakMap<ArrayBufferLike, number>();

  /** Another user of the buffer that `view` lies in. */
  use(view: Uint8Array): void {
    this.#users.set(view.buffer, (this.#users.get(view.buffer) ?? 0) + 1);
  }

  /** A user is done. */
  done(buffer: ArrayBufferLike): void {
    const left = (this.#users.get(buffer) ?? 0) - 1;
    this.#users.set(buffer, left);
    if (left === 0) freeMemory(new Uint8Array(buffer));
  }
}
