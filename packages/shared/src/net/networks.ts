import { BlockList, isIPv4, isIPv6 } from 'node:net';

type Family = 'ipv4' | 'ipv6';

export interface Address {
  readonly text: string;
  readonly family: Family;
}

/** The addresses that share the first `prefix` bits. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: Family;
}

const BITS = { ipv4: 32, ipv6: 128 } as const;

/** Where the IPv4 address begins in an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2), in bits. */
const MAPPED_BITS = 96;

/**
 * An IP address in its shortest form, without dots in IPv6 and without a link-local zone. IPv4-mapped addresses
 * (`::ffff:10.0.0.1`) become IPv4. Undefined for anything else.
 */
export function canonicalAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { text, family: 'ipv4' };
  if (!isIPv6(text)) return undefined;
  const [withoutZone = ''] = text.split('%');
  const canonical = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return { text: canonical, family: 'ipv6' };
  const parts = [high, low].flatMap((group) => [parseInt(group, 16) >>> 8, parseInt(group, 16) & 0xff]);
  return { text: parts.join('.'), family: 'ipv4' };
}

/**
 * The address that a server listens on, if others can reach it under that: undefined for the wildcard addresses
 * (`0.0.0.0`, `::`).
 */
export function hostToDial(host: string | undefined): string | undefined {
  const address = canonicalAddress(host ?? '')?.text;
  return address === '0.0.0.0' || address === '::' ? undefined : host;
}

/**
 * Reads a network in CIDR notation (RFC 4632) or a single address. Bits after the prefix are ignored. Undefined if it
 * is neither.
 */
export function parseNetwork(text: string): Network | undefined {
  const [, addressText = '', prefixText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalAddress(addressText);
  if (!address) return undefined;
  const { family } = address;
  // The prefix of an IPv4-mapped network counts from the start of the IPv6 address.
  const skippedBits = family === 'ipv4' && isIPv6(addressText) ? MAPPED_BITS : 0;
  const prefix = prefixText === undefined ? BITS[family] : Number(prefixText) - skippedBits;
  return prefix >= 0 && prefix <= BITS[family] ? { address: address.text, prefix, family } : undefined;
}

/** Networks of both families. An IPv4 address is never in an IPv6 network, not even `::/0`. */
export class NetworkList {
  // One list per family: Node also looks for IPv4 addresses in IPv6 networks.
  readonly #networks = { ipv4: new BlockList(), ipv6: new BlockList() };
  readonly #isEmpty: boolean;

  constructor(networks: readonly Network[]) {
    this.#isEmpty = networks.length === 0;
    for (const { address, prefix, family } of networks) this.#networks[family].addSubnet(address, prefix, family);
  }

  /** False if it is not an address. */
  has(address: string): boolean {
    if (this.#isEmpty) return false;
    const canonical = canonicalAddress(address);
    return canonical !== undefined && this.#networks[canonical.family].check(canonical.text, canonical.family);
  }
}
