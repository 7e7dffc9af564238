import { randomInt } from 'node:crypto';
import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';

/** Free ports are looked for this often at random before the range counts as full. */
const RANDOM_TRIES = 64;

export interface PublicPortsOptions {
  /** Undefined: all addresses. */
  readonly host: string | undefined;
  readonly minPort: number;
  readonly maxPort: number;
}

/** A public TCP port that is open. */
export interface PublicPort {
  readonly port: number;
  /** Stops listening; visitors that are there stay. */
  close(): void;
}

/** Opens public ports within the server's range. */
export class PublicPorts {
  readonly #options: PublicPortsOptions;

  constructor(options: PublicPortsOptions) {
    this.#options = options;
  }

  /** Opens `port`, or any free one for 0. Rejects with `port-not-allowed`, `port-in-use` or `port-unavailable`. */
  async open(port: number, onVisitor: (socket: Socket) => void): Promise<PublicPort> {
    const { minPort, maxPort } = this.#options;
    if (port !== 0) {
      if (port < minPort || port > maxPort) {
        throw new TunnelError('port-not-allowed', { detail: `${port}; this server opens ${minPort} to ${maxPort}` });
      }
      return await this.#listen(port, onVisitor);
    }
    for (let tries = 0; tries < RANDOM_TRIES; tries += 1) {
      try {
        return await this.#listen(randomInt(minPort, maxPort + 1), onVisitor);
      } catch (error) {
        if (!(error instanceof TunnelError) || error.code !== 'port-in-use') throw error;
      }
    }
    throw new TunnelError('port-unavailable', { detail: `no free port from ${minPort} to ${maxPort}` });
  }

  #listen(port: number, onVisitor: (socket: Socket) => void): Promise<PublicPort> {
    return new Promise((resolve, reject) => {
      const server: TcpServer = createServer({ allowHalfOpen: true, noDelay: true }, onVisitor);
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'port-in-use' : 'port-unavailable';
        reject(new TunnelError(code, { detail: `${port} (${cause.code ?? cause.message})`, cause }));
      });
      server.listen({ port, host: this.#options.host, backlog: 1024 }, () => {
        // A listener that fails later (out of file descriptors) goes on with the next visitor.
        server.removeAllListeners('error').on('error', () => {});
        resolve({ port, close: () => void server.close() });
      });
    });
  }
}
