import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { IpAddress } from '../dial/name-lookups.ts';

const TABLES = ['/proc/net/udp', '/proc/net/udp6'];

/** Whether a table of the kernel's, as in /proc/net/udp, has a socket with this local port. */
export function hasUdpPort(table: string, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`^ *\\d+: [\\dA-F]+:${hex} `, 'm').test(table);
}

/** Whether a UDP socket of this machine has the port. Only Linux says so; elsewhere it is false. */
export async function isUdpPort(addresses: readonly IpAddress[], port: number): Promise<boolean> {
  if (process.platform !== 'linux' || !addresses.some(isOfThisMachine)) return false;
  const tables = await Promise.all(TABLES.map((path) => readFile(path, 'latin1').catch(() => '')));
  return tables.some((table) => hasUdpPort(table, port));
}

function isOfThisMachine({ address }: IpAddress): boolean {
  if (address === '::1' || address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((each) => each?.some((own) => own.address === address));
}
