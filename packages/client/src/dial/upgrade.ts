import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import { type Hint, TunnelError } from '@tunnel/shared';
import { WebSocket } from 'ws';

import type { ServerAddress } from './address.ts';
import { formatHostAndPort, formatServerAddress, webSocketUrl } from './address.ts';
import { parseRetryAfter } from './retry-after.ts';

/** The most characters to show of a redirect's target. */
const GREATEST_LOCATION_LENGTH = 200;

export interface UpgradeOptions {
  /** Rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** A longer message from the server ends the WebSocket. */
  readonly maxPayloadBytes: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An open WebSocket, paused so that nothing from the server is lost before `webSocket.resume()`. */
export interface OpenedWebSocket {
  readonly socket: Socket;
  readonly webSocket: WebSocket;
  readonly responseHeaders: IncomingHttpHeaders;
}

/**
 * Opens a WebSocket over a connected socket. Takes ownership of the socket: it is destroyed if the promise rejects,
 * with `upgrade-refused` for any HTTP response other than 101, else with `upgrade-failed`.
 *
 * The WebSocket comes back paused. Messages may arrive in one packet with the 101, and `ws` emits them in the tick
 * after 'open', which is before a promise's continuation runs. Attach the listeners, then call `webSocket.resume()`.
 * Until then even the end of the connection may go unnoticed.
 */
export function openWebSocket(
  socket: Socket,
  address: ServerAddress,
  { signal, maxPayloadBytes, headers }: UpgradeOptions,
): Promise<OpenedWebSocket> {
  return new Promise((resolve, reject) => {
    let webSocket: WebSocket | undefined;
    let responseHeaders: IncomingHttpHeaders = {};

    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      // The 'error' listeners stay: `ws` later emits errors for what is aborted here.
      webSocket?.terminate();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const onFailure = (error: Error | null): void => fail(upgradeFailed(address, error));

    if (signal.aborted) return onAbort();
    // An HTTP request over a dead socket would wait forever.
    if (socket.destroyed) return onFailure(socket.errored);
    try {
      webSocket = new WebSocket(webSocketUrl(address), {
        createConnection: () => socket,
        perMessageDeflate: false,
        skipUTF8Validation: true,
        followRedirects: false,
        maxPayload: maxPayloadBytes,
        ...(headers !== undefined && { headers: { ...headers } }),
        generateMask: setZeroMask,
      });
    } catch (error) {
      // A header that is invalid in HTTP.
      return onFailure(error as Error);
    }
    const opening = webSocket;
    signal.addEventListener('abort', onAbort, { once: true });
    opening.on('error', onFailure);
    opening.once('close', () => onFailure(socket.errored));
    opening.once('unexpected-response', (_request, response) => fail(upgradeRefused(address, response)));
    opening.once('upgrade', (response) => {
      responseHeaders = response.headers;
    });
    opening.once('open', () => {
      opening.pause();
      signal.removeEventListener('abort', onAbort);
      opening.removeAllListeners();
      // The new owner learns of the end from 'close'. An error without a listener would end the process.
      opening.on('error', () => {});
      resolve({ socket, webSocket: opening, responseHeaders });
    });
  });
}

/**
 * RFC 6455, section 5.3, requires unpredictable masks to protect proxies from chosen plaintext. Only ciphertext is sent
 * here.
 */
function setZeroMask(mask: Buffer): void {
  mask.fill(0);
}

function upgradeRefused(address: ServerAddress, response: IncomingMessage): TunnelError {
  const { statusCode = 0, headers } = response;
  const location = describeLocation(address, headers.location);
  // The reason phrase is chosen by the other side and may contain anything, so show the registered one.
  const status = [`HTTP ${statusCode}`, STATUS_CODES[statusCode]].filter(Boolean).join(' ');
  const hint = hintFor(statusCode, location);
  const retryAfterMs = parseRetryAfter({ retryAfter: headers['retry-after'], date: headers.date }, Date.now());
  return new TunnelError('upgrade-refused', {
    detail: `${formatServerAddress(address)}, ${status}${location === undefined ? '' : `, to ${location}`}`,
    authenticated: false,
    ...(hint !== undefined && { hint }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function hintFor(statusCode: number, location: string | undefined): Hint | undefined {
  if (location !== undefined) return { id: 'redirected' };
  if (statusCode === 401 || statusCode === 403) return { id: 'access-denied' };
  if (statusCode === 404) return { id: 'path-unknown' };
  if (statusCode === 429 || statusCode >= 500) return { id: 'server-behind-proxy-down' };
  return undefined;
}

/** The target of a redirect, as printable text. */
function describeLocation(address: ServerAddress, location: string | undefined): string | undefined {
  if (location === undefined || !URL.canParse(location, webSocketUrl(address))) return undefined;
  const { protocol, host, pathname } = new URL(location, webSocketUrl(address));
  return `${protocol}//${host}${pathname}`.slice(0, GREATEST_LOCATION_LENGTH);
}

function upgradeFailed({ host, port }: ServerAddress, error: NodeJS.ErrnoException | null): TunnelError {
  const code = error?.code;
  let reason = error?.message.toLowerCase() ?? 'the connection was closed';
  if (code === 'ECONNRESET' || code === 'EPIPE') reason = `the connection was closed (${code})`;
  // An error of Node's HTTP parser.
  else if (code?.startsWith('HPE_')) reason = `the other side does not speak HTTP (${code})`;
  return new TunnelError('upgrade-failed', {
    detail: `${formatHostAndPort(host, port)}, ${reason}`,
    ...(error !== null && { cause: error }),
  });
}
