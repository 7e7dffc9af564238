import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { hostNameFault, parseDomain, parseHostName, parseHostPattern } from '@tunnel/shared/node';
import { normalHostName, problemOfHostHeader, problemOfHostName } from '@tunnel/client/internal';
import { type Given, unusable } from './given.ts';

const HINT = 'a host is a name or an IP address, without scheme and port';
const DOMAIN_HINT = 'a domain is a host name, as in tunnel.example.org; names of tunnels are below it';
const PATTERN_HINT = 'give host names, with commas between them; *.example.org means all names with one label more';

/** Words for what a service sees as Host, beside a name. */
const HOST_HEADER_WORDS: readonly string[] = ['keep', 'local'];

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

/** Reads the host name that a tunnel asks for: one label, or a whole name. */
export function parsePublicHost(given: Given): string {
  const problem = problemOfHostName(given.text);
  if (problem === undefined) return normalHostName(given.text);
  throw unusable(
    given,
    problem,
    "give one label, as in shop, which stands below the server's domain, or a whole host name",
  );
}

/** Reads `keep`, `local`, or what a service is to see as Host. */
export function parseHostHeader(given: Given): string {
  const { text } = given;
  const problem = HOST_HEADER_WORDS.includes(text) ? undefined : problemOfHostHeader(text);
  if (problem === undefined) return text;
  throw unusable(given, problem, 'give keep, local, or a name that the service knows, as in app.lan or app.lan:8080');
}

/** Reads a host name that others can be below. The result is its ASCII form in lower case. */
export function parseDomainName(given: Given): string {
  const domain = parseDomain(given.text);
  if (domain !== undefined) return domain;
  const isName = parseHostName(given.text) !== undefined;
  throw unusable(given, isName ? 'too long for names below it' : hostNameFault(given.text), DOMAIN_HINT);
}

/** Reads host names, and patterns such as `*.example.org`, with commas between them. */
export function parseHostPatterns({ text, source }: Given): readonly string[] {
  return text.split(',').map((part) => {
    const pattern = parseHostPattern(part.trim());
    if (pattern !== undefined) return pattern;
    const given = { text: part.trim(), source };
    throw unusable(given, 'neither a host name nor a pattern such as *.example.org', PATTERN_HINT);
  });
}
