import type { IncomingMessage } from 'node:http';
import type { ClientAddresses } from './client-address.ts';
import type { Connections } from './connections.ts';

const DEFAULT_PORT = 443;

export interface HttpsRedirectOptions {
  readonly addresses: ClientAddresses;
  readonly connections: Pick<Connections, 'peerOf'>;
  /** The port with TLS; undefined while there is none. */
  readonly port: () => number | undefined;
  /** Whether there is a certificate for a host. */
  readonly covers: (host: string) => boolean;
}

/**
 * Where a request that came without TLS is to be sent again; undefined where it is right as it is. A trusted proxy in front may
 * have taken TLS off already, and would be sent round and round.
 */
export function httpsRedirect(
  { addresses, connections, port, covers }: HttpsRedirectOptions,
  request: IncomingMessage,
  { host, target }: { readonly host: string; readonly target: string },
): string | undefined {
  const securePort = port();
  if (securePort === undefined || !target.startsWith('/') || !covers(host)) return undefined;
  if (addresses.of(request, connections.peerOf(request.socket)).isForwarded) return undefined;
  return `https://${host}${securePort === DEFAULT_PORT ? '' : `:${securePort}`}${target}`;
}
