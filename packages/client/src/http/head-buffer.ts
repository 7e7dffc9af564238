/** A head that is longer is not read. */
const MAX_HEAD_BYTES = 65_536;

const FIRST_BYTES = 1_024;
const END = Buffer.from('\r\n\r\n');

/** A head as it was found, and how many of the bytes that were added last are its own. */
interface FoundHead {
  /** Without the empty line at its end; bytes as Latin-1. */
  readonly text: string;
  readonly usedBytes: number;
}

/** Collects the bytes of a head until it is whole. What comes in pieces is copied, since the pieces belong to others. */
export class HeadBuffer {
  #bytes: Buffer | undefined;
  #length = 0;

  /** There is a part of a head. */
  get isBegun(): boolean {
    return this.#length > 0;
  }

  /** Undefined: it is not whole yet. Throws a `RangeError` for one that is too long. */
  add(data: Buffer): FoundHead | undefined {
    if (this.#length === 0) {
      const end = data.indexOf(END);
      if (end !== -1) return found(data.toString('latin1', 0, withinBounds(end)), end + END.length);
      this.#keep(data);
      return undefined;
    }
    const before = this.#length;
    this.#keep(data.subarray(0, MAX_HEAD_BYTES + END.length - before));
    const bytes = this.#bytes?.subarray(0, this.#length) ?? data;
    const end = bytes.indexOf(END, Math.max(0, before - END.length + 1));
    if (end === -1) {
      withinBounds(this.#length);
      return undefined;
    }
    this.clear();
    return found(bytes.toString('latin1', 0, withinBounds(end)), end + END.length - before);
  }

  clear(): void {
    this.#bytes = undefined;
    this.#length = 0;
  }

  #keep(data: Buffer): void {
    const length = withinBounds(this.#length + data.length - END.length) + END.length;
    let bytes = this.#bytes ?? Buffer.allocUnsafe(FIRST_BYTES);
    if (bytes.length < length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * bytes.length));
      bytes.copy(larger, 0, 0, this.#length);
      bytes = larger;
    }
    data.copy(bytes, this.#length);
    this.#bytes = bytes;
    this.#length = length;
  }
}

function found(text: string, usedBytes: number): FoundHead {
  return { text, usedBytes };
}

function withinBounds(bytes: number): number {
  if (bytes > MAX_HEAD_BYTES) throw new RangeError('the head is too long');
  return bytes;
}
