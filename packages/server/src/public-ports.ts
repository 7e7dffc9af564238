import { randomInt } from 'node:crypto';
import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';
import { ephemeralPorts } from './ephemeral-ports.ts';
import type { Leases } from './leases.ts';

/** Free ports are looked for this often at random before the range counts as full. */
const RANDOM_TRIES = 64;

export interface PublicPortsOptions {
  /** Undefined: all addresses. */
  readonly host: string | undefined;
  readonly minPort: number;
  readonly maxPort: number;
  readonly leases: Leases;
  /** Until then a leased port is kept for its client, who may not be back yet after a server start: wall-clock ms. */
  readonly reservedUntil: number;
  readonly onLeased: () => void;
}

/** The tunnel that has a port. */
export interface PortHolder {
  /** Public key, base64url. */
  readonly clientKey: string;
  readonly name: string;
  readonly hasLink: boolean;
  /** Whether the client answers, asked just now. */
  answers(): Promise<boolean>;
  /** The port goes to a newer process of the same client. */
  giveUp(): void;
  onVisitor(socket: Socket): void;
}

/** A public TCP port that is open. */
export interface PublicPort {
  readonly port: number;
  /** Stops listening; visitors that are there stay. */
  close(): void;
}

interface OpenPort extends PublicPort {
  holder: PortHolder;
}

/** Opens public ports within the server's range, and decides who gets one that somebody has. */
export class PublicPorts {
  readonly #options: PublicPortsOptions;
  readonly #open = new Map<number, OpenPort>();
  readonly #ephemeral = ephemeralPorts();

  constructor(options: PublicPortsOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Opens `port`, or any free one for 0. Rejects with `port-not-allowed`, `port-in-use` or `port-unavailable`. */
  open(port: number, holder: PortHolder): Promise<PublicPort> {
    return port === 0 ? this.#openAny(holder) : this.#openThis(port, holder);
  }

  /** The port is the client's from now on: it is steered to it when it comes back. */
  lease({ clientKey, name }: PortHolder, port: number): void {
    this.#options.leases.record(clientKey, name, port, Date.now());
    this.#options.onLeased();
  }

  async #openThis(port: number, holder: PortHolder): Promise<PublicPort> {
    const { minPort, maxPort, leases, reservedUntil } = this.#options;
    if (port < minPort || port > maxPort) {
      throw new TunnelError('port-not-allowed', { detail: `${port}; this server opens ${minPort} to ${maxPort}` });
    }
    const held = this.#open.get(port);
    if (held) return this.#takeOver(held, holder);
    const leasedTo = leases.clientOf(port);
    if (leasedTo !== undefined && leasedTo !== holder.clientKey && Date.now() < reservedUntil) {
      throw new TunnelError('port-in-use', {
        detail: `${port} is kept for the client that had it before the server started`,
      });
    }
    return this.#listen(port, holder);
  }

  /** From another process of the same client, and only where that one does not answer any more. */
  async #takeOver(held: OpenPort, holder: PortHolder): Promise<PublicPort> {
    const { holder: before, port } = held;
    if (before.clientKey !== holder.clientKey)
      throw new TunnelError('port-in-use', { detail: `${port}, by another client` });
    if (before.hasLink && (await before.answers())) {
      throw new TunnelError('port-in-use', { detail: `${port}, by another process with this client's key` });
    }
    if (held.holder !== before || this.#open.get(port) !== held) return this.#openThis(port, holder);
    held.holder = holder;
    before.giveUp();
    return held;
  }

  async #openAny(holder: PortHolder): Promise<PublicPort> {
    const { minPort, maxPort, leases } = this.#options;
    const leased = leases.portOf(holder.clientKey, holder.name);
    for (let tries = 0; tries <= RANDOM_TRIES; tries += 1) {
      const port = tries === 0 ? leased : randomInt(minPort, maxPort + 1);
      if (port === undefined || port < minPort || port > maxPort || this.#open.has(port)) continue;
      if (tries > 0 && tries < RANDOM_TRIES / 2 && this.#isSecondChoice(port)) continue;
      try {
        return await this.#listen(port, holder);
      } catch (error) {
        if (!(error instanceof TunnelError) || error.code !== 'port-in-use') throw error;
      }
    }
    throw new TunnelError('port-unavailable', { detail: `no free port from ${minPort} to ${maxPort}` });
  }

  /** Ports that another client had, or that could be gone after a restart, only where there is little choice. */
  #isSecondChoice(port: number): boolean {
    const { first, last } = this.#ephemeral;
    return (port >= first && port <= last) || this.#options.leases.clientOf(port) !== undefined;
  }

  #listen(port: number, holder: PortHolder): Promise<PublicPort> {
    return new Promise((resolve, reject) => {
      const server: TcpServer = createServer({ allowHalfOpen: true }, (socket) => open.holder.onVisitor(socket));
      const open: OpenPort = {
        port,
        holder,
        close: () => {
          if (this.#open.get(port) === open) this.#open.delete(port);
          server.close();
        },
      };
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const isTaken = cause.code === 'EADDRINUSE';
        const reason = isTaken ? "by another program on the server's machine" : describeSystemError(cause);
        reject(new TunnelError(isTaken ? 'port-in-use' : 'port-unavailable', { detail: `${port}, ${reason}`, cause }));
      });
      server.listen({ port, host: this.#options.host, backlog: 1024 }, () => {
        // A listener that fails later (out of file descriptors) goes on with the next visitor.
        server.removeAllListeners('error').on('error', () => {});
        this.#open.set(port, open);
        resolve(open);
      });
    });
  }
}
