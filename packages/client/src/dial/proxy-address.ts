import { TunnelError } from '@tunnel/shared';

import { formatHostAndPort, parseHostAndPort } from './address.ts';

/** An outgoing proxy. Created by `parseProxyAddress`. */
export interface ProxyAddress {
  /**
   * - `http`, `https`: asked with CONNECT; `https` is TLS to the proxy itself.
   * - `socks5`: SOCKS 5 with addresses that were looked up here; `socks5h`: the proxy looks the name up.
   */
  readonly scheme: 'http' | 'https' | 'socks5' | 'socks5h';
  readonly host: string;
  readonly port: number;
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
}

const DEFAULT_PORTS: Readonly<Record<ProxyAddress['scheme'], number>> = {
  http: 80,
  https: 443,
  socks5: 1080,
  socks5h: 1080,
};

/** The longest credential that fits the one-byte length of RFC 1929. */
const GREATEST_SOCKS_CREDENTIAL_BYTES = 255;

/**
 * Parses a proxy's URL; without a scheme it is `http`. User and password may be percent-encoded. Throws a `TunnelError`
 * `usage`, whose text never contains anything before the host, since that may be a password.
 */
export function parseProxyAddress(text: string): ProxyAddress {
  const refuse = (reason: string): never => {
    throw new TunnelError('usage', {
      detail: `${JSON.stringify(withoutCredentials(text))} is not a valid proxy: ${reason}`,
      hint: { id: 'proxy-address-forms' },
    });
  };
  const [, givenScheme = 'http', rest = ''] = /^(?:([^:/?#@]*):\/\/)?([^]*)$/.exec(text) ?? [];
  // Desktops put socks:// into ALL_PROXY, meaning SOCKS 5.
  const lower = givenScheme.toLowerCase();
  const scheme = lower === 'socks' ? 'socks5' : lower;
  if (!isScheme(scheme)) return refuse('the scheme is none of http, https, socks5 and socks5h');
  const at = rest.lastIndexOf('@');
  const authority = rest.slice(at + 1).replace(/\/$/, '');
  const { host, port } = parseHostAndPort(authority, refuse);
  const credentials = at === -1 ? undefined : parseCredentials(rest.slice(0, at), refuse);
  if (scheme.startsWith('socks') && credentials !== undefined) {
    const { user, password } = credentials;
    if ([user, password].some((each) => Buffer.byteLength(each) > GREATEST_SOCKS_CREDENTIAL_BYTES)) {
      return refuse('its user or password is too long for SOCKS');
    }
  }
  return { scheme, host, port: port ?? DEFAULT_PORTS[scheme], credentials };
}

/** The proxy in a form that may be shown: without user and password. */
export function formatProxyAddress({ scheme, host, port }: ProxyAddress): string {
  return `${scheme}://${formatHostAndPort(host, port)}`;
}

function isScheme(text: string): text is ProxyAddress['scheme'] {
  return Object.hasOwn(DEFAULT_PORTS, text);
}

function parseCredentials(text: string, refuse: (reason: string) => never): ProxyAddress['credentials'] {
  const colon = text.indexOf(':');
  try {
    const user = decodeURIComponent(colon === -1 ? text : text.slice(0, colon));
    return { user, password: colon === -1 ? '' : decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    return refuse('a percent sign in the user or password is written %25');
  }
}

function withoutCredentials(text: string): string {
  return text.replace(/^((?:[^:/?#@]*:\/\/)?)[^]*@/, '$1***@');
}
