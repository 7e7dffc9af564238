import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { READ_BUFFER } from './commands.ts';

/** Connects to a loopback port, and hands all that comes, in one buffer that is used again, to `onBytes`. */
export function visit(port: number, onBytes: (bytes: Buffer) => void): Socket {
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: READ_BUFFER,
      callback: (length) => {
        onBytes(READ_BUFFER.subarray(0, length));
        return true;
      },
    },
  });
  socket.resume();
  return socket;
}

/** Resolves once the socket is closed, however it came to that. */
export async function gone(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

/** A visitor who asks and waits for the answer. A connection that breaks meanwhile is an error: the figure is worth nothing. */
export class Visit {
  readonly socket: Socket;
  #missingBytes = 0;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(port: number) {
    this.socket = visit(port, (bytes) => {
      this.#missingBytes -= bytes.length;
      if (this.#missingBytes <= 0) this.#resolve();
    });
    this.socket.on('error', (error) => this.#reject(error));
    this.socket.on('close', () => this.#reject(new Error('the connection was closed')));
  }

  async connected(): Promise<void> {
    await once(this.socket, 'connect');
  }

  /** Resolves when `answerBytes` have come back. */
  ask(question: Buffer, answerBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#missingBytes = answerBytes;
      this.#resolve = resolve;
      this.#reject = reject;
      this.socket.write(question);
    });
  }

  async close(): Promise<void> {
    this.#reject = () => {};
    this.socket.destroy();
    await gone(this.socket);
  }
}
