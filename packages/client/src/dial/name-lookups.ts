import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';

export interface IpAddress {
  readonly address: string;
  readonly family: number;
}

/** Resolves a name to all its addresses, best first. Rejects with an error whose `code` says why. */
export type Lookup = (host: string) => Promise<readonly IpAddress[]>;

/** RFC 6761, section 6.3: with or without a line in /etc/hosts. */
const LOOPBACK: readonly IpAddress[] = [
  { address: '::1', family: 6 },
  { address: '127.0.0.1', family: 4 },
];

/** The addresses of a host that needs no resolver: a literal address or this machine. Undefined for any other name. */
export function knownAddresses(host: string): readonly IpAddress[] | undefined {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  return /^localhost\.?$/i.test(host) ? LOOPBACK : undefined;
}

/**
 * libuv's default and maximum number of threads. Calls that it considers slow, such as lookups, may use half of them,
 * rounded up.
 */
const DEFAULT_THREADS = 4;
const GREATEST_THREADS = 1024;

/** How many getaddrinfo calls can run at a time. The others wait inside libuv, in order of arrival. */
export function lookupPlaces(threadpoolSize: string | undefined): number {
  const given = Number.parseInt(threadpoolSize ?? '', 10);
  const threads = threadpoolSize === undefined ? DEFAULT_THREADS : Math.min(Math.max(given || 1, 1), GREATEST_THREADS);
  return Math.floor((threads + 1) / 2);
}

/**
 * The system's resolver, the only one that knows /etc/hosts and nsswitch.conf. A call cannot be cancelled and blocks a
 * thread, for half a minute with three silent name servers, and few can run at a time. So concurrent lookups of the
 * same name are shared, and targets never take the last place: the link's own lookup runs at once. Nothing is cached.
 */
export class NameLookups {
  readonly #resolve: Lookup;
  readonly #targetPlaces: number;
  readonly #underWay = new Map<string, Promise<readonly IpAddress[]>>();
  /** Lookups for targets that wait for a place. One for each name, so at most as many as there are targets. */
  readonly #queued = new Map<string, Promise<readonly IpAddress[]>>();
  readonly #starts: (() => void)[] = [];
  #targetsRunning = 0;

  constructor(resolve: Lookup, places: number) {
    this.#resolve = resolve;
    this.#targetPlaces = Math.max(1, places - 1);
  }

  /** For the link to the server, or to a proxy on the way. Never waits for a target's lookup. */
  forLink(host: string): Promise<readonly IpAddress[]> {
    return this.#underWay.get(host) ?? this.#begin(host);
  }

  /** For a local service. */
  forTarget(host: string): Promise<readonly IpAddress[]> {
    const shared = this.#underWay.get(host) ?? this.#queued.get(host);
    if (shared) return shared;
    if (this.#targetsRunning < this.#targetPlaces) {
      this.#targetsRunning += 1;
      return this.#runInPlace(host);
    }
    const queued = new Promise<void>((resolve) => this.#starts.push(resolve)).then(() => {
      this.#queued.delete(host);
      return this.#runInPlace(host);
    });
    this.#queued.set(host, queued);
    return queued;
  }

  /** Runs in a place already reserved for it. */
  #runInPlace(host: string): Promise<readonly IpAddress[]> {
    // The link may have started one while this one was waiting.
    const underWay = this.#underWay.get(host);
    if (!underWay) return this.#begin(host).finally(() => this.#releasePlace());
    this.#releasePlace();
    return underWay;
  }

  #releasePlace(): void {
    const start = this.#starts.shift();
    // The next in line takes over the place.
    if (start) start();
    else this.#targetsRunning -= 1;
  }

  #begin(host: string): Promise<readonly IpAddress[]> {
    const lookup = this.#resolve(host).finally(() => this.#underWay.delete(host));
    this.#underWay.set(host, lookup);
    return lookup;
  }
}

/** One for the process, as its threads are shared, too. */
export const nameLookups = new NameLookups(
  (host) => dnsLookup(host, { all: true, verbatim: true }),
  lookupPlaces(process.env['UV_THREADPOOL_SIZE']),
);
