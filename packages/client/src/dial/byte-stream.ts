import type { Socket } from 'node:net';

import type { ServerAddress } from './address.ts';
import type { DialWarning, Lookup } from './happy-eyeballs.ts';
import { connectToFirst, lookUpAddresses } from './happy-eyeballs.ts';

/** A step of an attempt, in their order. */
export type DialPhase = 'lookup' | 'connect' | 'tls' | 'upgrade';

export interface ByteStreamOptions {
  readonly signal: AbortSignal;
  /** Told when a step begins. */
  readonly onPhase?: ((phase: DialPhase) => void) | undefined;
  readonly onWarning?: ((warning: DialWarning) => void) | undefined;
  readonly lookup?: Lookup | undefined;
}

/**
 * A connected byte stream to the server's host and port. TLS and WebSocket come above it, whatever it goes through:
 * the one place that has to know about a proxy.
 */
export async function openByteStream(address: ServerAddress, options: ByteStreamOptions): Promise<Socket> {
  const { signal, onPhase, onWarning, lookup } = options;
  onPhase?.('lookup');
  const addresses = await lookUpAddresses(address.host, { signal, lookup });
  onPhase?.('connect');
  return connectToFirst(addresses, address.port, { signal, onWarning });
}
