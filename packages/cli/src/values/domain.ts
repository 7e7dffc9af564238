import { hostNameFault, parseDomain, parseHostName, parseHostPattern } from '@tunnel/shared/node';
import { type Given, unusable } from './given.ts';

const DOMAIN_HINT = 'a domain is a host name, as in tunnel.example.org; names of tunnels are below it';
const PATTERN_HINT = 'give host names, with commas between them; *.example.org means all names with one label more';

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
