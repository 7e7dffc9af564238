import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** The most output to queue for a reader that does not read. Beyond it whole lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Writes lines to stdout or stderr. A reader that has gone away does not end the program: `tunnel local 3000 | head -1`
 * reads the address and exits, but the tunnel is still wanted. A reader that does not read costs neither unbounded
 * memory nor time. Nor does a full disk: lines without room are dropped, and writing resumes once there is room again.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #file: number | undefined;
  /** The rest of a line whose beginning is already in the file. */
  #rest: Uint8Array = new Uint8Array();
  #isBroken = false;
  #dropped = 0;

  /** `file`: the descriptor, if it is a file. Node's own stream for a file is unusable after its first failure. */
  constructor(stream: Writable, file?: number) {
    this.#stream = stream;
    this.#file = file;
    // EPIPE, or EIO if the terminal is gone. Without a listener this would end the process with a stack trace.
    stream.on('error', () => {
      this.#isBroken = true;
    });
  }

  /** The reader is gone. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** `line` comes without a line end. */
  write(line: string): void {
    if (!this.offer(line)) this.#dropped += 1;
  }

  /** As `write`, but if there is no room the line is not counted and the result is false. */
  offer(line: string): boolean {
    if (this.#isBroken) return true;
    if (this.#file !== undefined) return this.#offerToFile(this.#file, `${line}\n`);
    if (this.#stream.writableLength > MAX_WAITING_BYTES) return false;
    this.#stream.write(`${line}\n`);
    return true;
  }

  /** Lines dropped since that was last reported. */
  get dropped(): number {
    return this.#dropped;
  }

  droppedWereTold(): void {
    this.#dropped = 0;
  }

  /** Resolves once everything is written, the reader is gone, or `timeoutMs` has passed. */
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

  /** A partly written line counts as accepted: its rest goes out before the next one. */
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

/** Returns the part that did not fit. */
function writeWhatFits(file: number, bytes: Uint8Array): Uint8Array {
  let rest = bytes;
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
  } catch {
    // A full disk, usually: the next line finds out whether it still is.
  }
  return rest;
}
