import { isBelow, parseHostName } from '@tunnel/shared/node';
import { matchesHost } from './host-patterns.ts';

export interface HostBoundsOptions {
  /** What names are below. Undefined: there is none. */
  readonly domain: string | undefined;
  /** Further names, and patterns of names. */
  readonly allowed: readonly string[];
  /** The host in public addresses. */
  readonly publicHost: string | undefined;
}

/** The host names that a server grants at all. Names are in their one spelling. */
export class HostBounds {
  readonly domain: string | undefined;
  /** What a key may have about which nothing else is said. Only one label below the domain: deeper ones share cookies with it. */
  readonly patternsForAll: readonly string[];
  readonly #own: ReadonlySet<string>;

  constructor({ domain, allowed, publicHost }: HostBoundsOptions) {
    this.domain = domain;
    this.patternsForAll = [...(domain === undefined ? [] : [`*.${domain}`]), ...allowed];
    const own = ['localhost', domain, publicHost === undefined ? undefined : parseHostName(publicHost)];
    this.#own = new Set(own.filter((name) => name !== undefined));
  }

  /** Whether clients look for the server itself under this name. */
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

  /** As people write it. */
  describe(): string {
    return this.patternsForAll.join(', ');
  }
}
