import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, monotonicNow, randomBytes } from '@tunnel/shared/node';
import { formatTarget } from '../values/target.ts';
import { median } from './latency.ts';

const PING_BYTES = 64;
const PINGS = 5;
const BULK_BYTES = 128 * 1024;

export interface VisitorOptions {
  readonly host: string;
  readonly port: number;
  /** The token that the echo expects first. */
  readonly token: Uint8Array;
  readonly signal: AbortSignal;
  /** Time without progress. */
  readonly timeoutMs: number;
}

/**
 * A visitor of the doctor's own echo. Fails with `public-port-unreachable` if it cannot connect to the port, with
 * `public-way-failed` if the bytes do not come back intact.
 */
export class EchoVisitor implements Disposable {
  readonly #socket: Socket;
  readonly #incoming: AsyncIterator<Buffer>;
  readonly #address: string;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.#address = address;
    this.#incoming = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  static async connect({ host, port, token, signal, timeoutMs }: VisitorOptions): Promise<EchoVisitor> {
    const address = formatTarget({ host, port });
    const socket = connect({ host, port, autoSelectFamily: true, allowHalfOpen: true, noDelay: true, signal });
    socket.setTimeout(timeoutMs, () => {
      socket.destroy(new TunnelError('public-way-failed', { detail: `${address}, nothing came for ${timeoutMs} ms` }));
    });
    try {
      await once(socket, 'connect');
    } catch (error) {
      const reason = error instanceof TunnelError ? `no answer within ${timeoutMs} ms` : describeSystemError(error);
      throw new TunnelError('public-port-unreachable', { detail: `${address}, ${reason}`, cause: error });
    }
    const visitor = new EchoVisitor(socket, address);
    try {
      await visitor.#exchange(token);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return visitor;
  }

  /** The median of several round trips of a few bytes, in ms. */
  async roundTripMs(): Promise<number> {
    const times: number[] = [];
    for (let count = 0; count < PINGS; count += 1) times.push(await this.#exchange(randomBytes(PING_BYTES)));
    return median(times);
  }

  /** Sends enough to fill several windows and records, then the end, which must come back after it. */
  async bulk(): Promise<{ readonly bytes: number; readonly elapsedMs: number }> {
    const bytes = randomBytes(BULK_BYTES);
    const elapsedMs = await this.#exchange(bytes);
    this.#socket.end();
    if (!(await this.#next()).done) throw this.#failed('more came back than was sent');
    return { bytes: bytes.length, elapsedMs };
  }

  /** For a period in which nothing is expected. */
  setTimeout(timeoutMs: number): void {
    this.#socket.setTimeout(timeoutMs);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #exchange(bytes: Uint8Array): Promise<number> {
    const began = monotonicNow();
    this.#socket.write(bytes);
    for (let received = 0; received < bytes.length;) {
      const { value, done } = await this.#next();
      if (done === true) throw this.#failed('the connection ended before all bytes were back');
      if (!value.equals(bytes.subarray(received, received + value.length))) {
        throw this.#failed('other bytes came back than were sent');
      }
      received += value.length;
    }
    return monotonicNow() - began;
  }

  async #next(): Promise<IteratorResult<Buffer, unknown>> {
    try {
      return await this.#incoming.next();
    } catch (error) {
      if (error instanceof TunnelError) throw error;
      throw this.#failed(describeSystemError(error), error);
    }
  }

  #failed(reason: string, cause?: unknown): TunnelError {
    return new TunnelError('public-way-failed', { detail: `${this.#address}, ${reason}`, cause });
  }
}
