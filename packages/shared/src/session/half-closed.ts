import { HALF_CLOSED_IDLE_MS } from './constants.ts';
import type { Stream } from './stream.ts';

/**
 * The half-closed streams of a session, so that those without progress for too long can be reset. Times are monotonic
 * ms.
 */
export class HalfClosedStreams {
  /** In the order of their last progress. */
  readonly #streams = new Set<Stream>();

  /** When the first of them has been idle for too long; Infinity if there are none. */
  get deadline(): number {
    const oldest = this.#streams.values().next().value;
    return oldest ? oldest.movedAt + HALF_CLOSED_IDLE_MS : Infinity;
  }

  has(stream: Stream): boolean {
    return this.#streams.has(stream);
  }

  /** This stream made progress or changed its state: watches it if it is half-closed. */
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

  /** Calls `reset` for each stream that has been idle for too long; that also removes it here. */
  expire(now: number, reset: (stream: Stream) => void): void {
    for (const stream of this.#streams) {
      if (stream.movedAt + HALF_CLOSED_IDLE_MS > now) break;
      reset(stream);
    }
  }
}
