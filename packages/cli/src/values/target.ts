import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { type LocalTarget, problemOfSocketPath, socketPathOf } from '@tunnel/client';
import { type Given, unusable } from './given.ts';
import { toHost } from './host.ts';
import { toPort } from './port.ts';
import { withoutHabits } from './target-habits.ts';

const HINT = 'a local service is given as 3000, host:3000, [::1]:3000 or unix:/run/app.sock';

const SOCKET_HINT = 'a Unix socket is given as unix:/run/app.sock';

export { formatTarget } from '@tunnel/client';

/** Matches what can only be a path. */
const PATH = /^\.{0,2}\/|\.sock$/;

/**
 * Reads `3000`, `host:3000`, `[::1]:3000` or `unix:/path`, and other forms that `withoutHabits` accepts. `defaultHost`
 * applies to a bare port, `type` is that of the tunnel.
 */
export function parseTarget(
  given: Given,
  defaultHost: string,
  type: 'tcp' | 'http' = 'tcp',
  platform: NodeJS.Platform = process.platform,
): LocalTarget {
  const path = socketPathOf(given.text);
  if (path !== undefined) return { path: toSocketPath(given, path, platform) };
  if (PATH.test(given.text)) {
    throw unusable(given, 'that is a path', `a Unix socket is given as unix:${resolve(given.text)}`);
  }
  const text = withoutHabits(given, type);
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

function toSocketPath(given: Given, path: string, platform: NodeJS.Platform): string {
  const problem = problemOfSocketPath(path, platform);
  const example = platform === 'win32' ? 'a named pipe is given as unix:\\\\.\\pipe\\app' : SOCKET_HINT;
  if (problem !== undefined) throw unusable(given, problem, example);
  return path;
}
