import { isIP, isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

import { DEFAULT_CONTROL_PORT, TunnelError } from '@tunnel/shared';

const WS_PORT = 80;
const WSS_PORT = 443;

/** The address of a server, in canonical form. Created by `parseServerAddress`. */
export interface ServerAddress {
  /** TLS below the WebSocket. */
  readonly secure: boolean;
  /** A name in ASCII and lower case, or an IP address; IPv6 without brackets, perhaps with a zone (`fe80::1%eth0`). */
  readonly host: string;
  readonly port: number;
  /** Begins with a slash. */
  readonly path: string;
}

/**
 * Parses a server address: host, host:port, [v6]:port, ws://host:port/path or wss://host/path. Without a scheme it
 * means `ws` and port 7835; with one, the default port of the scheme (80, 443), as in any other URL. Throws a
 * `TunnelError` `usage`.
 */
export function parseServerAddress(text: string): ServerAddress {
  const refuse = (reason: string): never => {
    throw new TunnelError('usage', {
      detail: `${JSON.stringify(withoutUserInformation(text))} is not a valid server address: ${reason}`,
      hint: { id: 'server-address-forms' },
    });
  };
  if (text === '') return refuse('it is empty');
  // oxlint-disable-next-line no-control-regex -- they have no business in an address
  if (/[\s\u0000-\u001f\u007f\\]/.test(text)) return refuse('it contains a space, a backslash or a control character');

  const [, scheme, rest = text] = /^([^:/?#[\]]*):\/\/(.*)$/.exec(text) ?? [];
  if (scheme !== undefined && !/^wss?$/i.test(scheme)) return refuse('the scheme is neither ws nor wss');
  if (/[?#]/.test(rest)) return refuse('a query or fragment cannot be used');
  const slash = rest.indexOf('/');
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  if (authority.includes('@')) return refuse('user and password cannot be used');
  if (slash !== -1 && scheme === undefined) return refuse('a path needs ws:// or wss:// before the host');

  const { host, port } = parseHostAndPort(authority, refuse);
  const secure = scheme?.toLowerCase() === 'wss';
  return {
    secure,
    host,
    port: port ?? defaultPort(scheme, secure),
    // Resolves dots and escapes characters exactly as `ws` will do again.
    path: slash === -1 ? '/' : new URL(`ws://host${rest.slice(slash)}`).pathname,
  };
}

/** Reads `host`, `host:port` or `[v6]:port`, with the host in canonical form. `refuse` throws with the reason. */
export function parseHostAndPort(
  text: string,
  refuse: (reason: string) => never,
): { readonly host: string; readonly port: number | undefined } {
  const parts = /^(\[[^[\]]*\]|[^:[\]]*)(?::([^:[\]]*))?$/.exec(text);
  if (parts === null) return refuse('an IPv6 address needs brackets, as in [::1]:7835');
  const [, bracketedHost = '', portText] = parts;
  return {
    host: canonicalHost(bracketedHost) ?? refuse(bracketedHost === '' ? 'the host is missing' : 'not a valid host'),
    port:
      portText === undefined ? undefined : (parsePort(portText) ?? refuse('the port is not a number from 1 to 65535')),
  };
}

/**
 * The canonical text of an address: equal for equal addresses, accepted by `parseServerAddress`, and the key for what
 * is remembered about that server. The port is left out if the scheme implies it.
 */
export function formatServerAddress(address: ServerAddress): string {
  return formatUrl(address, address.host);
}

/** The URL for `ws`: as `formatServerAddress`, without a zone, which means nothing to the other side (RFC 6874). */
export function webSocketUrl(address: ServerAddress): string {
  return formatUrl(address, withoutZone(address.host));
}

/** `host:port`, with brackets around IPv6. */
export function formatHostAndPort(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Removes the zone of an IPv6 address: the interface to reach it through, after a percent sign. */
export function withoutZone(host: string): string {
  return isIP(host) === 6 ? (host.split('%', 1)[0] ?? host) : host;
}

function formatUrl({ secure, port, path }: ServerAddress, host: string): string {
  const bracketedHost = isIP(host) === 6 ? `[${host}]` : host;
  const portText = port === (secure ? WSS_PORT : WS_PORT) ? '' : `:${port}`;
  return `${secure ? 'wss' : 'ws'}://${bracketedHost}${portText}${path === '/' ? '' : path}`;
}

function defaultPort(scheme: string | undefined, secure: boolean): number {
  if (scheme === undefined) return DEFAULT_CONTROL_PORT;
  return secure ? WSS_PORT : WS_PORT;
}

function parsePort(text: string): number | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function canonicalHost(text: string): string | undefined {
  if (text.startsWith('[')) {
    const [address = '', ...zone] = text.slice(1, -1).split('%');
    if (!isIPv6(address) || zone.length > 1 || (zone[0] !== undefined && !/^[\w.~-]+$/.test(zone[0]))) return undefined;
    const canonical = new URL(`ws://[${address}]`).hostname.slice(1, -1);
    return zone[0] === undefined ? canonical : `${canonical}%${zone[0]}`;
  }
  if (isIPv4(text)) return text;
  // In URLs 3000 and 0x7f.1 are IPv4 addresses, but nobody means that here.
  if (/(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(text)) return undefined;
  if (/[^\p{L}\p{M}\p{N}._-]/u.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const labels = (ascii.endsWith('.') ? ascii.slice(0, -1) : ascii).split('.');
  const isName = ascii.length <= 253 && labels.every((label) => /^[a-z\d_-]{1,63}$/.test(label));
  return isName && isIP(ascii) === 0 ? ascii : undefined;
}

/** A misplaced password must not end up in an error that is printed or logged. */
function withoutUserInformation(text: string): string {
  return text.replace(/^((?:[^/]*:\/\/)?).*@/s, '$1***@');
}
