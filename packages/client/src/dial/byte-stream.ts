import type { Socket } from 'node:net';

import { TunnelError } from '@tunnel/shared';

import type { ServerAddress } from './address.ts';
import type { DialWarning } from './happy-eyeballs.ts';
import { connectToFirst, lookUpAddresses } from './happy-eyeballs.ts';
import { connectThroughHttpProxy, type Destination } from './http-proxy.ts';
import type { Lookup } from './name-lookups.ts';
import { formatProxyAddress, type ProxyAddress } from './proxy-address.ts';
import { connectThroughSocksProxy } from './socks-proxy.ts';
import { type CertificateAuthorities, wrapInTls } from './tls.ts';

/** A step of an attempt, in their order. `proxy` is all that is between the TCP connection to it and its answer. */
export type DialPhase = 'lookup' | 'connect' | 'proxy' | 'tls' | 'upgrade';

export interface ByteStreamOptions {
  readonly signal: AbortSignal;
  /** What the stream goes through; undefined for the direct way. */
  readonly proxy?: ProxyAddress | undefined;
  /** Trusted instead of the system's, for a proxy with TLS. */
  readonly ca?: CertificateAuthorities | undefined;
  /** Told when a step begins. */
  readonly onPhase?: ((phase: DialPhase) => void) | undefined;
  readonly onWarning?: ((warning: DialWarning) => void) | undefined;
  readonly lookup?: Lookup | undefined;
}

/**
 * A connected byte stream to the server's host and port. TLS and WebSocket come above it, whatever it goes through:
 * the one place that has to know about a proxy. Rejects with `dns-failed`, `tcp-…` or `proxy-…`.
 */
export async function openByteStream(address: ServerAddress, options: ByteStreamOptions): Promise<Socket> {
  const { proxy } = options;
  if (proxy === undefined) return connectDirectly(address, options);
  if (proxy.scheme !== 'socks5') return connectThrough(proxy, address, options);

  options.onPhase?.('lookup');
  let failure: unknown;
  for (const { address: host } of await lookUpAddresses(address.host, options)) {
    try {
      return await connectThrough(proxy, { host, port: address.port }, options);
    } catch (error) {
      // It may have a way to one of the others, as where it has no IPv6.
      if (!(error instanceof TunnelError) || error.code !== 'proxy-failed') throw error;
      failure = error;
    }
  }
  throw failure;
}

async function connectDirectly({ host, port }: Destination, options: ByteStreamOptions): Promise<Socket> {
  const { signal, onPhase, onWarning, lookup } = options;
  onPhase?.('lookup');
  const addresses = await lookUpAddresses(host, { signal, lookup });
  onPhase?.('connect');
  return connectToFirst(addresses, port, { signal, onWarning });
}

async function connectThrough(proxy: ProxyAddress, to: Destination, options: ByteStreamOptions): Promise<Socket> {
  const { signal } = options;
  const socket = await connectToProxy(proxy, options);
  if (proxy.scheme === 'socks5' || proxy.scheme === 'socks5h') {
    return connectThroughSocksProxy(socket, proxy, to, signal);
  }
  return connectThroughHttpProxy(socket, proxy, to, signal);
}

async function connectToProxy(proxy: ProxyAddress, options: ByteStreamOptions): Promise<Socket> {
  try {
    const socket = await connectDirectly(proxy, options);
    options.onPhase?.('proxy');
    return proxy.scheme === 'https' ? await wrapInTls(socket, proxy, options) : socket;
  } catch (error) {
    // Whatever it says is about the proxy, and must not be taken for the server.
    if (!(error instanceof TunnelError) || !/^(?:dns|tcp|tls)-/.test(error.code)) throw error;
    throw new TunnelError('proxy-unreachable', {
      detail: `${formatProxyAddress(proxy)}, ${error.message}`,
      cause: error,
    });
  }
}
