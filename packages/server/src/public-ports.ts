import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, monotonicNow } from '@tunnel/shared/node';
import type { Access } from './access.ts';
import { ephemeralPorts } from './ephemeral-ports.ts';
import type { Leases } from './leases.ts';
import type { Peer } from './peer.ts';
import type { PeerReader } from './peer-reader.ts';
import { clipRanges, drawPorts, formatRanges, includesPort, mergeRanges, type PortRange } from './port-ranges.ts';

/** So many ports are tried at random before a range counts as full; all of them, where it has no more. */
const RANDOM_TRIES = 64;

export interface PublicPortsOptions {
  /** Undefined: all addresses. */
  readonly host: string | undefined;
  /** The ports that are opened at all. */
  readonly bounds: PortRange;
  readonly access: Access;
  readonly leases: Leases;
  /** Until then a leased port is kept for its client, who may not be back yet after a server start: monotonic ms. */
  readonly reservedUntil: number;
  readonly onLeased: () => void;
  readonly peers: PeerReader;
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
  onVisitor(socket: Socket, visitor: Peer): void;
  /** A connection came to nothing: its load balancer did not say who it is. */
  onUnusable(): void;
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
  /** Ports that are being opened, by the client's key. */
  readonly #opening = new Map<string, number>();
  readonly #ephemeral = ephemeralPorts();

  constructor(options: PublicPortsOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Opens `port`, or any free one for 0. Rejects with `port-not-allowed`, `port-in-use`, `port-unavailable` or `tunnel-limit`. */
  async open(port: number, holder: PortHolder): Promise<PublicPort> {
    const { clientKey } = holder;
    // Counted at once: requests come in rows.
    this.#opening.set(clientKey, this.#openingOf(clientKey) + 1);
    try {
      await this.#requireRoom(clientKey);
      return await (port === 0 ? this.#openAny(holder) : this.#openThis(port, holder));
    } finally {
      const rest = this.#openingOf(clientKey) - 1;
      if (rest === 0) this.#opening.delete(clientKey);
      else this.#opening.set(clientKey, rest);
    }
  }

  /** Whether this client may have this port at all. */
  permits(port: number, clientKey: string): boolean {
    const { bounds, access } = this.#options;
    const entry = access.entryOf(clientKey);
    if (entry?.reserved.includes(port)) return true;
    return (
      includesPort(clipRanges(entry?.ports ?? [bounds], bounds), port) && !access.isReservedFromOthers(port, clientKey)
    );
  }

  /** The port is the client's from now on: it is steered to it when it comes back. */
  lease({ clientKey, name }: PortHolder, port: number): void {
    this.#options.leases.record(clientKey, name, port, Date.now());
    this.#options.onLeased();
  }

  #openingOf(clientKey: string): number {
    return this.#opening.get(clientKey) ?? 0;
  }

  /** The client's tunnels are within its limit. Those of its processes that do not answer any more make room. */
  async #requireRoom(clientKey: string): Promise<void> {
    const limit = this.#options.access.entryOf(clientKey)?.tunnels;
    if (limit === undefined) return;
    const own = (): OpenPort[] => [...this.#open.values()].filter(({ holder }) => holder.clientKey === clientKey);
    const surplus = (): number => own().length + this.#openingOf(clientKey) - limit;
    if (surplus() <= 0) return;
    const asked = await Promise.all(
      own().map(async (open) => ({ open, answers: open.holder.hasLink && (await open.holder.answers()) })),
    );
    for (const { open, answers } of asked) {
      if (answers || surplus() <= 0 || this.#open.get(open.port) !== open) continue;
      open.close();
      open.holder.giveUp();
    }
    if (surplus() > 0) throw new TunnelError('tunnel-limit', { detail: `this key may have ${limit} at a time` });
  }

  async #openThis(port: number, holder: PortHolder): Promise<PublicPort> {
    if (!this.permits(port, holder.clientKey)) throw this.#notAllowed(port, holder);
    const held = this.#open.get(port);
    if (held) return this.#takeOver(held, holder);
    if (this.#isKeptForAnother(port, holder.clientKey)) {
      throw new TunnelError('port-in-use', {
        detail: `${port} is kept for the client that had it before the server started`,
      });
    }
    return this.#listen(port, holder);
  }

  /** Whether a client that had this port before the server started may still come back for it. */
  #isKeptForAnother(port: number, clientKey: string): boolean {
    const { access, leases, reservedUntil } = this.#options;
    if (monotonicNow() >= reservedUntil || access.entryOf(clientKey)?.reserved.includes(port)) return false;
    const leasedTo = leases.clientOf(port);
    return leasedTo !== undefined && leasedTo !== clientKey;
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

  #notAllowed(port: number, { clientKey }: PortHolder): TunnelError {
    const { bounds, access } = this.#options;
    if (access.isReservedFromOthers(port, clientKey)) {
      return new TunnelError('port-not-allowed', { detail: `${port} is reserved for another client` });
    }
    const { ports, reserved = [] } = access.entryOf(clientKey) ?? {};
    if (ports === undefined || !includesPort([bounds], port)) {
      const detail = `${port}; this server opens ${bounds.first} to ${bounds.last}`;
      return new TunnelError('port-not-allowed', { detail });
    }
    return new TunnelError('port-not-allowed', {
      detail: `${port}; this key may have ${formatRanges(allOf(ports, reserved))}`,
    });
  }

  async #openAny(holder: PortHolder): Promise<PublicPort> {
    const { bounds, access, leases } = this.#options;
    const { clientKey, name } = holder;
    const { ports = [bounds], reserved = [] } = access.entryOf(clientKey) ?? {};
    const leased = leases.portOf(clientKey, name);
    const drawn = drawPorts(clipRanges(ports, bounds), RANDOM_TRIES);
    const candidates = new Set([
      ...reserved.filter((port) => port === leased),
      ...reserved,
      ...(leased === undefined ? [] : [leased]),
      ...drawn.filter((port) => !this.#isSecondChoice(port)),
      ...drawn,
    ]);
    let areSomeKept = false;
    for (const port of candidates) {
      if (!this.permits(port, clientKey)) continue;
      const held = this.#open.get(port);
      // One's own reserved port, which a process that is gone still has.
      if (held && (held.holder.clientKey !== clientKey || held.holder.hasLink || !reserved.includes(port))) continue;
      if (this.#isKeptForAnother(port, clientKey)) {
        areSomeKept = true;
        continue;
      }
      try {
        return await (held ? this.#takeOver(held, holder) : this.#listen(port, holder));
      } catch (error) {
        if (!(error instanceof TunnelError) || error.code !== 'port-in-use') throw error;
      }
    }
    const kept = areSomeKept ? ' but those kept for clients that had them before the server started' : '';
    const detail = `no free port among ${formatRanges(allOf(ports, reserved))}${kept}`;
    throw new TunnelError('port-unavailable', { detail });
  }

  /** Ports that another client had, or that could be gone after a restart, only where there is little choice. */
  #isSecondChoice(port: number): boolean {
    const { first, last } = this.#ephemeral;
    return (port >= first && port <= last) || this.#options.leases.clientOf(port) !== undefined;
  }

  #listen(port: number, holder: PortHolder): Promise<PublicPort> {
    return new Promise((resolve, reject) => {
      const server: TcpServer = createServer({ allowHalfOpen: true }, (socket) => {
        this.#options.peers.read(socket, {
          onPeer: (visitor) => {
            // The port may have been given back while a load balancer's header was on its way.
            if (this.#open.get(port) === open) open.holder.onVisitor(socket, visitor);
            else socket.on('error', () => {}).resetAndDestroy();
          },
          onUnusable: () => open.holder.onUnusable(),
        });
      });
      const open: OpenPort = {
        port,
        holder,
        close: () => {
          server.close();
          if (this.#open.get(port) !== open) return;
          this.#open.delete(port);
          this.#options.leases.release(port, Date.now());
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

function allOf(ports: readonly PortRange[], reserved: readonly number[]): readonly PortRange[] {
  return mergeRanges([...ports, ...reserved.map((port) => ({ first: port, last: port }))]);
}
