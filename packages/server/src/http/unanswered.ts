import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Entry {
  count: number;
  next?: () => void;
}

/** How many requests of each connection wait for their answers. */
export class Unanswered {
  readonly #bySocket = new WeakMap<Socket, Entry>();

  add(socket: Socket, response: ServerResponse): void {
    const entry = this.#bySocket.get(socket) ?? { count: 0 };
    this.#bySocket.set(socket, entry);
    entry.count += 1;
    response.once('close', () => {
      entry.count -= 1;
      if (entry.count === 0) entry.next?.();
    });
  }

  /** Calls `run` once, and not if the connection ends before: there is no other call for it meanwhile, since nobody reads it. */
  whenNone(socket: Socket, run: () => void): void {
    const entry = this.#bySocket.get(socket);
    if (entry === undefined || entry.count === 0) {
      run();
      return;
    }
    entry.next = () => {
      delete entry.next;
      if (socket.writable) run();
    };
  }
}
