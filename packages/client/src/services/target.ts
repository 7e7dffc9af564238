import { posix } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { formatHostAndPort } from '../dial/address.ts';
import type { LocalTarget } from '../options.ts';

/** What fits into `sun_path` everywhere (macOS has 104 bytes with the final zero). The system cuts longer paths off silently. */
const MAX_SOCKET_PATH_BYTES = 103;

/** What Node takes a path for on Windows, where it knows no Unix sockets. Such a name has up to 256 characters. */
const PIPE = /^\\\\[.?]\\pipe\\[^\\\0]{1,246}$/i;

const SCHEME = 'unix:';

/** `host:port`, or `unix:/path`. */
export function formatTarget(target: LocalTarget): string {
  return 'path' in target ? `${SCHEME}${target.path}` : formatHostAndPort(target.host, target.port);
}

/** The path of `unix:/path`, or of `unix:///path` as a URL has it; undefined for any other text. */
export function socketPathOf(text: string): string | undefined {
  return text.startsWith(SCHEME) ? text.slice(SCHEME.length).replace(/^\/+/, '/') : undefined;
}

/** Why a Unix socket, on Windows a named pipe, cannot have this path; undefined where it can. */
export function problemOfSocketPath(path: string, platform: NodeJS.Platform = process.platform): string | undefined {
  if (path === '') return 'the path is missing';
  if (platform === 'win32') {
    return PIPE.test(path) ? undefined : 'on Windows that has to be a named pipe: \\\\.\\pipe\\NAME';
  }
  if (!posix.isAbsolute(path)) return 'the path has to begin with /';
  if (path.includes('\0')) return 'the path has a zero byte in it';
  const bytes = Buffer.byteLength(path);
  return bytes > MAX_SOCKET_PATH_BYTES
    ? `the path of a Unix socket has at most ${MAX_SOCKET_PATH_BYTES} bytes, and this one has ${bytes}`
    : undefined;
}

/** Throws `usage` for a target that cannot be. */
export function requireTarget(target: LocalTarget): void {
  const problem = 'path' in target ? problemOfSocketPath(target.path) : undefined;
  if (problem !== undefined) throw new TunnelError('usage', { detail: `${formatTarget(target)}: ${problem}` });
}
