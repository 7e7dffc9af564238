import { readFile, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { describeSystemError } from '@tunnel/shared/node';
import type { IpAddress, Lookup } from '../dial/name-lookups.ts';
import type { LocalTarget } from '../options.ts';
import type { ServiceFailure } from './service-health.ts';

/** What the kernel says of a TCP port of this machine. `unknown`: of another machine, or the kernel does not say. */
export type PortUse = 'listening' | 'udp-only' | 'unused' | 'unknown';

const TCP_TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const UDP_TABLES = ['/proc/net/udp', '/proc/net/udp6'];

/**
 * What is wrong with a target, as far as can be told without a connection to it: one would be the only one that a program such as
 * `nc -l` takes. Undefined if nothing is wrong, or nothing is known; then the first visitor finds out.
 */
export async function lookAtTarget(
  target: LocalTarget,
  lookup: Lookup,
  platform: NodeJS.Platform = process.platform,
): Promise<ServiceFailure | undefined> {
  try {
    if ('path' in target) {
      // To look at a pipe is to open it.
      if (platform === 'win32') return undefined;
      const isSocket = (await stat(target.path)).isSocket();
      return isSocket ? undefined : { reason: 'not a socket', code: 'ENOTSOCK' };
    }
    const use = await portUse(await lookup(target.host), target.port, platform);
    if (use === 'unused') return { reason: 'connection refused', code: 'ECONNREFUSED' };
    if (use !== 'udp-only') return undefined;
    return { reason: 'connection refused; only UDP has this port, and a tunnel carries TCP', code: 'ECONNREFUSED' };
  } catch (error) {
    return { reason: describeSystemError(error), code: (error as NodeJS.ErrnoException).code ?? '' };
  }
}

/** Only Linux says so. A listener on any address of this machine counts. */
export async function portUse(
  addresses: readonly IpAddress[],
  port: number,
  platform: NodeJS.Platform = process.platform,
): Promise<PortUse> {
  if (platform !== 'linux' || !addresses.every(isOfThisMachine)) return 'unknown';
  const tcp = await readTables(TCP_TABLES);
  if (tcp.length === 0) return 'unknown';
  if (tcp.some((table) => hasListener(table, port))) return 'listening';
  const udp = await readTables(UDP_TABLES);
  return udp.some((table) => hasPort(table, port)) ? 'udp-only' : 'unused';
}

/** Whether a table of the kernel's, as in /proc/net/tcp, has a socket that listens on this port. */
export function hasListener(table: string, port: number): boolean {
  return new RegExp(`^ *\\d+: [\\dA-F]+:${hexOf(port)} [\\dA-F]+:0000 0A `, 'm').test(table);
}

/** Whether a table of the kernel's has a socket with this local port. */
export function hasPort(table: string, port: number): boolean {
  return new RegExp(`^ *\\d+: [\\dA-F]+:${hexOf(port)} `, 'm').test(table);
}

function hexOf(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

async function readTables(paths: readonly string[]): Promise<readonly string[]> {
  const tables = await Promise.all(paths.map((path) => readFile(path, 'latin1').catch(() => undefined)));
  return tables.filter((table) => table !== undefined);
}

function isOfThisMachine({ address }: IpAddress): boolean {
  if (address === '::1' || address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((each) => each?.some((own) => own.address === address));
}
