import { isIPv6 } from 'node:net';
import { Duplex } from 'node:stream';

/** What is handed over at once; also how much either side holds before its reader has to ask. */
const CHUNK_BYTES = 256 * 1024;

/** Both ends of a visitor's connection. */
export interface VisitorEnds {
  readonly address: string;
  readonly port: number;
  /** The server's address that the visitor connected to; empty if it is not known. */
  readonly destination: string;
  readonly destinationPort: number;
}

/**
 * When an end that is destroyed before it was ended resets the connection: always, for an error, or only where something that
 * was written would be lost. Else the other end reads what was written, and an end.
 */
type ResetOn = 'destroy' | 'error' | 'loss';

/**
 * A visitor's connection inside this process: a Duplex with the methods of a `net.Socket` that servers such as `node:http`
 * call. Half-open as TCP is: `end` ends one direction. `destroy` closes it as a socket is closed, and resets it where something
 * written would be lost, so that the visitor never takes that for complete; for a function that serves visitors,
 * `destroy(error)` resets it, too. A visitor's reset comes as the error `ECONNRESET` once what came before it was read; it may
 * be left unheard. Other than with most streams, `for await` destroys nothing: what was read to its end can still be answered.
 */
export class VisitorSocket extends Duplex {
  /** The visitor's address. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: 'IPv4' | 'IPv6';
  /** The server's address that the visitor connected to; empty where it is not known. */
  readonly localAddress: string;
  /** The public port. */
  readonly localPort: number;
  readonly connecting = false;
  /** Bytes that came from the other end so far. */
  bytesRead = 0;
  /** Bytes that the other end took so far. */
  bytesWritten = 0;
  /** As `setTimeout` set it, in ms. */
  timeout = 0;
  readonly #resetOn: ResetOn;
  #other: VisitorSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReset = false;
  #resetCode: string | undefined;
  /** The other end reset the connection: an error once everything is read that came before. */
  #isErrorDue = false;
  #errorCode: string | undefined;
  /** What was written and waits until the other end's reader asks for more. */
  #held: (() => void) | undefined;

  private constructor(visitor: VisitorEnds, allowHalfOpen: boolean, resetOn: ResetOn) {
    super({ allowHalfOpen, readableHighWaterMark: CHUNK_BYTES, writableHighWaterMark: CHUNK_BYTES });
    this.#resetOn = resetOn;
    this.remoteAddress = visitor.address;
    this.remotePort = visitor.port;
    this.remoteFamily = isIPv6(visitor.address) ? 'IPv6' : 'IPv4';
    this.localAddress = visitor.destination;
    this.localPort = visitor.destinationPort;
  }

  /** Both ends of a connection: the tunnel's, and that of the program which serves it. */
  static pair(
    visitor: VisitorEnds,
    { allowHalfOpen, resetOn }: { readonly allowHalfOpen: boolean; readonly resetOn: ResetOn },
  ): { readonly tunnel: VisitorSocket; readonly program: VisitorSocket } {
    const tunnel = new VisitorSocket(visitor, true, 'destroy');
    const program = new VisitorSocket(visitor, allowHalfOpen, resetOn);
    tunnel.#other = program;
    program.#other = tunnel;
    // A visitor's reset must not end a program that did not listen for it.
    program.on('error', () => {});
    return { tunnel, program };
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    const { localAddress: address, localPort: port } = this;
    return { address, family: isIPv6(address) ? 'IPv6' : 'IPv4', port };
  }

  /** As a `net.Socket`: emits `timeout` when nothing moved for so long, in ms, and does nothing else. 0 turns it off. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer);
    this.timeout = timeoutMs;
    const isOn = timeoutMs > 0 && !this.destroyed;
    this.#timer = isOn ? setTimeout(() => this.emit('timeout'), timeoutMs).unref() : undefined;
    if (onTimeout && isOn) this.once('timeout', onTimeout);
    else if (onTimeout) this.off('timeout', onTimeout);
    return this;
  }

  /** Does nothing: what is written goes out at once. */
  setNoDelay(): this {
    return this;
  }

  /** Does nothing: the tunnel notices dead links by itself. */
  setKeepAlive(): this {
    return this;
  }

  /** Does nothing: the tunnel keeps the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing, as `ref`. */
  unref(): this {
    return this;
  }

  /** Ends, and destroys once all that was written is on its way. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Resets the connection. `code` is the `resetCode` of the error at the other end. */
  resetAndDestroy(code?: string): this {
    this.#isReset = true;
    this.#resetCode = code;
    return this.destroy();
  }

  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    return this.iterator({ destroyOnReturn: false });
  }

  /** Whether it was destroyed because the visitor left. */
  get wasLeft(): boolean {
    const { code } = (this.errored ?? {}) as NodeJS.ErrnoException;
    return code === 'ECONNRESET' || code === 'EPIPE';
  }

  override read(size?: number): ReturnType<Duplex['read']> {
    const chunk: unknown = super.read(size);
    if (this.#isErrorDue && this.readableLength === 0) process.nextTick(() => this.#failReading());
    return chunk;
  }

  override _read(): void {
    const other = this.#other;
    if (other) other.#goOn();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, taken: (error?: Error) => void): void {
    if (this.#other?.destroyed === false) this.#give(chunk, taken);
    else taken(systemError('write', 'EPIPE'));
  }

  /** All at once: `node:http2` writes each frame and its head by itself. */
  override _writev(chunks: { readonly chunk: Buffer }[], taken: (error?: Error) => void): void {
    const [only] = chunks;
    if (chunks.length === 1 && only) this._write(only.chunk, 'buffer' as BufferEncoding, taken);
    else this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer' as BufferEncoding, taken);
  }

  /** Once the other end has read all: nothing is lost by a `destroy` that follows. */
  override _final(done: () => void): void {
    const other = this.#other;
    if (!other || other.destroyed) {
      done();
      return;
    }
    const settle = (): void => {
      other.off('end', settle).off('close', settle);
      done();
    };
    other.once('end', settle).once('close', settle);
    other.#endReading();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const other = this.#other;
    // Asynchronously: whoever destroys one end does not expect the other to act before it returns.
    const isReset = this.#isReset || (!this.writableFinished && this.#isResetBy(error));
    if (other) process.nextTick(() => other.#otherIsGone(isReset, this.#resetCode));
    done(error);
  }

  #isResetBy(error: Error | null): boolean {
    if (this.#resetOn === 'destroy' || this.writableLength > 0) return true;
    return this.#resetOn === 'error' && error !== null;
  }

  /** Copies: whoever wrote it may use it again after `taken`, and the reader may keep what it gets. */
  #give(data: Uint8Array, taken: () => void): void {
    const other = this.#other;
    for (let start = 0; start < data.length; start += CHUNK_BYTES) {
      if (!other || other.destroyed) break;
      const part = Buffer.from(data.subarray(start, start + CHUNK_BYTES));
      this.bytesWritten += part.length;
      other.bytesRead += part.length;
      this.#moved();
      other.#moved();
      if (other.push(part)) continue;
      const rest = data.subarray(start + CHUNK_BYTES);
      this.#held = () => this.#give(rest, taken);
      return;
    }
    taken();
  }

  /** What is written to it now is dropped or fails, as with a socket that the other side has closed. */
  #otherIsGone(isReset: boolean, code: string | undefined): void {
    if (this.destroyed) return;
    if (isReset) {
      this.#isErrorDue = true;
      this.#errorCode = code;
      if (this.readableLength === 0) this.#failReading();
      return;
    }
    this.#goOn();
    this.#endReading();
  }

  #failReading(): void {
    this.destroy(Object.assign(systemError('read', 'ECONNRESET'), { resetCode: this.#errorCode }));
  }

  #endReading(): void {
    this.push(null);
    // Where nothing is left to read, the end comes without anyone reading, as that of a socket does.
    this.read(0);
  }

  #goOn(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  #moved(): void {
    this.#timer?.refresh();
  }
}

function systemError(syscall: string, code: 'EPIPE' | 'ECONNRESET'): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
