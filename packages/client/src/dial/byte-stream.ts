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

/** The steps of an attempt, in order. `proxy` is everything from the TCP connection to the proxy up to its answer. */
export type DialPhase = 'lookup' | 'connect' | 'proxy' | 'tls' | 'upgrade';

export interface ByteStreamOptions {
  readonly signal: AbortSignal;
  /** The proxy to use; undefined for a direct connection. */
  readonly proxy?: ProxyAddress | undefined;
  /** Trusted instead of the system's, for a proxy with TLS. */
  readonly ca?: CertificateAuthorities | undefined;
  /** Called when a step begins. */
  readonly onPhase?: ((phase: DialPhase) => void) | undefined;
  readonly onWarning?: ((warning: DialWarning) => void) | undefined;
  readonly lookup?: Lookup | undefined;
}

/**
 * Opens a byte stream to the server's host and port. TLS and WebSocket go on top of it, whatever it passes through:
 * this is the only place that knows about proxies. Rejects with `dns-failed`, `tcp-…` or `proxy-…`.
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
      // The proxy may be able to reach another address, for example if it has no IPv6.
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
    // This error is about the proxy, and must not be mistaken for one about the server.
    if (!(error instanceof TunnelError) || !/^(?:dns|tcp|tls)-/.test(error.code)) throw error;
    throw new TunnelError('proxy-unreachable', {
      detail: `${formatProxyAddress(proxy)}, ${error.message}`,
      cause: error,
    });
  }
}
