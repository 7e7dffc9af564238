import { seededRandom } from './random.ts';

/**
 * The content of a pattern stream repeats after this many bytes: the first prime above 1 MiB, so that no loss or
 * repetition of whole chunks, records or windows (powers of two) ever lands on equal content.
 */
const periodBytes = 1_048_583;

/** One period twice over, so that a slice of up to a period never wraps around and needs no copy. */
const blocks = new Map<number, Buffer>();

function blockOf(seed: number): Buffer {
  let block = blocks.get(seed);
  if (block === undefined) {
    const random = seededRandom(seed);
    const words = new Uint32Array(Math.ceil(periodBytes / 4));
    for (let index = 0; index < words.length; index++) words[index] = random() * 4294967296;
    const period = Buffer.from(words.buffer, 0, periodBytes);
    block = Buffer.concat([period, period]);
    blocks.set(seed, block);
  }
  return block;
}

/**
 * The bytes from `offset` on of the endless pseudo-random stream that belongs to `seed`. Up to 1 MiB it is a view of
 * shared memory: do not write into it.
 */
export function patternBytes(seed: number, offset: number, length: number): Buffer {
  const block = blockOf(seed);
  const start = offset % periodBytes;
  if (length <= periodBytes) return block.subarray(start, start + length);
  const bytes = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; filled += periodBytes) {
    block.copy(bytes, filled, start, start + Math.min(periodBytes, length - filled));
  }
  return bytes;
}

/** Bytes compared to find out which part of the stream a wrong chunk is. */
const fingerprintBytes = 16;

/** Verifies a stream against `patternBytes(seed, offset, …)`, chunk by chunk, and remembers the first wrong byte. */
export class PatternChecker {
  readonly seed: number;
  readonly #block: Buffer;
  #offset: number;
  #firstWrongOffset: number | undefined;
  #problem: string | undefined;

  constructor(seed: number, offset = 0) {
    this.seed = seed;
    this.#block = blockOf(seed);
    this.#offset = offset;
  }

  /** Where in the stream the next chunk begins, in bytes: what came so far, right or wrong. */
  get offset(): number {
    return this.#offset;
  }

  get firstWrongOffset(): number | undefined {
    return this.#firstWrongOffset;
  }

  /** What is wrong, in a sentence; `undefined` while everything was right. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Takes the next chunk of the stream; `false` as soon as a byte of it, or of an earlier one, was wrong. */
  update(chunk: Uint8Array): boolean {
    for (let position = 0; position < chunk.length && this.#problem === undefined; position += periodBytes) {
      const part = chunk.subarray(position, position + periodBytes);
      const start = (this.#offset + position) % periodBytes;
      if (this.#block.compare(part, 0, part.length, start, start + part.length) !== 0) {
        this.#remember(part, start, this.#offset + position);
      }
    }
    this.#offset += chunk.length;
    return this.#problem === undefined;
  }

  /** Throws unless the stream was right and exactly `length` bytes long, counted from offset 0. */
  expectEnd(length: number): void {
    if (this.#problem !== undefined) throw new Error(this.#problem);
    if (this.#offset !== length) {
      throw new Error(`the stream ended after ${this.#offset} bytes, not after ${length}; all of them were right`);
    }
  }

  #remember(part: Uint8Array, start: number, offset: number): void {
    let index = 0;
    while (part[index] === this.#block[start + index]) index++;
    this.#firstWrongOffset = offset + index;
    this.#problem = `wrong byte at offset ${offset + index}: ${this.#guess(part.subarray(index), start + index)}`;
  }

  /** Lost and repeated bytes are the failures worth telling apart: what came is then another part of the stream. */
  #guess(rest: Uint8Array, start: number): string {
    const sample = rest.subarray(0, fingerprintBytes);
    const found = sample.length < fingerprintBytes ? -1 : this.#block.indexOf(sample);
    if (found === -1) {
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
      return `got ${hex(sample)}, not ${hex(this.#block.subarray(start, start + sample.length))}`;
    }
    const skipped = (found - (start % periodBytes) + periodBytes) % periodBytes;
    return skipped <= periodBytes / 2 ? `${skipped} bytes are missing` : `${periodBytes - skipped} bytes came again`;
  }
}
