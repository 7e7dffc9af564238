import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { canonicalAddress, NetworkList, parseNetwork } from '@tunnel/shared/node';
import type { Peer } from './peer.ts';

const LOOPBACK = networkList(['127.0.0.0/8', '::1'], 'loopback network');

/** Where a client comes from. */
export interface ClientAddress {
  /** Address and port, or the address alone that a trusted proxy tells. */
  readonly text: string;
  /** The address alone. */
  readonly address: string;
  /** 0 if only a proxy knows it. */
  readonly port: number;
  /** Whether a trusted proxy is at the other end of the connection. */
  readonly isForwarded: boolean;
  /** The address, and those of the trusted proxies behind it, up to the other end of the connection. */
  readonly route: readonly string[];
  /** What it counts as where places are shared: see `sourceOf`. */
  readonly source: string;
}

/** Tells where a request comes from, also through proxies whose word counts. */
export class ClientAddresses {
  readonly #trustedProxies: NetworkList;

  /** Networks in CIDR notation, or addresses. Throws `usage`. */
  constructor(trustedProxies: readonly string[]) {
    this.#trustedProxies = networkList(trustedProxies, 'trusted proxy');
  }

  /** `peer` is at the other end of the connection. Through a trusted proxy it is the address that the proxy tells. */
  of({ headers }: Pick<IncomingMessage, 'headers'>, peer: Peer): ClientAddress {
    const isForwarded = this.#trustedProxies.has(peer.address);
    const forwardedFor = isForwarded ? this.#forwardedFor(headers['x-forwarded-for']) : [];
    const [forwarded] = forwardedFor;
    return {
      route: [...forwardedFor, peer.address],
      address: forwarded ?? peer.address,
      port: forwarded === undefined ? peer.port : 0,
      isForwarded,
      text: forwarded === undefined ? `${bracketed(peer.address)}:${peer.port}` : bracketed(forwarded),
      source: sourceOf(forwarded ?? peer.address),
    };
  }

  /** Each proxy puts whom it serves behind what it was told: from the right, up to the first that is not a trusted proxy itself. */
  #forwardedFor(header: string | readonly string[] = []): readonly string[] {
    const addresses: string[] = [];
    for (const entry of [header].flat().join(',').split(',').toReversed()) {
      const address = withoutPort(entry.trim());
      if (isIP(address) === 0) break;
      addresses.unshift(address);
      if (!this.#trustedProxies.has(address)) break;
    }
    return addresses;
  }
}

/** Whether an address is this machine's own loopback. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address);
}

/**
 * Who an address counts as where places are shared: IPv4 addresses by themselves, those of IPv6 by their first 64 bits, since
 * whoever has one has all others of that network, too.
 */
export function sourceOf(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined || canonical.family === 'ipv4') return canonical?.text ?? '';
  const [before = '', after] = canonical.text.split('::');
  const groups = before === '' ? [] : before.split(':');
  if (after !== undefined) {
    const rest = after === '' ? [] : after.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** Throws `usage`: `what` names the networks. */
export function networkList(texts: readonly string[], what: string): NetworkList {
  return new NetworkList(
    texts.map((text) => {
      const network = parseNetwork(text);
      if (network === undefined) throw new TunnelError('usage', { detail: `${what} ${text}: not a valid network` });
      return network;
    }),
  );
}

/** `192.0.2.1:80` and `[2001:db8::1]:80` are told by some proxies. */
function withoutPort(text: string): string {
  return /^\[([^\]]*)\]/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
