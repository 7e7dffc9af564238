import { isIPv6 } from 'node:net';
import type { LocalTarget } from '@tunnel/client';
import { type Given, unusable } from './given.ts';
import { toHost } from './host.ts';
import { toPort } from './port.ts';
import { withoutHabits } from './target-habits.ts';

const HINT = 'a local service is given as 3000, host:3000 or [::1]:3000';

/** Reads `3000`, `host:3000` or `[::1]:3000`, and what `withoutHabits` makes of other forms. `defaultHost` is that of a bare port. */
export function parseTarget(given: Given, defaultHost: string): LocalTarget {
  const text = withoutHabits(given);
  const colon = text.lastIndexOf(':');
  const port = toPort(text.slice(colon + 1));
  if (colon === -1) {
    if (port === undefined || port === 0) throw unusable(given, 'not a valid port', HINT);
    return { host: defaultHost, port };
  }
  if (isIPv6(text)) throw unusable(given, 'an IPv6 address needs brackets, and a port', HINT);
  if (port === undefined || port === 0) throw unusable(given, 'the port is not a number from 1 to 65535', HINT);
  const host = toHost(text.slice(0, colon));
  if (host === undefined) throw unusable(given, 'not a valid host', HINT);
  return { host, port };
}

/** A target as text, as `parseTarget` reads it. */
export function formatTarget({ host, port }: LocalTarget): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
