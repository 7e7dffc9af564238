import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import { type ErrorCode, TunnelError } from '@tunnel/shared';
import { describeSystemError, monotonicNow } from '@tunnel/shared/node';
import type { Access } from '../../access/access.ts';
import { ephemeralPorts } from './ephemeral-ports.ts';
import type { Leases } from '../../leases/leases.ts';
import type { Peer } from '../../front/peer.ts';
import type { PeerReader } from '../../front/peer-reader.ts';
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
  /** Whom a lease counts for where many are remembered: a listed key, else where the client comes from. */
  readonly share: string;
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

/** What a client key has of its share. */
interface Share {
  readonly open: Set<OpenPort>;
  /** Requests without an outcome. */
  requestCount: number;
  /** Those of them that have a place. */
  openingCount: number;
  /** Wakes those for which there is none, unless one that has it comes to nothing. */
  readonly waiting: Set<() => void>;
}

/**
 * Why a port is refused, for the client, and what the server's operator may know besides: to clients it makes no difference
 * whether another client or another program on the server's machine has it.
 */
export class PortRefusal extends TunnelError {
  readonly forOperator: string;

  constructor(code: ErrorCode, forClient: string, forOperator: string, cause?: unknown) {
    super(code, { detail: forClient, cause });
    this.forOperator = new TunnelError(code, { detail: forOperator }).message;
  }
}

/** Opens public ports within the server's range, and decides who gets one that somebody has. */
export class PublicPorts {
  readonly #options: PublicPortsOptions;
  readonly #open = new Map<number, OpenPort>();
  /** By the client's key. */
  readonly #shares = new Map<string, Share>();
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
    // Before it takes a place: what is refused anyway leaves it to others.
    if (port !== 0) this.#requireObtainable(port, holder);
    const { clientKey } = holder;
    const share = this.#shareOf(clientKey);
    share.requestCount += 1;
    try {
      await this.#takePlace(share, clientKey);
      const open = await this.#openInPlace(share, port, holder);
      // It may have another holder by the time that it is closed.
      const close = (): void => (open.holder === holder ? open.close() : undefined);
      return { port: open.port, close };
    } finally {
      share.requestCount -= 1;
      this.#tidy(share, clientKey);
    }
  }

  async #openInPlace(share: Share, port: number, holder: PortHolder): Promise<OpenPort> {
    try {
      return await (port === 0 ? this.#openAny(holder) : this.#openThis(port, holder));
    } finally {
      share.openingCount -= 1;
      for (const wake of share.waiting) wake();
      share.waiting.clear();
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
  lease({ clientKey, name, share }: PortHolder, port: number): void {
    this.#options.leases.record(clientKey, name, port, Date.now(), share);
    this.#options.onLeased();
  }

  #shareOf(clientKey: string): Share {
    const known = this.#shares.get(clientKey);
    if (known) return known;
    const share: Share = { open: new Set(), requestCount: 0, openingCount: 0, waiting: new Set() };
    this.#shares.set(clientKey, share);
    return share;
  }

  #tidy(share: Share, clientKey: string): void {
    if (share.open.size + share.requestCount === 0) this.#shares.delete(clientKey);
  }

  /** The client's tunnels are within its limit. Those of its processes that do not answer any more make room. */
  async #takePlace(share: Share, clientKey: string): Promise<void> {
    const limit = (): number => this.#options.access.entryOf(clientKey)?.tunnels ?? Infinity;
    const isFull = (): boolean => share.open.size + share.openingCount >= limit();
    while (isFull()) {
      if (share.openingCount > 0) {
        await new Promise<void>((resolve) => share.waiting.add(resolve));
        continue;
      }
      const asked = await Promise.all(
        [...share.open].map(async (open) => ({ open, answers: open.holder.hasLink && (await open.holder.answers()) })),
      );
      for (const { open, answers } of asked) {
        if (answers || !isFull() || this.#open.get(open.port) !== open) continue;
        open.close();
        open.holder.giveUp();
      }
      if (isFull() && share.openingCount === 0) {
        throw new TunnelError('tunnel-limit', { detail: `this key may have ${limit()} at a time` });
      }
    }
    share.openingCount += 1;
  }

  /** Throws where it is clear that the client cannot have this port. */
  #requireObtainable(port: number, holder: PortHolder): void {
    const { clientKey } = holder;
    if (!this.permits(port, clientKey)) throw this.#notAllowed(port, holder);
    const held = this.#open.get(port);
    if (held && held.holder.clientKey !== clientKey) throw somebodyElses(port, 'another client');
    if (!held && this.#isKeptForAnother(port, clientKey)) {
      throw new TunnelError('port-in-use', {
        detail: `${port} is kept for the client that had it before the server started`,
      });
    }
  }

  async #openThis(port: number, holder: PortHolder): Promise<OpenPort> {
    // Again: much may have happened while it waited.
    this.#requireObtainable(port, holder);
    const held = this.#open.get(port);
    return held ? this.#takeOver(held, holder) : this.#listen(port, holder);
  }

  /** Whether a client that had this port before the server started may still come back for it. */
  #isKeptForAnother(port: number, clientKey: string): boolean {
    const { access, leases, reservedUntil } = this.#options;
    if (monotonicNow() >= reservedUntil || access.entryOf(clientKey)?.reserved.includes(port)) return false;
    const leasedTo = leases.clientOf(port);
    return leasedTo !== undefined && leasedTo !== clientKey;
  }

  /** From another process of the same client, and only where that one does not answer any more. */
  async #takeOver(held: OpenPort, holder: PortHolder): Promise<OpenPort> {
    const { holder: before, port } = held;
    if (before.clientKey !== holder.clientKey) throw somebodyElses(port, 'another client');
    if (before.hasLink && (await before.answers())) {
      throw new TunnelError('port-in-use', { detail: `${port}, by another tunnel with this client's key` });
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

  async #openAny(holder: PortHolder): Promise<OpenPort> {
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

  #listen(port: number, holder: PortHolder): Promise<OpenPort> {
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
          const { clientKey } = open.holder;
          const share = this.#shares.get(clientKey);
          share?.open.delete(open);
          if (share) this.#tidy(share, clientKey);
          this.#options.leases.release(port, Date.now());
        },
      };
      server.once('error', (cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EADDRINUSE') reject(somebodyElses(port, 'another program on this machine', cause));
        else reject(new TunnelError('port-unavailable', { detail: `${port}, ${describeSystemError(cause)}`, cause }));
      });
      server.listen({ port, host: this.#options.host, backlog: 1024 }, () => {
        // A listener that fails later (out of file descriptors) goes on with the next visitor.
        server.removeAllListeners('error').on('error', () => {});
        this.#open.set(port, open);
        this.#shareOf(holder.clientKey).open.add(open);
        resolve(open);
      });
    });
  }
}

function allOf(ports: readonly PortRange[], reserved: readonly number[]): readonly PortRange[] {
  return mergeRanges([...ports, ...reserved.map((port) => ({ first: port, last: port }))]);
}

/** Who it is is for the operator only. */
function somebodyElses(port: number, who: string, cause?: unknown): PortRefusal {
  return new PortRefusal('port-in-use', `${port}, by somebody else`, `${port}, by ${who}`, cause);
}
