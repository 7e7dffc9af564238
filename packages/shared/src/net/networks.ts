import { BlockList, isIPv4, isIPv6 } from 'node:net';

type Family = 'ipv4' | 'ipv6';

export interface Address {
  readonly text: string;
  readonly family: Family;
}

/** The addresses that share their first `prefix` bits. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: Family;
}

const BITS = { ipv4: 32, ipv6: 128 } as const;

/** Where the IPv4 address begins in an IPv6 address that stands for one (RFC 4291, section 2.5.5.2), in bits. */
const MAPPED_BITS = 96;

/**
 * An IP address in its shortest form, without dots in IPv6 and without the zone of a link-local address. IPv4 written as
 * IPv6 (`::ffff:10.0.0.1`) is IPv4. Undefined for anything else.
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

/** What a server listens on, where others can name it by that: undefined for the addresses that stand for all (`0.0.0.0`, `::`). */
export function hostToDial(host: string | undefined): string | undefined {
  const address = canonicalAddress(host ?? '')?.text;
  return address === '0.0.0.0' || address === '::' ? undefined : host;
}

/** Reads a network in CIDR notation (RFC 4632), or one address. Bits behind the prefix do not matter. Undefined where it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [, addressText = '', prefixText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalAddress(addressText);
  if (!address) return undefined;
  const { family } = address;
  // The prefix of an IPv4 network that is written as IPv6 counts from the start of the IPv6 address.
  const skippedBits = family === 'ipv4' && isIPv6(addressText) ? MAPPED_BITS : 0;
  const prefix = prefixText === undefined ? BITS[family] : Number(prefixText) - skippedBits;
  return prefix >= 0 && prefix <= BITS[family] ? { address: address.text, prefix, family } : undefined;
}

/** Networks of both families. An IPv4 address is in no IPv6 network, not even in `::/0`. */
export class NetworkList {
  // One for each: Node looks for IPv4 addresses in IPv6 networks, too.
  readonly #networks = { ipv4: new BlockList(), ipv6: new BlockList() };

  constructor(networks: readonly Network[]) {
    for (const { address, prefix, family } of networks) this.#networks[family].addSubnet(address, prefix, family);
  }

  /** False also for what is no address. */
  has(address: string): boolean {
    const canonical = canonicalAddress(address);
    return canonical !== undefined && this.#networks[canonical.family].check(canonical.text, canonical.family);
  }
}
