import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host is this machine: a loopback address, or `localhost` and everything below it (RFC 6761). */
export function isLoopback(host: string): boolean {
  return /^(?:.*\.)?localhost\.?$/.test(host) || isIn(LOOPBACK, host);
}

/** Whether an address is in a list; names never are. */
export function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
