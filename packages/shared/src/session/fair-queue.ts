import { Fifo } from './fifo.ts';
import type { Stream } from './stream.ts';

/** Up to this many removed streams are skipped before the lists are compacted. */
const TIDY_FROM = 64;

/**
 * Decides whose turn it is to send: deficit round robin by bytes, with a separate list for streams that just became
 * active, as in FQ-CoDel (RFC 8290, section 4.2). A keystroke goes before a bulk transfer, and a stream that always has
 * a little to send cannot starve one that has a lot: after its turn it goes to the end of the old list.
 */
export class FairQueue {
  readonly #new = new Fifo<Stream>();
  readonly #old = new Fifo<Stream>();
  #removed = 0;

  get isEmpty(): boolean {
    return this.#new.length + this.#old.length === this.#removed;
  }

  /** The stream has something to send. */
  activate(stream: Stream): void {
    if (stream.turn !== 'none') return;
    stream.turn = 'fresh';
    this.#new.push(stream);
  }

  /** The stream will never have work again. Lets go of it, even if nobody asks for the next one. */
  remove(stream: Stream): void {
    if (stream.turn === 'none' || stream.turn === 'removed') return;
    stream.turn = 'removed';
    this.#removed += 1;
    if (this.#removed < TIDY_FROM || 2 * this.#removed < this.#new.length + this.#old.length) return;
    this.#new.keep(isLeft);
    this.#old.keep(isLeft);
    this.#removed = 0;
  }

  /**
   * The stream whose turn it is, or undefined if none has work. The caller sends at most its `deficitBytes` and
   * subtracts what it sent. `quantumBytes` is what a stream gets in each round.
   */
  next(quantumBytes: number, hasWork: (stream: Stream) => boolean): Stream | undefined {
    for (;;) {
      const list = this.#new.length > 0 ? this.#new : this.#old;
      const stream = list.peek();
      if (!stream) return undefined;
      if (stream.turn === 'removed') {
        list.shift();
        this.#removed -= 1;
        continue;
      }
      if (stream.turn === 'fresh') {
        stream.turn = 'queued';
        stream.deficitBytes = quantumBytes;
      }
      if (stream.deficitBytes <= 0) {
        stream.deficitBytes += quantumBytes;
        list.shift();
        this.#old.push(stream);
      } else if (hasWork(stream)) {
        return stream;
      } else {
        list.shift();
        // A new stream that ran empty passes through the old list once before it counts as new again.
        if (list === this.#new && this.#old.length > 0) this.#old.push(stream);
        else stream.turn = 'none';
      }
    }
  }
}

function isLeft(stream: Stream): boolean {
  return stream.turn !== 'removed';
}
