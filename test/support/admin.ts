import { once } from 'node:events';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TunnelProcess } from './command.ts';

/** What an admin endpoint answered. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** Waits until a process with `--admin 0` has said where its admin endpoint is. */
export async function adminPortOf(process: TunnelProcess): Promise<number> {
  const [, port] = await process.waitForStderr(/"address":"127\.0\.0\.1:(\d+)","msg":"admin endpoint"/);
  return Number(port);
}

/** Asks an admin endpoint at a loopback port, or at a socket path. */
export async function askAdmin(
  place: number | string,
  path: string,
  options: RequestOptions = {},
): Promise<AdminAnswer> {
  const where = typeof place === 'number' ? { host: '127.0.0.1', port: place } : { socketPath: place };
  const asked = request({ ...where, path, agent: false, ...options });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** The samples of a scrape, by name with labels. */
export function samplesOf(metrics: string): ReadonlyMap<string, number> {
  const lines = metrics.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}
