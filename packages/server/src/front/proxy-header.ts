// The PROXY protocol, versions 1 and 2: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
import { isIPv4, isIPv6 } from 'node:net';
import { canonicalAddress } from '@tunnel/shared/node';
import type { Peer } from './peer.ts';

/** Section 2.1: the longest line, with its end. */
const VERSION_1_BYTES = 107;

/** The longest header of version 2: the addresses, and what load balancers put behind them. */
const VERSION_2_BYTES = 4096;

const VERSION_1_START = Buffer.from('PROXY ', 'latin1');
const VERSION_1_LINE = /^PROXY (?:UNKNOWN(?: .*)?|TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))$/;

/** Section 2.2. */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2_FIXED_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPECIFIED = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** Somebody on the load balancer's own machine: the name of a Unix socket is no address. */
const UNIX_STREAM = 0x31;

export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** `peer` is undefined where the header says that it is about nobody else: the connection is the proxy's own. */
  | { readonly kind: 'complete'; readonly length: number; readonly peer: Peer | undefined };

const INCOMPLETE: ProxyHeader = { kind: 'incomplete' };

/** Reads the header at the start of `bytes`, as far as it came. Of `malformed` more bytes make nothing better. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < VERSION_2_FIXED_BYTES ? INCOMPLETE : readVersion2(bytes);
  if (startsLike(bytes, VERSION_1_START)) return readVersion1(bytes);
  return malformed('it begins with something else');
}

/** Whether `bytes` are the beginning of `start`, or begin with it. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, VERSION_1_BYTES).indexOf('\r\n');
  if (end === -1) return bytes.length < VERSION_1_BYTES ? INCOMPLETE : malformed('its line does not end');
  const [line, family, address = '', destination = '', port, destinationPort] =
    VERSION_1_LINE.exec(bytes.toString('latin1', 0, end)) ?? [];
  if (line === undefined) return malformed('its line cannot be read');
  const length = end + 2;
  if (family === undefined) return { kind: 'complete', length, peer: undefined };
  const isAddress = family === '4' ? isIPv4 : isIPv6;
  if (!isAddress(address) || !isAddress(destination)) return malformed('an address of another kind');
  if (Number(port) > 65_535 || Number(destinationPort) > 65_535) return malformed('a port above 65535');
  return complete(length, address, Number(port), destination);
}

function readVersion2(bytes: Buffer): ProxyHeader {
  const [versionAndCommand, familyAndProtocol] = bytes.subarray(SIGNATURE.length);
  if (versionAndCommand !== LOCAL && versionAndCommand !== PROXY) return malformed('an unknown version or command');
  const length = VERSION_2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (length > VERSION_2_BYTES) return malformed('it is too long');
  if (bytes.length < length) return INCOMPLETE;
  if (versionAndCommand === LOCAL) return { kind: 'complete', length, peer: undefined };
  const addresses = bytes.subarray(VERSION_2_FIXED_BYTES, length);
  switch (familyAndProtocol) {
    case UNSPECIFIED:
    case UNIX_STREAM:
      return { kind: 'complete', length, peer: undefined };
    case TCP_OVER_IPV4:
      return addresses.length < 12 ? malformed('it is too short') : fromBytes(length, addresses, 4, ipv4);
    case TCP_OVER_IPV6:
      return addresses.length < 36 ? malformed('it is too short') : fromBytes(length, addresses, 16, ipv6);
    default:
      return malformed('it is not about a TCP connection');
  }
}

function fromBytes(length: number, bytes: Buffer, size: number, format: (address: Buffer) => string): ProxyHeader {
  const address = format(bytes.subarray(0, size));
  return complete(length, address, bytes.readUInt16BE(2 * size), format(bytes.subarray(size, 2 * size)));
}

function ipv4(address: Buffer): string {
  return address.join('.');
}

function ipv6(address: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => address.readUInt16BE(2 * group).toString(16)).join(':');
}

function complete(length: number, address: string, port: number, destination: string): ProxyHeader {
  return {
    kind: 'complete',
    length,
    peer: { address: shortest(address), port, destination: shortest(destination) },
  };
}

/** As the system tells addresses: IPv4 also where it is written as IPv6. */
function shortest(address: string): string {
  return canonicalAddress(address)?.text ?? address;
}

function malformed(reason: string): ProxyHeader {
  return { kind: 'malformed', reason };
}
