// The PROXY protocol, versions 1 and 2: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
import { canonicalAddress, type VisitorEnds } from '@tunnel/shared/node';
import { formatHostAndPort } from '../dial/address.ts';

/** As events tell it. The server does not know the address of a visitor that was gone before it was accepted. */
export function nameOfVisitor({ address, port }: Pick<VisitorEnds, 'address' | 'port'>): string {
  return address === '' ? 'unknown' : formatHostAndPort(address, port);
}

/** Section 2.2. */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2_PROXY = 0x21;
const TCP_OVER = { ipv4: 0x11, ipv6: 0x21 } as const;
const UNSPECIFIED = 0x00;

/** What goes before a visitor's first byte. Where the addresses are not known, or of two families, it says that. */
export function proxyHeader(version: 'v1' | 'v2', visitor: VisitorEnds): Buffer {
  const from = canonicalAddress(visitor.address);
  const to = canonicalAddress(visitor.destination);
  const family = from?.family === to?.family ? from?.family : undefined;
  const isKnown = from !== undefined && to !== undefined && family !== undefined;
  if (version === 'v1') {
    const protocol = family === 'ipv4' ? 'TCP4' : 'TCP6';
    const addresses = isKnown
      ? `${protocol} ${from.text} ${to.text} ${visitor.port} ${visitor.destinationPort}`
      : 'UNKNOWN';
    return Buffer.from(`PROXY ${addresses}\r\n`, 'latin1');
  }
  if (!isKnown) return version2(UNSPECIFIED, []);
  return version2(TCP_OVER[family], [
    ...bytesOf(from.text, family),
    ...bytesOf(to.text, family),
    visitor.port >>> 8,
    visitor.port & 0xff,
    visitor.destinationPort >>> 8,
    visitor.destinationPort & 0xff,
  ]);
}

function version2(familyAndProtocol: number, addresses: readonly number[]): Buffer {
  return Buffer.from([...SIGNATURE, VERSION_2_PROXY, familyAndProtocol, 0, addresses.length, ...addresses]);
}

/** Of a canonical address, as it goes over networks. */
function bytesOf(address: string, family: 'ipv4' | 'ipv6'): readonly number[] {
  if (family === 'ipv4') return address.split('.').map(Number);
  const [before = [], after] = address.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const zeros = after === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...(after ?? [])].flatMap((group) => {
    const number = parseInt(group, 16);
    return [number >>> 8, number & 0xff];
  });
}
