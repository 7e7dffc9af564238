import { type IncomingMessage, request as httpRequest, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import { TunnelError } from '@tunnel/shared';

import { formatHostAndPort, withoutZone } from './address.ts';
import { formatProxyAddress, type ProxyAddress } from './proxy-address.ts';

/** The most characters to show of the proxy's list of authentication schemes. */
const GREATEST_SCHEMES_LENGTH = 100;

/** Where a proxy should connect to. */
export interface Destination {
  readonly host: string;
  readonly port: number;
}

/**
 * Asks an HTTP proxy to connect (RFC 9110, section 9.3.6) over a connected socket. Takes ownership of the socket: it is
 * destroyed if the promise rejects, with a `proxy-…` code or the signal's reason. Afterwards everything read from the
 * socket comes from the destination.
 */
export function connectThroughHttpProxy(
  socket: Socket,
  proxy: ProxyAddress,
  destination: Destination,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const onFailure = (error: NodeJS.ErrnoException | null): void => fail(noAnswer(proxy, error));
    if (signal.aborted) return onAbort();
    // An HTTP request over a dead socket would wait forever.
    if (socket.destroyed) return onFailure(socket.errored);

    const authority = formatHostAndPort(withoutZone(destination.host), destination.port);
    const request = httpRequest({
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorization(proxy) },
      createConnection: () => socket,
    });
    signal.addEventListener('abort', onAbort, { once: true });
    request.on('error', onFailure);
    request.once('connect', (response, _socket, head) => {
      const refusal = refusalOf(proxy, response);
      if (refusal !== undefined) return fail(refusal);
      signal.removeEventListener('abort', onAbort);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.end();
  });
}

function authorization({ credentials }: ProxyAddress): Readonly<Record<string, string>> {
  if (credentials === undefined) return {};
  const text = `${credentials.user}:${credentials.password}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

/** Undefined if the proxy connected. */
function refusalOf(proxy: ProxyAddress, { statusCode = 0, headers }: IncomingMessage): TunnelError | undefined {
  if (statusCode >= 200 && statusCode < 300) return undefined;
  // The reason phrase is chosen by the other side and may contain anything, so show the registered one.
  const status = [`HTTP ${statusCode}`, STATUS_CODES[statusCode]].filter(Boolean).join(' ');
  const detail = `${formatProxyAddress(proxy)}, ${status}`;
  // Tinyproxy answers wrong credentials with 401.
  if (statusCode === 407 || statusCode === 401) return credentialsWanted(proxy, detail, headers['proxy-authenticate']);
  return new TunnelError(statusCode >= 500 ? 'proxy-failed' : 'proxy-refused', { detail });
}

function credentialsWanted(
  proxy: ProxyAddress,
  status: string,
  challenge: string | readonly string[] = [],
): TunnelError {
  const schemes = [challenge].flat().join(', ').slice(0, GREATEST_SCHEMES_LENGTH);
  if (schemes !== '' && !/\bbasic\b/i.test(schemes)) {
    return new TunnelError('proxy-auth-required', {
      detail: `${status}; it accepts ${schemes} only`,
      hint: { id: 'proxy-scheme-unsupported' },
    });
  }
  return new TunnelError('proxy-auth-required', {
    detail: proxy.credentials === undefined ? status : `${status}; it rejected the given credentials`,
    ...(proxy.credentials !== undefined && { hint: { id: 'proxy-credentials-wrong' } }),
  });
}

function noAnswer(proxy: ProxyAddress, error: NodeJS.ErrnoException | null): TunnelError {
  const code = error?.code;
  const reason = code?.startsWith('HPE_')
    ? `it does not speak HTTP (${code})`
    : `it closed the connection without an answer${code === undefined ? '' : ` (${code})`}`;
  return new TunnelError('proxy-unusable', {
    detail: `${formatProxyAddress(proxy)}, ${reason}`,
    ...(error !== null && { cause: error }),
  });
}
