import type { Writable } from 'node:stream';

/** What waits for a reader that does not read, at most. Beyond it whole lines are dropped, and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Writes lines to stdout or stderr. A reader that went away ends nothing: `tunnel local 3000 | head -1` reads the address
 * and leaves, and the tunnel is still wanted. A reader that does not read costs neither memory without end nor time.
 */
export class LineWriter {
  readonly #stream: Writable;
  #isBroken = false;
  #dropped = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
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
    if (this.#isBroken) return;
    if (this.#stream.writableLength > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#stream.write(`${line}\n`);
  }

  /** Lines that were dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
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
}
