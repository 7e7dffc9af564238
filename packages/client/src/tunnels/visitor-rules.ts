import { TunnelError, VISITOR_RULE_LIMIT, type VisitorRule } from '@tunnel/shared';
import { parseNetwork } from '@tunnel/shared/node';
import type { TunnelOptions } from '../options.ts';

const MAX_CONNECTIONS_LIMIT = 0xffff_ffff;

/** What the server is to check of visitors. Throws a `usage` error for options that cannot be met. */
export function visitorRules({ allow = [], deny = [], maxConnections }: TunnelOptions): readonly VisitorRule[] {
  const rules: VisitorRule[] = [
    ...allow.map((network) => ({ rule: 'allow', network }) as const),
    ...deny.map((network) => ({ rule: 'deny', network }) as const),
  ];
  for (const network of [...allow, ...deny]) {
    if (!parseNetwork(network)) throw new TunnelError('usage', { detail: `${network} is not a valid network` });
  }
  if (maxConnections !== undefined) {
    if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > MAX_CONNECTIONS_LIMIT) {
      throw new TunnelError('usage', { detail: `${maxConnections} is not a valid limit of visitors at once` });
    }
    rules.push({ rule: 'max-connections', limit: maxConnections });
  }
  if (rules.length > VISITOR_RULE_LIMIT) {
    throw new TunnelError('usage', { detail: `a tunnel has at most ${VISITOR_RULE_LIMIT} rules for visitors` });
  }
  return rules;
}
