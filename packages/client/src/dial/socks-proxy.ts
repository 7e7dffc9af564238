import type { Socket } from 'node:net';

import { type ErrorCode, TunnelError } from '@tunnel/shared';
import { SocksClient } from 'socks';

import { withoutZone } from './address.ts';
import type { Destination } from './http-proxy.ts';
import { formatProxyAddress, type ProxyAddress } from './proxy-address.ts';

/** The library requires a timeout, in ms. That of the attempt fires first. */
const LIBRARY_TIMEOUT_MS = 300_000;

type ProxyCode = Extract<ErrorCode, `proxy-${string}`>;

/**
 * The meaning of the library's errors, which have no codes, by their text (after the last dash, if there is one). Any
 * other text comes from the system, for a connection that broke.
 */
const MEANINGS: ReadonlyMap<string, readonly [ProxyCode, string]> = new Map([
  [
    'Received invalid Socks5 initial handshake (invalid socks version)',
    ['proxy-unusable', 'it does not speak SOCKS 5'],
  ],
  [
    'Received invalid Socks5 initial handshake (no accepted authentication type)',
    ['proxy-auth-required', 'it accepts none of the authentication methods offered'],
  ],
  [
    'Received invalid Socks5 initial handshake (unknown authentication type)',
    ['proxy-unusable', 'it wants to authenticate in a way that was not offered'],
  ],
  ['Socks5 Authentication failed', ['proxy-auth-required', 'it rejected the given credentials']],
  // This is what `ssh -D` does if the other end cannot connect.
  ['Socket closed', ['proxy-failed', 'it closed the connection without an answer']],
  ['Failure', ['proxy-failed', 'it says: general failure']],
  ['NotAllowed', ['proxy-refused', 'its rules do not allow it']],
  ['NetworkUnreachable', ['proxy-failed', 'it says: the network is unreachable']],
  ['HostUnreachable', ['proxy-failed', 'it says: the host is unreachable']],
  ['ConnectionRefused', ['proxy-failed', 'it says: connection refused']],
  ['TTLExpired', ['proxy-failed', 'it says: the way is too long']],
  ['CommandNotSupported', ['proxy-refused', 'it makes no connections']],
  ['AddressNotSupported', ['proxy-failed', 'it does not know this kind of address']],
]);

/**
 * Asks a SOCKS 5 proxy to connect (RFC 1928, 1929) over a connected socket. Takes ownership of the socket: it is
 * destroyed if the promise rejects, with a `proxy-…` code or the signal's reason.
 */
export async function connectThroughSocksProxy(
  socket: Socket,
  proxy: ProxyAddress,
  destination: Destination,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port, credentials } = proxy;
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await SocksClient.createConnection({
      command: 'connect',
      proxy: {
        type: 5,
        host,
        port,
        ...(credentials !== undefined && { userId: credentials.user, password: credentials.password }),
      },
      destination: { host: withoutZone(destination.host), port: destination.port },
      timeout: LIBRARY_TIMEOUT_MS,
      existing_socket: socket,
    });
    return socket;
  } catch (error) {
    socket.destroy();
    throw signal.aborted ? signal.reason : socksFailed(proxy, (error as Error).message);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The library's error must not be kept as `cause`: it contains the password. */
function socksFailed(proxy: ProxyAddress, text: string): TunnelError {
  const [code, reason] = MEANINGS.get(text.split(' - ').at(-1) ?? '') ?? [
    'proxy-unusable',
    `the connection broke: ${text}`,
  ];
  const isWrong = code === 'proxy-auth-required' && proxy.credentials !== undefined;
  return new TunnelError(code, {
    detail: `${formatProxyAddress(proxy)}, ${reason}`,
    ...(isWrong && { hint: { id: 'proxy-credentials-wrong' } }),
  });
}
