import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Condition, defaultTimeoutMs } from './condition.ts';

/** A local service to tunnel to. */
export interface Service extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections accepted since the start. */
  readonly connectionCount: number;
  readonly openConnectionCount: number;
  /** Resolves once `count` connections were accepted since the start. */
  waitForConnection(count: number, timeoutMs?: number): Promise<void>;
  /** Resolves once no more than `count` connections are open. */
  waitForOpenConnections(count: number, timeoutMs?: number): Promise<void>;
  /** Resets (RST) all open connections. */
  resetAll(): void;
  /** Destroys all connections, stops listening, and resolves when nothing is open. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: a free one. Give the port of a closed service to bring it back. */
  readonly port?: number;
}

/** What came in on one connection. */
export interface Received {
  readonly bytes: number;
  /** SHA-256 of all that was received, in hex. */
  readonly sha256: string;
  /** Whether the stream ended cleanly or was reset. */
  readonly ending: 'end' | 'reset';
}

/** A listening server together with all of its connections, and what was received on them. */
export class TcpService implements Service {
  readonly condition: Condition = new Condition(
    () => `the service accepted ${this.connectionCount} connections, ${this.#sockets.size} are open`,
  );
  readonly host: string;
  readonly port: number;
  #connectionCount = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.#server = server;
    this.host = address;
    this.port = port;
    server.on('connection', (socket: Socket) => {
      this.#connectionCount++;
      this.#sockets.add(socket);
      // Resets are what tests are about; without a listener one would end the process.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.condition.changed();
      });
      this.condition.changed();
    });
  }

  /** Serves `server` (of `node:net`, or `node:http` with its own listeners). */
  static async start(server: Server, options: ServiceOptions): Promise<TcpService> {
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(server, 'listening');
    return new TcpService(server);
  }

  /** Calls `serve` for every connection, half-open ones too. */
  static async listen(options: ServiceOptions, serve: (socket: Socket) => void): Promise<TcpService> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const service = await TcpService.start(server, options);
    server.on('connection', serve);
    return service;
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  get openConnectionCount(): number {
    return this.#sockets.size;
  }

  waitForConnection(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.condition.until(`connection ${count}`, () => this.#connectionCount >= count, timeoutMs);
  }

  waitForOpenConnections(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.condition.until(`${count} open connections`, () => this.#sockets.size <= count, timeoutMs);
  }

  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, 'close');
      this.#server.close();
      for (const socket of this.#sockets) socket.destroy();
      await closed;
    }
    this.condition.close('the service was closed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Reads a connection to its end, and calls `done` once. */
export function receiveAll(socket: Socket, done: (received: Received) => void): void {
  const hash = createHash('sha256');
  let bytes = 0;
  let isDone = false;
  const finish = (ending: Received['ending']): void => {
    if (isDone) return;
    isDone = true;
    done({ bytes, sha256: hash.digest('hex'), ending });
  };
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  socket.on('end', () => finish('end'));
  socket.on('close', () => finish('reset'));
}
