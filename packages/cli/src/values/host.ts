import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { type Given, unusable } from './given.ts';

const HINT = 'a host is a name or an IP address, without scheme and port';

/** Reads a host name or an IP address; IPv6 with or without brackets, and without them in the result. */
export function parseHost(given: Given): string {
  const host = toHost(given.text);
  if (host === undefined) throw unusable(given, 'not a valid host', HINT);
  return host;
}

/** A host without brackets, or undefined. */
export function toHost(text: string): string | undefined {
  const bracketed = /^\[(.*)\]$/.exec(text)?.[1];
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed : undefined;
  if (isIP(text) !== 0) return text;
  // Anything that still looks like an IPv4 address is invalid: names do not end with a number.
  if (/(?:^|\.)\d+$/.test(text) || /[^\p{L}\p{M}\p{N}._-]/u.test(text)) return undefined;
  const name = domainToASCII(text);
  return /^[a-z\d_]([a-z\d_.-]{0,251}[a-z\d_.])?$/.test(name) ? name : undefined;
}
