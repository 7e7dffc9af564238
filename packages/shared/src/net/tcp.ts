import type { Socket } from 'node:net';

/** The kernel asks a silent peer after this long, in ms. */
export const KEEPALIVE_DELAY_MS = 15_000;

/**
 * What every socket here gets: no waiting for more to send, and TCP keepalive. Returns the reason where an option cannot be
 * set, which is worth a warning and no more.
 */
export function prepareSocket(socket: Socket): Error | undefined {
  try {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** The address of a socket's other end as people write it: IPv4 also where a dual-stack listener took the connection. */
export function remoteAddressOf(socket: Socket): string {
  return withoutMapping(socket.remoteAddress);
}

/** The same of this end. */
export function localAddressOf(socket: Socket): string {
  return withoutMapping(socket.localAddress);
}

function withoutMapping(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
