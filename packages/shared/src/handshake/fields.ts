import { concat } from '../noise/bytes.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { HandshakeError } from './error.ts';

const UTF8_ENCODER = new TextEncoder();

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

/** Reads the payload of a handshake message; any failure is a HandshakeError `malformed`. */
export function readFields(payload: Uint8Array): ByteReader {
  return new ByteReader(payload, 0, payload.length, (detail, cause) => malformed(detail, { cause }));
}

/** Writes big-endian fields; a value that does not fit is a HandshakeError `malformed`. */
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

  /** Bytes whose length the caller has already written. */
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
