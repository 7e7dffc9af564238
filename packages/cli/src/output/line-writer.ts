import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** What waits for a reader that does not read, at most. Beyond it whole lines are dropped, and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Writes lines to stdout or stderr. A reader that went away ends nothing: `tunnel local 3000 | head -1` reads the address
 * and leaves, and the tunnel is still wanted. A reader that does not read costs neither memory without end nor time. Nor does a
 * full disk: what it has no room for is dropped, and the lines that come when it has room again are written.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #file: number | undefined;
  /** What a file has yet to get of a line that it has the beginning of. */
  #rest: Uint8Array = new Uint8Array();
  #isBroken = false;
  #dropped = 0;

  /** `file`: the descriptor, where that is a file. Node's own stream for a file is over with its first failure. */
  constructor(stream: Writable, file?: number) {
    this.#stream = stream;
    this.#file = file;
    // EPIPE, and EIO from a terminal that is gone. Without a listener it would end the process with a stack.
    stream.on('error', () => {
      this.#isBroken = true;
    });
  }

  /** Nobody reads any more. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** `line` comes without its end. */
  write(line: string): void {
    if (!this.offer(line)) this.#dropped += 1;
  }

  /** As `write`, but a line that there is no room for is not counted: returns false. */
  offer(line: string): boolean {
    if (this.#isBroken) return true;
    if (this.#file !== undefined) return this.#offerToFile(this.#file, `${line}\n`);
    if (this.#stream.writableLength > MAX_WAITING_BYTES) return false;
    this.#stream.write(`${line}\n`);
    return true;
  }

  /** Lines that were dropped, since somebody was told of them. */
  get dropped(): number {
    return this.#dropped;
  }

  droppedWereTold(): void {
    this.#dropped = 0;
  }

  /** Resolves once all is written, nobody reads any more, or after `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#isBroken || this.#stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#stream.write('', done);
      this.#stream.once('error', done);
    });
  }

  /** A line that was begun is taken: its end goes out in front of the next one. */
  #offerToFile(file: number, line: string): boolean {
    this.#rest = writeWhatFits(file, this.#rest);
    if (this.#rest.length > 0) return false;
    const bytes = Buffer.from(line);
    const rest = writeWhatFits(file, bytes);
    if (rest.length === bytes.length) return false;
    this.#rest = rest;
    return true;
  }
}

/** Returns what there was no room for. */
function writeWhatFits(file: number, bytes: Uint8Array): Uint8Array {
  let rest = bytes;
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
  } catch {
    // A full disk, mostly: the next line finds out whether it still is.
  }
  return rest;
}
