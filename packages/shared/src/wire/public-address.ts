import { isPublicHost } from './public-host.ts';

const SCHEMES = ['tcp', 'http', 'https'] as const;

/** An address at which people reach a tunnel, as in `tcp://example.org:49152`. */
export interface PublicAddress {
  readonly scheme: (typeof SCHEMES)[number];
  /** A name or an address, IPv6 without brackets. Empty: the host that the client dialed. */
  readonly host: string;
  readonly port: number;
}

/** Brackets around IPv6, and no zero before a port: an address has one spelling. */
const ADDRESS = /^(?<scheme>[a-z]+):\/\/(?:\[(?<bracketed>[^[\]]+)\]|(?<plain>[^[\]:]*)):(?<port>[1-9]\d{0,4})$/;

export function formatPublicAddress({ scheme, host, port }: PublicAddress): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Undefined for what is not one. It becomes a link that people click on and scripts use, so nothing else gets through. */
export function parsePublicAddress(text: string): PublicAddress | undefined {
  const { scheme: schemeText, bracketed, plain, port: portText } = ADDRESS.exec(text)?.groups ?? {};
  const scheme = SCHEMES.find((known) => known === schemeText);
  const host = bracketed ?? plain ?? '';
  const port = Number(portText);
  if (!scheme || !(port <= 0xffff)) return undefined;
  if (bracketed !== undefined && !bracketed.includes(':')) return undefined;
  return host === '' || isPublicHost(host) ? { scheme, host, port } : undefined;
}
