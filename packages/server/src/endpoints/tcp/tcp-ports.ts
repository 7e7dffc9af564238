import { createServer, type Socket } from 'node:net';
import { formatPublicAddress, type Term, TunnelError } from '@tunnel/shared';
import { describeSystemError, prepareSocket } from '@tunnel/shared/node';
import { includesPort } from '../../access/port-ranges.ts';
import type { PortPolicy } from '../../access/port-policy.ts';
import { admitConnection } from '../admit-connection.ts';
import type { PeerReader } from '../../front/peer-reader.ts';
import type { Candidate, Choice, EndpointKind, OpenEndpoint, VisitorHandlers, Wish } from '../endpoint.ts';
import { somebodyElses } from '../endpoint-refusal.ts';
import { requireVisitorTerms } from '../visitor-terms.ts';
import { drawPorts } from './draw-ports.ts';
import { ephemeralPorts } from './ephemeral-ports.ts';
import { isTaken } from './taken-ports.ts';

/** So many ports are tried at random before a range counts as full; all of them, if it has no more. */
const RANDOM_TRIES = 64;

/** More than one turn of the event loop can accept. */
const BACKLOG = 1024;

export interface TcpPortsOptions {
  /** Where ports are opened. Undefined: all addresses. */
  readonly host: string | undefined;
  /** The host in public addresses; empty: the one that the client dialed. */
  readonly publicHost: string;
  readonly policy: PortPolicy;
  readonly peers: PeerReader;
}

/** TCP ports of the server's machine, each for one tunnel. Their names are decimal numbers. */
export class TcpPorts implements EndpointKind {
  readonly number = 1;
  readonly prefix = 'port';
  readonly codes = { taken: 'port-in-use', notAllowed: 'port-not-allowed', unavailable: 'port-unavailable' } as const;
  readonly #options: TcpPortsOptions;
  readonly #ephemeral = ephemeralPorts();

  constructor(options: TcpPortsOptions) {
    this.#options = options;
  }

  requireTerms(terms: readonly Term[]): void {
    requireVisitorTerms(terms);
  }

  choose(wish: Wish): Choice {
    const { wanted, clientKey } = wish;
    if (wanted !== '') {
      if (portOf(wanted) === 0) throw new TunnelError('terms-refused', { detail: `${wanted} is not a port` });
      if (!this.permits(wanted, clientKey)) throw this.refusalOf(wanted, clientKey);
      return { kind: 'one', name: wanted };
    }
    return {
      kind: 'any',
      candidates: this.#candidates(wish),
      exhausted: (areSomeKept) => {
        const kept = areSomeKept ? ' but those kept for a while for the clients that had them' : '';
        const detail = `no free port among ${this.#options.policy.describe(clientKey)}${kept}`;
        return new TunnelError('port-unavailable', { detail });
      },
    };
  }

  permits(name: string, clientKey: string): boolean {
    return this.#options.policy.permits(portOf(name), clientKey);
  }

  refusalOf(name: string, clientKey: string): TunnelError {
    return this.#options.policy.refusalOf(portOf(name), clientKey);
  }

  isReserved(name: string, clientKey: string): boolean {
    return this.#options.policy.isReserved(portOf(name), clientKey);
  }

  open(name: string, handlers: VisitorHandlers): Promise<OpenEndpoint> {
    const { host, publicHost, peers } = this.#options;
    const port = portOf(name);
    const accept = (socket: Socket): void =>
      peers.read(socket, {
        onPeer: (peer) => {
          prepareSocket(socket);
          admitConnection(handlers, socket, { ...peer, destinationPort: port });
        },
        onUnusable: handlers.onUnusable,
      });
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, accept);
      server.once('error', (cause: NodeJS.ErrnoException) => {
        if (isTaken(cause, process.platform)) {
          reject(somebodyElses('port-in-use', name, 'another program on this machine', cause));
        } else {
          reject(new TunnelError('port-unavailable', { detail: `${name}, ${describeSystemError(cause)}`, cause }));
        }
      });
      server.listen({ port, host, backlog: BACKLOG }, () => {
        // A listener that fails later (out of file descriptors) goes on with the next visitor.
        server.removeAllListeners('error').on('error', () => {});
        resolve({
          addresses: [formatPublicAddress({ scheme: 'tcp', host: publicHost, port })],
          close: () => void server.close(),
        });
      });
    });
  }

  /** Those that are the client's own first, then the one that it had, then others at random. */
  *#candidates({ clientKey, remembered, isRemembered }: Wish): Generator<Candidate, undefined> {
    const { policy } = this.#options;
    const reserved = policy.reservedFor(clientKey).map(String);
    const drawn = drawPorts(policy.rangesOf(clientKey), RANDOM_TRIES);
    const isFirstChoice = (port: number): boolean =>
      // Not those that another client had, or that could be gone after a restart.
      !includesPort([this.#ephemeral], port) && !isRemembered(String(port));
    const names = new Set([
      ...reserved.filter((name) => name === remembered),
      ...reserved,
      ...(remembered === undefined ? [] : [remembered]),
      ...drawn.filter(isFirstChoice).map(String),
      ...drawn.map(String),
    ]);
    for (const name of names) yield { name, takenFrom: reserved.includes(name) ? 'linkless' : 'nobody' };
  }
}

/** 0, which no key may have, if it is no port. */
function portOf(name: string): number {
  return /^[1-9]\d{0,4}$/.test(name) && Number(name) <= 0xffff ? Number(name) : 0;
}
