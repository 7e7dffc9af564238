import { Fifo } from './fifo.ts';
import type { Stream } from './stream.ts';

/**
 * Whose turn it is to send: deficit round robin by bytes with a list of its own for streams that just became active, as in
 * FQ-CoDel (RFC 8290, section 4.2). A keystroke goes before a bulk transfer, and a stream that always has a little cannot
 * starve one that has much: after its turn it goes to the end of the old ones.
 */
export class FairQueue {
  readonly #new = new Fifo<Stream>();
  readonly #old = new Fifo<Stream>();

  get isEmpty(): boolean {
    return this.#new.length + this.#old.length === 0;
  }

  /** The stream has something to send. */
  activate(stream: Stream): void {
    if (stream.turn !== 'none') return;
    stream.turn = 'fresh';
    this.#new.push(stream);
  }

  /**
   * The stream whose turn it is, or undefined where none has work. The caller sends at most `deficitBytes` of it and takes
   * what it sent off. `quantumBytes` is what a stream gets each round.
   */
  next(quantumBytes: number, hasWork: (stream: Stream) => boolean): Stream | undefined {
    for (;;) {
      const list = this.#new.length > 0 ? this.#new : this.#old;
      const stream = list.peek();
      if (!stream) return undefined;
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
        // An emptied new stream passes through the old ones once before it counts as new again.
        if (list === this.#new && this.#old.length > 0) this.#old.push(stream);
        else stream.turn = 'none';
      }
    }
  }
}
