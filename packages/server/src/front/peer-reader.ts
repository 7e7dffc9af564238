import type { Socket } from 'node:net';
import { type NetworkList, readBeforeReset, remoteAddressOf } from '@tunnel/shared/node';
import { networkList } from './client-address.ts';
import { FairTable } from '../shares/fair-table.ts';
import { type Peer, peerOf } from './peer.ts';
import { readProxyHeader } from './proxy-header.ts';

/** Load balancers send the header at once; one that takes longer than this ends its connection, in ms. */
const PROXY_HEADER_TIMEOUT_MS = 5_000;

/** Connections of load balancers whose header is not whole yet; beyond it the oldest goes. */
const PROXY_HEADER_LIMIT = 4096;

export interface PeerHandlers {
  /** Called once, at once where no header is to come; not for a connection that was reset already and said nothing. What follows the header is still to be read from the socket. */
  readonly onPeer: (peer: Peer) => void;
  /** It is no connection that can be used, and is destroyed already. Not called for one that ended without a word. */
  readonly onUnusable: (reason: string) => void;
}

/**
 * Tells who is at the other end of a connection: from certain networks it says so itself, in a PROXY header. A header from
 * anywhere else is not looked for, and so is taken for what it claims by nobody.
 */
export class PeerReader {
  readonly #networks: NetworkList | undefined;
  readonly #reading = new FairTable<Socket>(PROXY_HEADER_LIMIT);

  /** Networks in CIDR notation, or addresses. Throws `usage`. */
  constructor(networks: readonly string[]) {
    this.#networks = networks.length === 0 ? undefined : networkList(networks, 'network of PROXY headers');
  }

  /** For a connection on which nothing was read yet. */
  read(socket: Socket, { onPeer, onUnusable }: PeerHandlers): void {
    const address = remoteAddressOf(socket);
    if (address === '') {
      // It was reset before it was accepted. Only what it said may still be of interest, and a storm of these says nothing.
      const words = readBeforeReset(socket);
      if (!words) {
        socket.on('error', ignore).destroy();
        return;
      }
      socket.unshift(words);
    }
    if (!this.#networks?.has(address)) {
      onPeer(peerOf(socket));
      return;
    }
    let bytes: Buffer = Buffer.alloc(0);
    const own = peerOf(socket);
    const stop = (): void => {
      clearTimeout(timer);
      this.#reading.delete(socket);
      socket.off('readable', onReadable).off('end', onEnd).off('close', stop);
    };
    const fail = (reason: string): void => {
      stop();
      socket.destroy();
      onUnusable(reason);
    };
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header.kind === 'incomplete') return;
      if (header.kind === 'malformed') {
        fail(header.reason);
        return;
      }
      stop();
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      // A tick after the stream noticed that nobody listens to 'readable' any more: it is as new then.
      process.nextTick(() => {
        socket.off('error', ignore);
        if (!socket.destroyed) onPeer(header.peer ?? own);
      });
    };
    const onEnd = (): void => {
      // Health checks of load balancers connect and leave.
      if (bytes.length > 0) fail('it ended before its header did');
      else socket.destroy();
    };
    const timer = setTimeout(() => fail('it did not come in time'), PROXY_HEADER_TIMEOUT_MS);
    socket.on('error', ignore).on('close', stop).on('end', onEnd).on('readable', onReadable);
    this.#reading.add(socket, address)?.destroy();
  }
}

/** 'close' follows. */
function ignore(): void {}
