/** A recorded body is kept up to this; of a longer one the beginning. */
export const BODY_LIMIT_BYTES = 256 * 1024;

const NOTHING = new Uint8Array(0);

/** The beginning of something that arrives in pieces. Copies, since the pieces belong to others. */
export class RecordedBytes {
  readonly #limit: number;
  #buffer: Uint8Array = NOTHING;
  #length = 0;
  #totalBytes = 0;

  constructor(limit: number = BODY_LIMIT_BYTES) {
    this.#limit = limit;
  }

  /** Returns by how many bytes the memory that this takes has grown. */
  add(data: Uint8Array): number {
    this.#totalBytes += data.length;
    const kept = data.subarray(0, this.#limit - this.#length);
    if (kept.length === 0) return 0;
    const before = this.#buffer.length;
    const needed = this.#length + kept.length;
    if (needed > before) {
      // Not from Node's pool: a small piece would keep all that shares its slab.
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(needed, 2 * before)));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(kept, this.#length);
    this.#length = needed;
    return this.#buffer.length - before;
  }

  /** Keeps nothing of it any more. */
  drop(): void {
    this.#buffer = NOTHING;
    this.#length = 0;
  }

  /** What was kept. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** All that came, kept or not. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  get isWhole(): boolean {
    return this.#totalBytes === this.#length;
  }
}
