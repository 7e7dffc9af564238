import { HOST_NAME_LIMIT, LABEL_LIMIT, parentOf, parseHostName } from './host-name.ts';

const WILDCARD = '*.';

/** The longest name that can have any label in front of it. */
const PARENT_LIMIT = HOST_NAME_LIMIT - LABEL_LIMIT - '.'.length;

/**
 * The one spelling of a host name, or of `*.` and one, which stands for all names with one label more, as in certificates. Undefined
 * for what is neither.
 */
export function parseHostPattern(text: string): string | undefined {
  if (!text.startsWith(WILDCARD)) return parseHostName(text);
  const parent = parseDomain(text.slice(WILDCARD.length));
  return parent === undefined ? undefined : WILDCARD + parent;
}

/** As `parseHostName`, for a name that others are to be below. */
export function parseDomain(text: string): string | undefined {
  const parent = parseHostName(text);
  return parent !== undefined && parent.length <= PARENT_LIMIT ? parent : undefined;
}

export function matchesHost(pattern: string, host: string): boolean {
  return pattern === host || pattern === WILDCARD + parentOf(host);
}

/** What the names of a pattern are below; undefined for a single name. */
export function wildcardParent(pattern: string): string | undefined {
  return pattern.startsWith(WILDCARD) ? pattern.slice(WILDCARD.length) : undefined;
}
