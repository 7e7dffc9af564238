import { LOG_ENTRY_OVERHEAD_BYTES } from './constants.ts';
import { Fifo } from './fifo.ts';
import type { Stream } from './stream.ts';

/** A numbered frame that was handed to a link but is not acknowledged yet. */
export type LogEntry =
  | { readonly kind: 'data'; readonly stream: Stream; data: Uint8Array }
  | { readonly kind: 'end' | 'reset'; readonly stream: Stream; readonly frame: Uint8Array }
  | { readonly kind: 'control'; readonly frame: Uint8Array };

const NOTHING = new Uint8Array();

/** Unacknowledged frames in the order of their numbers. The first frame of a session has number 1. */
export class OutgoingLog {
  readonly #entries = new Fifo<LogEntry>();
  #acknowledged = 0;
  #bytes = 0;

  /** Number of the last acknowledged frame. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Number of the next new frame. */
  get next(): number {
    return this.#acknowledged + this.#entries.length + 1;
  }

  /** Each frame counts as its size plus the overhead of keeping it. */
  get bytes(): number {
    return this.#bytes;
  }

  get frames(): number {
    return this.#entries.length;
  }

  append(entry: LogEntry): void {
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
  }

  /** The entry with this number, which must still be unacknowledged. */
  at(number: number): LogEntry {
    const entry = this.#entries.at(number - this.#acknowledged - 1);
    if (!entry) throw new RangeError(`frame ${number} is not in the log`);
    return entry;
  }

  /** Drops the data of streams for which `isOver` holds, keeping only the numbers. */
  scrub(isOver: (stream: Stream) => boolean): void {
    for (let index = 0; index < this.#entries.length; index += 1) {
      const entry = this.#entries.at(index)!;
      if (entry.kind !== 'data' || !isOver(entry.stream)) continue;
      this.#bytes -= entry.data.length;
      entry.stream.loggedBytes -= entry.data.length;
      entry.data = NOTHING;
    }
  }

  /** Drops everything up to `number`, passing each entry to `each`. `number` must be below `next`. */
  acknowledge(number: number, each: (entry: LogEntry) => void): void {
    while (this.#acknowledged < number) {
      const entry = this.#entries.shift();
      if (!entry) throw new RangeError(`frame ${number} was never sent`);
      this.#acknowledged += 1;
      this.#bytes -= sizeOf(entry);
      each(entry);
    }
  }
}

function sizeOf(entry: LogEntry): number {
  return (entry.kind === 'data' ? entry.data.length : entry.frame.length) + LOG_ENTRY_OVERHEAD_BYTES;
}
