import { TunnelError } from '@tunnel/shared';
import { hostNameFault, isBelow, matchesHost, parseDomain, parseHostName, parseHostPattern } from '@tunnel/shared/node';

/** For somebody who can change it. */
export const NO_DOMAIN = 'this server has no domain for HTTP tunnels; start it with --domain';

export interface HostBoundsOptions {
  /** What names are below. Undefined: there is none. */
  readonly domain: string | undefined;
  /** Further names, and patterns of names. */
  readonly allowHosts: readonly string[];
  /** The host in public addresses. */
  readonly publicHost: string | undefined;
}

/** The host names that a server grants at all. */
export class HostBounds {
  /** In its one spelling. */
  readonly domain: string | undefined;
  /** What a key may have about which nothing else is said. Only one label below the domain: deeper ones share cookies with it. */
  readonly patternsForAll: readonly string[];
  readonly #own: ReadonlySet<string>;

  /** Throws `usage`. */
  constructor({ domain, allowHosts, publicHost }: HostBoundsOptions) {
    this.domain = domain === undefined ? undefined : requireDomain(domain);
    const own = ['localhost', this.domain, publicHost === undefined ? undefined : parseHostName(publicHost)];
    this.#own = new Set(own.filter((name) => name !== undefined));
    const allowed = allowHosts.map((text) => this.#requireAllowable(text));
    this.patternsForAll = [...(this.domain === undefined ? [] : [`*.${this.domain}`]), ...allowed];
  }

  /** Whether clients look for the server itself under this name. Takes names in their one spelling, as all others here do. */
  isOwn(host: string): boolean {
    return this.#own.has(host);
  }

  /** Whether it is a name for visitors, also if nobody has it. */
  isForVisitors(host: string): boolean {
    return this.domain !== undefined && isBelow(host, this.domain) && !this.isOwn(host);
  }

  /** Whether a key could have this name, or all names of this pattern but the server's own. */
  includes(pattern: string): boolean {
    if (this.isOwn(pattern)) return false;
    if (this.domain !== undefined && isBelow(pattern, this.domain)) return true;
    return this.patternsForAll.some((each) => matchesHost(each, pattern));
  }

  /** Why `includes` says no, for people. */
  explain(pattern: string): string {
    if (this.isOwn(pattern)) return `${pattern} is the server's own name`;
    const granted = this.patternsForAll.join(', ');
    return `${pattern}; ${granted === '' ? NO_DOMAIN : `this server grants ${granted}`}`;
  }

  #requireAllowable(text: string): string {
    const pattern = parseHostPattern(text);
    if (pattern === undefined)
      throw unusable('allowHosts', text, 'neither a host name nor a pattern such as *.example.org');
    if (this.isOwn(pattern)) throw unusable('allowHosts', text, "the server's own name is for no client");
    return pattern;
  }
}

function requireDomain(text: string): string {
  const domain = parseDomain(text);
  if (domain !== undefined) return domain;
  throw unusable(
    'domain',
    text,
    parseHostName(text) === undefined ? hostNameFault(text) : 'too long for names below it',
  );
}

function unusable(option: string, text: string, reason: string): TunnelError {
  return new TunnelError('usage', { detail: `${option} ${JSON.stringify(text)}: ${reason}` });
}

/** Names below `localhost` lead whoever opens them to their own machine (RFC 6761). */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || isBelow(host, 'localhost');
}
