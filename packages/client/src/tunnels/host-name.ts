import { isIP, isIPv6 } from 'node:net';
import { hostNameFault, parseHostName } from '@tunnel/shared/node';

const HOST_AND_PORT = /^(.*?)(?::(\d{1,5}))?$/;

/** A host name in its one spelling; what is none stays as it is, for whoever is to see what is wrong with it. */
export function normalHostName(text: string): string {
  return parseHostName(text) ?? text;
}

/** Why a tunnel cannot have this host name; undefined if it can. One label is a name, too. */
export function problemOfHostName(text: string): string | undefined {
  if (text === '') return 'the name is missing';
  if (/[/:@\s]/.test(text)) return 'a name has no scheme, port, path or blank';
  return parseHostName(text) === undefined ? hostNameFault(text) : undefined;
}

/** Why a Host header cannot say this; undefined if it can: a name or an address, perhaps with a port. */
export function problemOfHostHeader(text: string): string | undefined {
  const [, host = '', port = '1'] = HOST_AND_PORT.exec(text) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) return 'the port is not a number from 1 to 65535';
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined) return isIPv6(bracketed) ? undefined : 'that is not an IPv6 address';
  return isIP(host) === 4 ? undefined : problemOfHostName(host);
}
