import { once } from 'node:events';
import { lstat, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, isOwn } from '@tunnel/shared/node';
import { printable } from '../output/printable.ts';
import { type AdminAddress, formatAdminAddress } from '../values/admin-address.ts';
import type { Metrics } from './metrics.ts';
import { CommandError } from '../hints/command-error.ts';

/** Further connections are closed at once. */
const MAX_CONNECTIONS = 64;

/** Requests that take longer than this to arrive are aborted, in ms. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Whether the program is ready, and why not, in a few words. */
export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
}

/** What the admin endpoint reports. */
export interface AdminSource {
  readiness(): Readiness;
  readonly metrics: Metrics;
}

export interface AdminServer extends AsyncDisposable {
  /** The address it listens on, as text. */
  readonly address: string;
}

/**
 * Answers `/healthz`, `/readyz` and `/metrics` until disposed. Rejects with `listen-in-use`, `listen-denied` or
 * `listen-failed`.
 */
export async function serveAdmin(address: AdminAddress, source: AdminSource): Promise<AdminServer> {
  const http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  http.maxConnections = MAX_CONNECTIONS;
  http.on('request', (request, response) => void answer(request, response, source));
  await listen(http, address);
  http.on('error', () => {});
  // This server must not keep the program running.
  http.unref();
  return {
    address: 'path' in address ? address.path : formatAdminAddress({ ...address, port: portOf(http) }),
    [Symbol.asyncDispose]: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
}

async function listen(http: Server, address: AdminAddress): Promise<void> {
  try {
    await once(http.listen(address), 'listening');
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (cause.code === 'EADDRINUSE' && 'path' in address && (await isAbandoned(address.path))) {
      await rm(address.path, { force: true });
      await listen(http, address);
      return;
    }
    throw listenError(cause, address);
  }
}

/** A killed process leaves its socket behind. Another user's socket is not removed, even though root could. */
async function isAbandoned(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isSocket() !== true || !isOwn(stats.uid)) return false;
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}

function listenError(cause: NodeJS.ErrnoException, address: AdminAddress): TunnelError {
  const place = `the admin address ${formatAdminAddress(address)}`;
  const hint = 'give another address with --admin, or leave it out';
  if (cause.code === 'EADDRINUSE') return new CommandError('listen-in-use', { detail: place, hint, cause });
  const detail = `${place}, ${describeSystemError(cause)}`;
  return new CommandError(cause.code === 'EACCES' ? 'listen-denied' : 'listen-failed', { detail, hint, cause });
}

function portOf(http: Server): number {
  return (http.address() as AddressInfo).port;
}

async function answer(request: IncomingMessage, response: ServerResponse, source: AdminSource): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    say(response, 405, 'only GET and HEAD are answered\n');
    return;
  }
  switch (path) {
    case '/healthz':
      say(response, 200, 'ok\n');
      return;
    case '/readyz': {
      const { isReady, reason } = source.readiness();
      // It may come from a peer, and be shown on a terminal.
      say(response, isReady ? 200 : 503, `${printable(reason)}\n`);
      return;
    }
    case '/metrics':
      try {
        say(response, 200, await source.metrics.read(), source.metrics.contentType);
      } catch (error) {
        say(response, 500, `the metrics cannot be read: ${error instanceof Error ? error.message : String(error)}\n`);
      }
      return;
    default:
      say(response, 404, 'there are /healthz, /readyz and /metrics\n');
  }
}

function say(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}
