import { TunnelError } from '../errors/errors.ts';

// A byte order mark is a character like any other: without `ignoreBOM` it would vanish.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads big-endian fields, one after another, out of untrusted bytes. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset: number;
  readonly #end: number;
  readonly #malformed: (detail: string, cause?: unknown) => Error;

  /** What is wrong is thrown as what `asError` makes of it: by default a `protocol-error`. */
  constructor(
    bytes: Uint8Array,
    offset = 0,
    end: number = bytes.length,
    asError: (detail: string, cause?: unknown) => Error = malformed,
  ) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
    this.#malformed = asError;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u32(): number {
    return this.#u32At(this.#take(4));
  }

  /** A 64-bit number that fits into 53 bits, as all counters of this protocol do. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#u32At(at);
    if (high > 0x1fffff) throw this.#malformed('a number is beyond 2^53');
    return high * 0x1_0000_0000 + this.#u32At(at + 4);
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Text whose length in bytes is given by the field before it. */
  text(length: number): string {
    const view = this.bytes(length);
    try {
      return utf8.decode(view);
    } catch (cause) {
      throw this.#malformed('text is not UTF-8', cause);
    }
  }

  #take(length: number): number {
    const at = this.#offset;
    if (at + length > this.#end) throw this.#malformed('a field is cut off');
    this.#offset = at + length;
    return at;
  }

  #u32At(at: number): number {
    const b = this.#bytes;
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
  }
}

/** What arrived cannot have been sent by a program that keeps to the protocol. */
export function malformed(detail: string, cause?: unknown): TunnelError {
  return new TunnelError('protocol-error', { detail, cause });
}
