import { type Ending, type Field, type Framing, type Head, parseField, valuesOf } from './message.ts';

/** Finds a body and its end in bytes of which ever more come. */
export class BodyReader {
  readonly #framing: Framing;
  readonly #lengthBytes: number;
  /** Where the body's parts are, from and to. */
  readonly #parts: (readonly [number, number])[] = [];
  /** What is behind it was not looked at. */
  #at: number;
  trailers: readonly Field[] = [];
  isComplete = false;

  /** `start`: where it begins. */
  constructor({ framing, fields }: Head, start: number) {
    this.#framing = framing;
    this.#lengthBytes = framing === 'length' ? Number(valuesOf(fields, 'content-length')[0]) : 0;
    this.#at = start;
  }

  /** Where the next message begins, once this one is complete. */
  get next(): number {
    return this.#at;
  }

  /** As far as it came, without chunk sizes and extensions. */
  bodyIn(bytes: Buffer): Buffer {
    return Buffer.concat(this.#parts.map(([start, end]) => bytes.subarray(start, end)));
  }

  /** `bytes`: all that came so far. Throws where they are no chunks. */
  read(bytes: Buffer, ending: Ending): void {
    switch (this.#framing) {
      case 'none':
        this.isComplete = true;
        break;
      case 'length':
      case 'until-close': {
        const isOpen = this.#framing === 'until-close';
        const start = this.#parts[0]?.[0] ?? this.#at;
        const end = isOpen ? bytes.length : Math.min(bytes.length, start + this.#lengthBytes);
        this.#parts[0] = [start, end];
        this.#at = end;
        this.isComplete = isOpen ? ending === 'end' : end - start === this.#lengthBytes;
        break;
      }
      case 'chunked':
        while (!this.isComplete && this.#readChunk(bytes));
    }
  }

  /** False if there is no whole chunk. A part of one counts as read, and is read again when there is more. */
  #readChunk(bytes: Buffer): boolean {
    const lineEnd = bytes.indexOf('\r\n', this.#at, 'latin1');
    if (lineEnd === -1) return false;
    const line = bytes.toString('latin1', this.#at, lineEnd);
    const [, size] = /^([0-9a-f]+)[ \t]*(?:;.*)?$/is.exec(line) ?? [];
    if (size === undefined) throw new Error(`not a chunk's size: ${JSON.stringify(line)}`);
    const start = lineEnd + 2;
    const end = start + Number.parseInt(size, 16);
    if (end === start) return this.#readTrailers(bytes, lineEnd);
    if (this.#parts.at(-1)?.[0] === start) this.#parts.pop();
    this.#parts.push([start, Math.min(end, bytes.length)]);
    if (bytes.length < end + 2) return false;
    if (bytes.toString('latin1', end, end + 2) !== '\r\n')
      throw new Error(`not the end of a chunk of ${end - start} bytes`);
    this.#at = end + 2;
    return true;
  }

  #readTrailers(bytes: Buffer, lineEnd: number): boolean {
    // The empty line may be that of the last chunk itself.
    const trailersEnd = bytes.indexOf('\r\n\r\n', lineEnd, 'latin1');
    if (trailersEnd === -1) return false;
    const text = bytes.toString('latin1', lineEnd + 2, trailersEnd);
    this.trailers = trailersEnd === lineEnd ? [] : text.split('\r\n').map(parseField);
    this.#at = trailersEnd + 4;
    this.isComplete = true;
    return true;
  }
}
