import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TunnelError } from '@tunnel/shared';

/** The longest that a timer of Node's can be set for, in ms. */
const GREATEST_TIMEOUT_MS = 2 ** 31 - 1;

type IdleSocket = Duplex & Pick<Socket, 'bytesRead' | 'bytesWritten'> & { setTimeout(timeoutMs: number): unknown };

export interface IdleConnection {
  readonly socket: IdleSocket;
  /** Whether the link lives, asked just now. */
  readonly answers: () => Promise<boolean>;
  readonly end: () => void;
}

/** Ends connections to a local service on which nothing moved for too long. Time without a link does not count. */
export class IdleTimeout {
  readonly #timeoutMs: number;
  readonly #sockets = new Set<IdleSocket>();
  /** Counts links. */
  #epoch = 0;

  /** Throws a `usage` error for a time that cannot be. */
  constructor(timeoutMs: number) {
    if (!(timeoutMs > 0 && timeoutMs <= GREATEST_TIMEOUT_MS)) {
      throw new TunnelError('usage', { detail: `an idle timeout of ${timeoutMs} ms is not possible` });
    }
    this.#timeoutMs = timeoutMs;
  }

  /** It watches no connection. */
  get isUnused(): boolean {
    return this.#sockets.size === 0;
  }

  watch(connection: IdleConnection): void {
    const { socket } = connection;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('timeout', () => void this.#onTimeout(connection));
    // Node arms it anew with everything that moves.
    socket.setTimeout(this.#timeoutMs);
  }

  /** There is a link again: the time begins anew. */
  restart(): void {
    this.#epoch += 1;
    for (const socket of this.#sockets) socket.setTimeout(this.#timeoutMs);
  }

  async #onTimeout({ socket, answers, end }: IdleConnection): Promise<void> {
    const epoch = this.#epoch;
    const movedBytes = socket.bytesRead + socket.bytesWritten;
    // Without a link nothing could move. And what came while this process stood still comes before the answer.
    const isIdle = (await answers()) && epoch === this.#epoch && movedBytes === socket.bytesRead + socket.bytesWritten;
    if (socket.destroyed) return;
    if (isIdle) end();
    else socket.setTimeout(this.#timeoutMs);
  }
}
