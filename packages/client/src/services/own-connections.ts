import type { Socket } from 'node:net';
import { canonicalAddress, monotonicNow } from '@tunnel/shared/node';
import type { VisitorEnds } from '@tunnel/shared/node';

/** How long a connection is still known after its end, in ms: the visitor that it became may arrive later than that end. */
const LINGER_MS = 60_000;

/** Ended connections that are still known; beyond it the oldest are forgotten, and a loop is found one turn later. */
const ENDED_LIMIT = 1024;

/**
 * Connections of this process to local services, by both of their ends: a visitor with the same two ends is one of them,
 * which came back through a public port. Both ends, since the system gives one local port to connections to several places.
 */
export class OwnConnections {
  readonly #now: () => number;
  readonly #open = new Set<string>();
  /** With the time until which they are known, oldest first. */
  readonly #ended = new Map<string, number>();

  constructor(now: () => number = monotonicNow) {
    this.#now = now;
  }

  /** A connection that was just made. It is known until some time after its end. */
  add(socket: Socket): void {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    // Ended already, or no TCP.
    if (localAddress === undefined || localPort === undefined) return;
    const key = keyOf(localAddress, localPort, remoteAddress ?? '', remotePort ?? 0);
    this.#open.add(key);
    socket.once('close', () => this.#end(key));
  }

  /** Where the server does not say where the visitor connected to, this is false. */
  has({ address, port, destination, destinationPort }: VisitorEnds): boolean {
    if (this.#open.size === 0 && this.#ended.size === 0) return false;
    const key = keyOf(address, port, destination, destinationPort);
    return this.#open.has(key) || (this.#ended.get(key) ?? 0) > this.#now();
  }

  #end(key: string): void {
    const now = this.#now();
    this.#open.delete(key);
    this.#ended.delete(key);
    this.#ended.set(key, now + LINGER_MS);
    for (const [oldest, until] of this.#ended) {
      if (until > now && this.#ended.size <= ENDED_LIMIT) break;
      this.#ended.delete(oldest);
    }
  }
}

function keyOf(address: string, port: number, toAddress: string, toPort: number): string {
  return `${port} ${toPort} ${plain(address)} ${plain(toAddress)}`;
}

/** IPv4 is the common case, and needs no parsing. */
function plain(address: string): string {
  return address.includes(':') ? (canonicalAddress(address)?.text ?? address) : address;
}

/** Of all clients in this process: what one of them connects to may be another one's public port. */
export const ownConnections = new OwnConnections();
