import type { Socket } from 'node:net';

/** The kernel probes a silent peer after this long, in ms. */
export const KEEPALIVE_DELAY_MS = 15_000;

/**
 * Sets the options that every socket here gets: TCP_NODELAY and keepalive. If an option cannot be set, returns the
 * reason, which deserves no more than a warning.
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

/** The remote address of a socket as people write it: plain IPv4 even if a dual-stack listener took the connection. */
export function remoteAddressOf(socket: Socket): string {
  return withoutMapping(socket.remoteAddress);
}

/** The same for the local address. */
export function localAddressOf(socket: Socket): string {
  return withoutMapping(socket.localAddress);
}

function withoutMapping(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
