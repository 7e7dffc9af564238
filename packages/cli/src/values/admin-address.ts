import { posix, win32 } from 'node:path';
import { problemOfSocketPath } from '@tunnel/client';
import { type Given, unusable } from './given.ts';
import { toListenAddress } from './listen-address.ts';
import { formatTarget } from './target.ts';

const HINT = 'an admin address is given as 9090 (this machine only), host:9090, [::1]:9090 or /run/tunnel/admin.sock';

/** By default only this machine has access. */
const DEFAULT_HOST = '127.0.0.1';

/** A TCP address, or the path of a Unix socket, on Windows of a named pipe. */
export type AdminAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads `9090`, `host:9090`, `[::1]:9090` or an absolute path. Port 0 means any free one. */
export function parseAdminAddress(given: Given, platform: NodeJS.Platform = process.platform): AdminAddress {
  const { text } = given;
  if (platform === 'win32' ? win32.isAbsolute(text) : posix.isAbsolute(text)) {
    const problem = platform === 'win32' ? problemOfSocketPath(text, platform) : undefined;
    if (problem !== undefined) throw unusable(given, problem, HINT);
    return { path: text };
  }
  const address = toListenAddress(text);
  if (address === undefined) throw unusable(given, 'not a valid admin address', HINT);
  return { host: address.host ?? DEFAULT_HOST, port: address.port };
}

/** An admin address in the form that `parseAdminAddress` reads. */
export function formatAdminAddress(address: AdminAddress): string {
  return 'path' in address ? address.path : formatTarget(address);
}
