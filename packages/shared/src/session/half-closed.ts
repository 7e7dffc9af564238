import { HALF_CLOSED_IDLE_MS } from './constants.ts';
import type { Stream } from './stream.ts';

/** The half-closed streams of a session: one on which nothing moves for long is over. Times are monotonic ms. */
export class HalfClosedStreams {
  /** In the order in which they last moved. */
  readonly #streams = new Set<Stream>();

  /** When the first of them is idle for too long; Infinity without any. */
  get deadline(): number {
    const oldest = this.#streams.values().next().value;
    return oldest ? oldest.movedAt + HALF_CLOSED_IDLE_MS : Infinity;
  }

  has(stream: Stream): boolean {
    return this.#streams.has(stream);
  }

  /** Something moved on this stream, or its state changed: watches it if it is half-closed. */
  touch(stream: Stream, now: number): void {
    this.#streams.delete(stream);
    stream.movedAt = now;
    if (stream.isHalfClosed) this.#streams.add(stream);
  }

  delete(stream: Stream): void {
    this.#streams.delete(stream);
  }

  clear(): void {
    this.#streams.clear();
  }

  /** Idle time without a link does not count. */
  restart(now: number): void {
    for (const stream of this.#streams) stream.movedAt = now;
  }

  /** Tells each that is idle for too long to `reset`, which takes it out. */
  expire(now: number, reset: (stream: Stream) => void): void {
    for (const stream of this.#streams) {
      if (stream.movedAt + HALF_CLOSED_IDLE_MS > now) break;
      reset(stream);
    }
  }
}
