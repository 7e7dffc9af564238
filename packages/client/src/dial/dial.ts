import type { Socket } from 'node:net';

import { TunnelError } from '@tunnel/shared';

import type { ServerAddress } from './address.ts';
import { formatHostAndPort } from './address.ts';
import type { DialPhase } from './byte-stream.ts';
import { openByteStream } from './byte-stream.ts';
import type { DialWarning } from './happy-eyeballs.ts';
import type { Lookup } from './name-lookups.ts';
import type { ProxyAddress } from './proxy-address.ts';
import type { CertificateAuthorities } from './tls.ts';
import { wrapInTls } from './tls.ts';
import { describeTls, type TlsFinding } from './tls-finding.ts';
import type { OpenedWebSocket } from './upgrade.ts';
import { openWebSocket } from './upgrade.ts';

export interface DialOptions {
  readonly signal: AbortSignal;
  /** For all steps in total, in ms. */
  readonly timeoutMs: number;
  /** A longer message from the server ends the WebSocket. */
  readonly maxPayloadBytes: number;
  /** The proxy to use; undefined for a direct connection. */
  readonly proxy?: ProxyAddress | undefined;
  /** Trusted instead of the system's authorities, for `wss`. */
  readonly ca?: CertificateAuthorities | undefined;
  /** False: accept any certificate of the server, since its key is known and checked in the handshake. */
  readonly verifyCertificate?: boolean | undefined;
  /** Sent with the upgrade request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly onWarning?: ((warning: DialWarning) => void) | undefined;
  /** Called when a step begins. */
  readonly onPhase?: ((phase: DialPhase) => void) | undefined;
  /** Called with the properties of the TLS connection to the server. */
  readonly onTls?: ((finding: TlsFinding) => void) | undefined;
  /** Used instead of the system's resolver. */
  readonly lookup?: Lookup | undefined;
}

const WORDS_FOR_PHASE: Readonly<Record<DialPhase, string>> = {
  lookup: 'while looking up the name',
  connect: 'while connecting',
  proxy: 'while waiting for the proxy',
  tls: 'during the TLS handshake',
  upgrade: 'while waiting for the WebSocket answer',
};

/**
 * One attempt to reach a server: name, TCP, proxy, TLS for `wss`, WebSocket. The WebSocket comes back paused: attach
 * the listeners, then call `webSocket.resume()`. Rejects with a `TunnelError` that names the step: `dns-failed`,
 * `tcp-…`, `proxy-…`, `tls-failed`, `upgrade-…`, `attempt-timeout`, or with `stopped` if the signal aborts. Nothing is
 * left open then.
 */
export async function dial(address: ServerAddress, options: DialOptions): Promise<OpenedWebSocket> {
  const { timeoutMs, maxPayloadBytes, proxy, ca, verifyCertificate, headers, onWarning, lookup } = options;
  let phase: DialPhase = 'lookup';
  const onPhase = (begun: DialPhase): void => {
    phase = begun;
    options.onPhase?.(begun);
  };

  // Not AbortSignal.any: a signal that lives as long as the process would accumulate one for every attempt.
  const controller = new AbortController();
  const { signal } = controller;
  const onAbort = (): void => controller.abort(new TunnelError('stopped', { cause: options.signal.reason }));
  const onTimeout = (): void =>
    controller.abort(
      new TunnelError('attempt-timeout', {
        detail: `${formatHostAndPort(address.host, address.port)}, given up after ${timeoutMs / 1000}s ${WORDS_FOR_PHASE[phase]}`,
      }),
    );
  if (options.signal.aborted) onAbort();
  options.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(onTimeout, timeoutMs);
  try {
    let socket: Socket = await openByteStream(address, { signal, proxy, ca, onPhase, onWarning, lookup });
    if (address.secure) {
      onPhase('tls');
      const secured = await wrapInTls(socket, address, { signal, ca, verifyCertificate });
      options.onTls?.(describeTls(secured));
      socket = secured;
    }
    onPhase('upgrade');
    const opened = await openWebSocket(socket, address, { signal, maxPayloadBytes, headers });
    if (signal.aborted) {
      opened.webSocket.terminate();
      signal.throwIfAborted();
    }
    return opened;
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', onAbort);
  }
}
