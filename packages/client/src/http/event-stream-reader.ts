import { RecordedBytes } from './recorded-bytes.ts';
import { MESSAGE_LIMIT_BYTES } from './web-socket-reader.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Finds the events in a body of type text/event-stream: blocks of lines with an empty line behind each. */
export class EventStreamReader {
  readonly #onEvent: (block: RecordedBytes) => void;
  #block = new RecordedBytes(MESSAGE_LIMIT_BYTES);
  #lineBytes = 0;
  /** Of a line end in two bytes the second may come later. */
  #wasCr = false;

  constructor(onEvent: (block: RecordedBytes) => void) {
    this.#onEvent = onEvent;
  }

  push(data: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < data.length; at += 1) {
      const byte = data[at];
      const isSecondHalf = byte === LF && this.#wasCr;
      this.#wasCr = byte === CR;
      if (isSecondHalf) continue;
      if (byte !== CR && byte !== LF) {
        this.#lineBytes += 1;
      } else if (this.#lineBytes > 0) {
        this.#lineBytes = 0;
      } else {
        this.#block.add(data.subarray(from, at));
        from = at + 1;
        this.#finish();
      }
    }
    this.#block.add(data.subarray(from));
  }

  #finish(): void {
    const block = this.#block;
    // Between two events there may be more than one empty line.
    if (!block.bytes.some((byte) => byte !== CR && byte !== LF)) return;
    this.#block = new RecordedBytes(MESSAGE_LIMIT_BYTES);
    this.#onEvent(block);
  }
}
