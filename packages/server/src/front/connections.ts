import type { Socket } from 'node:net';
import { sourceOf } from './client-address.ts';
import { Ends } from '../shares/ends.ts';
import { FairTable } from '../shares/fair-table.ts';
import { type Peer, peerOf } from './peer.ts';

/**
 * Connections to the control port whose client has not proved who it is, those that send nothing among them. Beyond it the
 * oldest of the address that has most is ended.
 */
export const UNPROVEN_CONNECTION_LIMIT = 8192;

/** Connections whose last request was a visitor's. Beyond it the oldest of the address that has most is ended. */
const VISITOR_CONNECTION_LIMIT = 32_768;

/** Every connection to the server's HTTP listeners, so that none outlives the server and no address takes all there can be. */
export class Connections {
  readonly #all = new Set<Socket>();
  readonly #ends = new Ends();
  readonly #unproven = new FairTable<Socket>(UNPROVEN_CONNECTION_LIMIT);
  readonly #visitors = new FairTable<Socket>(VISITOR_CONNECTION_LIMIT);
  /** By both ends: TLS wraps a socket into another one, which does not tell what is below it. */
  readonly #byEnds = new Map<string, { readonly socket: Socket; peer: Peer }>();

  get count(): number {
    return this.#all.size;
  }

  /** Waits until there are none, `timeoutMs` at most. */
  ended(timeoutMs: number): Promise<void> {
    return this.#ends.wait(this.#all.size === 0, timeoutMs);
  }

  add(socket: Socket): void {
    const peer = peerOf(socket);
    const ends = endsOf(socket);
    this.#all.add(socket);
    this.#byEnds.set(ends, { socket, peer });
    socket.once('close', () => {
      this.#all.delete(socket);
      if (this.#all.size === 0) this.#ends.reached();
      this.#unproven.delete(socket);
      this.#visitors.delete(socket);
      if (this.#byEnds.get(ends)?.socket === socket) this.#byEnds.delete(ends);
    });
    this.#unproven.add(socket, sourceOf(peer.address))?.destroy();
  }

  /** Somebody in front said who is behind it. */
  identify(socket: Socket, peer: Peer): void {
    const entry = this.#byEnds.get(endsOf(socket));
    if (entry) entry.peer = peer;
    this.#unproven.reassign(socket, sourceOf(peer.address));
  }

  /** Who is at the other end of a connection, or of the TLS in it. */
  peerOf(socket: Socket): Peer {
    return this.#byEnds.get(endsOf(socket))?.peer ?? peerOf(socket);
  }

  /** The connection counts for this address: a trusted proxy said so in its request. */
  countFor(socket: Socket, source: string): void {
    const entry = this.#byEnds.get(endsOf(socket));
    if (entry) this.#unproven.reassign(entry.socket, source);
  }

  /** Its client proved who it is. */
  proven(socket: Socket): void {
    const entry = this.#byEnds.get(endsOf(socket));
    if (entry) this.#unproven.delete(entry.socket);
  }

  /** It carries a visitor's request, of this address: it takes no place from clients any more. */
  visitorOf(socket: Socket, source: string): void {
    const raw = this.#byEnds.get(endsOf(socket))?.socket;
    if (!raw) return;
    if (this.#visitors.has(raw)) {
      this.#visitors.reassign(raw, source);
      return;
    }
    this.#unproven.delete(raw);
    this.#visitors.add(raw, source)?.destroy();
  }

  /** Ends a connection, or the one that its TLS is in, with a reset. */
  reset(socket: Socket): void {
    const raw = this.#byEnds.get(endsOf(socket))?.socket ?? socket;
    raw.resetAndDestroy();
  }

  destroyAll(): void {
    for (const socket of this.#all) socket.destroy();
  }
}

/** With both ports: somebody may use one of theirs for connections to several of our listeners. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
