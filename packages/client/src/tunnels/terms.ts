import { TunnelError, TERM_LIMIT, type Term } from '@tunnel/shared';
import { parseNetwork } from '@tunnel/shared/node';
import type { TunnelOptions } from '../options.ts';
import { httpTermsOf } from './http-terms.ts';

const MAX_CONNECTIONS_LIMIT = 0xffff_ffff;

/**
 * What the server is to check of visitors, and to do with their requests. `salt` is for the digests of passwords. Throws a
 * `usage` error for options that cannot be met.
 */
export function termsOf(options: TunnelOptions, salt: Uint8Array): readonly Term[] {
  const { allow = [], deny = [], maxConnections, http, port = 0, proxyProtocol } = options;
  if (http !== undefined && (port !== 0 || proxyProtocol !== undefined)) {
    const option = port === 0 ? 'a PROXY header' : 'a port';
    throw new TunnelError('usage', { detail: `an HTTP tunnel has a host name: ${option} does not go with it` });
  }
  const terms: Term[] = [
    ...allow.map((network) => ({ term: 'allow', network }) as const),
    ...deny.map((network) => ({ term: 'deny', network }) as const),
  ];
  for (const network of [...allow, ...deny]) {
    if (!parseNetwork(network)) throw new TunnelError('usage', { detail: `${network} is not a valid network` });
  }
  if (maxConnections !== undefined) {
    if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > MAX_CONNECTIONS_LIMIT) {
      throw new TunnelError('usage', { detail: `${maxConnections} is not a valid limit of visitors at once` });
    }
    terms.push({ term: 'max-connections', limit: maxConnections });
  }
  if (http !== undefined) terms.push(...httpTermsOf(options, salt));
  if (terms.length > TERM_LIMIT) {
    throw new TunnelError('usage', {
      detail: `a tunnel has at most ${TERM_LIMIT} rules for visitors and their requests`,
    });
  }
  return terms;
}
