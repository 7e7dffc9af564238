import type { Socket } from 'node:net';
import { localAddressOf, remoteAddressOf } from '@tunnel/shared/node';

/** Who is at the other end of a connection, and where it was made to. */
export interface Peer {
  /** Empty for a connection that is gone already. */
  readonly address: string;
  readonly port: number;
  /** The address that it connected to. */
  readonly destination: string;
}

/** As the system tells it. */
export function peerOf(socket: Socket): Peer {
  return {
    address: remoteAddressOf(socket),
    port: socket.remotePort ?? 0,
    destination: localAddressOf(socket),
  };
}
