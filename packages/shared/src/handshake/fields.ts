import { concat } from '../noise/bytes.ts';
import { HandshakeError } from './error.ts';

const UTF8_ENCODER = new TextEncoder();
// With `ignoreBOM` a leading U+FEFF stays in the text, so that decoding gives back what was encoded.
const UTF8_DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const U32_VALUES = 2 ** 32;

function malformed(message: string, options?: ErrorOptions): HandshakeError {
  return new HandshakeError('malformed', message, options);
}

function requireInteger(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw malformed(`not an integer from 0 to ${max}`);
}

export function utf8Bytes(text: string): Uint8Array {
  return UTF8_ENCODER.encode(text);
}

/** Reads big-endian fields, one after another, out of untrusted bytes; every failure is HandshakeError `malformed`. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** A 64-bit number; one over 2^53 - 1 is malformed, since a JS number would silently be another one. */
  u64(): number {
    const value = this.u32() * U32_VALUES + this.u32();
    if (!Number.isSafeInteger(value)) throw malformed('a number is over 2^53 - 1');
    return value;
  }

  /** A copy, which keeps nothing of the message alive. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  utf8(length: number): string {
    const bytes = this.bytes(length);
    try {
      return UTF8_DECODER.decode(bytes);
    } catch (cause) {
      throw malformed('a text is not UTF-8', { cause });
    }
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw malformed('the payload ends inside a field');
    this.#offset = start + length;
    return start;
  }
}

/** Writes big-endian fields; a value that does not fit is HandshakeError `malformed`. */
export class FieldWriter {
  readonly #parts: Uint8Array[] = [];

  u8(value: number): this {
    requireInteger(value, 0xff);
    return this.#push(Uint8Array.of(value));
  }

  u16(value: number): this {
    requireInteger(value, 0xffff);
    return this.#push(Uint8Array.of(value >>> 8, value & 0xff));
  }

  u32(value: number): this {
    requireInteger(value, U32_VALUES - 1);
    return this.#push(Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff));
  }

  u64(value: number): this {
    requireInteger(value, Number.MAX_SAFE_INTEGER);
    return this.u32(Math.floor(value / U32_VALUES)).u32(value % U32_VALUES);
  }

  bytes(value: Uint8Array, length: number): this {
    if (value.length !== length) throw malformed(`a field of ${length} bytes has ${value.length}`);
    return this.#push(value);
  }

  /** Bytes whose length stands before them, written by the caller. */
  raw(value: Uint8Array): this {
    return this.#push(value);
  }

  finish(): Uint8Array {
    return concat(...this.#parts);
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    return this;
  }
}
