import { DATA_HEADER_BYTES, MAX_RECORD_BYTES } from '../wire/constants.ts';
import { encodeFrame, writeDataHeader } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';

/** Data frames up to this size are copied next to their headers; larger ones are passed on as they are. */
const COPY_BELOW_BYTES = 2 * 1024;

/**
 * Assembles the frames of one record. Small frames and headers go into one buffer that is reused for every record;
 * large data is not copied. One builder serves all sessions of a process: its parts are valid until the next `start`.
 */
export class RecordBuilder {
  readonly #scratch = new Uint8Array(MAX_RECORD_BYTES);
  #parts: Uint8Array[] = [];
  #partStart = 0;
  #end = 0;
  #bytes = 0;
  #limit = 0;

  /** Begins a record of at most `limitBytes` of plaintext. */
  start(limitBytes: number): void {
    this.#parts = [];
    this.#partStart = 0;
    this.#end = 0;
    this.#bytes = 0;
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes left below the limit; may be negative after a control frame, which is never split. */
  get room(): number {
    return this.#limit - this.#bytes;
  }

  add(frame: Frame): void {
    this.addEncoded(encodeFrame(frame));
  }

  /** Adds a frame that is already encoded. */
  addEncoded(frame: Uint8Array): void {
    this.#scratch.set(frame, this.#end);
    this.#end += frame.length;
    this.#bytes += frame.length;
  }

  addData(streamId: number, data: Uint8Array): void {
    writeDataHeader(this.#scratch, this.#end, streamId, data.length);
    this.#end += DATA_HEADER_BYTES;
    this.#bytes += DATA_HEADER_BYTES + data.length;
    if (data.length < COPY_BELOW_BYTES) {
      this.#scratch.set(data, this.#end);
      this.#end += data.length;
    } else {
      this.#closePart();
      this.#parts.push(data);
    }
  }

  /** The record's plaintext, in order; empty if nothing was added. */
  finish(): readonly Uint8Array[] {
    this.#closePart();
    return this.#parts;
  }

  #closePart(): void {
    if (this.#end === this.#partStart) return;
    this.#parts.push(this.#scratch.subarray(this.#partStart, this.#end));
    this.#partStart = this.#end;
  }
}
