import { TunnelError } from '@tunnel/shared';
import { decodeKey, isUtf16, parseHostName, parseHostPattern, withoutByteOrderMark } from '@tunnel/shared/node';
import { clipRanges, formatRanges, includesPort, mergeRanges, type PortRange } from './port-ranges.ts';

/** A client's key, and what its owner may ask for. */
export interface AuthorizedKey {
  /** Public key, base64url. */
  readonly publicKey: string;
  readonly comment: string;
  /** Undefined: every port in the server's range. Ports reserved for the key are added to these. */
  readonly ports?: readonly PortRange[];
  /** Concurrent tunnels, over all sessions of the key. */
  readonly tunnels?: number;
  /** Concurrent sessions. */
  readonly sessions?: number;
  /** The key counts as not listed from then on: wall-clock ms. */
  readonly expiresAt?: number;
  /** Ports that nobody else gets. */
  readonly reserved: readonly number[];
  /** Host names, and patterns with `*.`; undefined: all that the server grants. Those that are reserved for the key come on top. */
  readonly hosts?: readonly string[];
  /** Host names that nobody else gets. */
  readonly reservedHosts?: readonly string[];
}

/** What a server grants at all. */
export interface KeyBounds {
  readonly ports: PortRange;
  readonly hosts: {
    /** Whether it grants this host name, or all of a pattern such as `*.example.org`. */
    includes(pattern: string): boolean;
    /** Why not, for people. */
    explain(pattern: string): string;
  };
}

/** The admitted keys, as of one reading of their file. */
export class AuthorizedKeys {
  readonly #byKey: ReadonlyMap<string, AuthorizedKey>;
  readonly #byPort: ReadonlyMap<number, AuthorizedKey>;
  readonly #byHost: ReadonlyMap<string, AuthorizedKey>;

  constructor(keys: readonly AuthorizedKey[] = []) {
    this.#byKey = new Map(keys.map((key) => [key.publicKey, key]));
    this.#byPort = new Map(keys.flatMap((key) => key.reserved.map((port) => [port, key] as const)));
    this.#byHost = new Map(keys.flatMap((key) => (key.reservedHosts ?? []).map((host) => [host, key] as const)));
  }

  get count(): number {
    return this.#byKey.size;
  }

  /** The entry of a public key, if it is listed and has not expired. */
  find(publicKey: string, now: number): AuthorizedKey | undefined {
    return unexpired(this.#byKey.get(publicKey), now);
  }

  /** The key that a port is reserved for. */
  ownerOf(port: number, now: number): AuthorizedKey | undefined {
    return unexpired(this.#byPort.get(port), now);
  }

  /** For whom a host name is reserved. */
  ownerOfHost(host: string, now: number): AuthorizedKey | undefined {
    return unexpired(this.#byHost.get(host), now);
  }

  /** When the next of the keys expires. */
  nextExpiry(now: number): number | undefined {
    let next: number | undefined;
    for (const { expiresAt } of this.#byKey.values()) {
      if (expiresAt !== undefined && expiresAt > now && expiresAt < (next ?? Infinity)) next = expiresAt;
    }
    return next;
  }
}

function unexpired(key: AuthorizedKey | undefined, now: number): AuthorizedKey | undefined {
  return key?.expiresAt !== undefined && key.expiresAt <= now ? undefined : key;
}

/** What is wrong with a line. */
class LineError extends Error {}

/** A name and its value, up to a blank; blanks are allowed only within quotes. */
const OPTIONS = /^(?:[^\s"]|"[^"]*")+/;
const OPTION = /^([a-z]+(?:-[a-z]+)*)=(?:"([^"]*)"|([^\s",]+))(?:,(?=.)|$)/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const DATE_AND_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/;

type Restrictions = Partial<Omit<AuthorizedKey, 'publicKey' | 'comment'>>;

/** The options. An unknown one is an error, since it may have been meant as a restriction. */
const READERS: Readonly<Record<string, (value: string, bounds: KeyBounds) => Restrictions>> = {
  ports: (value, bounds) => {
    const ports = mergeRanges(parsePorts(value));
    if (clipRanges(ports, bounds.ports).length > 0) return { ports };
    throw new LineError(`ports: the server opens none of ${formatRanges(ports)}, only ${formatRanges([bounds.ports])}`);
  },
  reserve: (value, bounds) => {
    const reserved = parsePorts(value).map(({ first, last }) => {
      if (first !== last) throw new LineError(`reserve: ${first}-${last} is a range; give single ports`);
      if (!includesPort([bounds.ports], first)) {
        throw new LineError(`reserve: the server does not open ${first}, only ${formatRanges([bounds.ports])}`);
      }
      return first;
    });
    return { reserved };
  },
  hosts: (value, { hosts }) => ({
    hosts: parseHosts(value, (text) => {
      const pattern = parseHostPattern(text);
      if (pattern === undefined) {
        throw new LineError(
          `hosts: ${shown(text)} is neither a host name such as shop.example.org nor a pattern such as *.example.org`,
        );
      }
      if (!hosts.includes(pattern)) throw new LineError(`hosts: ${hosts.explain(pattern)}`);
      return pattern;
    }),
  }),
  'reserve-host': (value, { hosts }) => ({
    reservedHosts: parseHosts(value, (text) => {
      const host = parseHostName(text);
      if (host === undefined) {
        throw new LineError(`reserve-host: ${shown(text)} is not a host name such as shop.example.org`);
      }
      if (!hosts.includes(host)) throw new LineError(`reserve-host: ${hosts.explain(host)}`);
      return host;
    }),
  }),
  tunnels: (value) => ({ tunnels: parseLimit('tunnels', value) }),
  sessions: (value) => ({ sessions: parseLimit('sessions', value) }),
  expires: (value) => ({ expiresAt: parseTime(value) }),
};

/**
 * Parses the text of an authorized keys file: on each line `[options] key [comment]`. What the server does not grant at all is
 * an error, too. Throws `keys-unusable`, naming file and line.
 */
export function parseAuthorizedKeys(text: string, path: string, bounds: KeyBounds): AuthorizedKeys {
  const keys: AuthorizedKey[] = [];
  const lineOfKey = new Map<string, number>();
  const lineOfPort = new Map<number, number>();
  const lineOfHost = new Map<string, number>();
  if (isUtf16(text))
    throw new TunnelError('keys-unusable', { detail: `${path}: it is in UTF-16`, hint: { id: 'utf16' } });
  for (const [index, line] of withoutByteOrderMark(text).split(/\r?\n/).entries()) {
    const number = index + 1;
    try {
      const key = parseLine(line.trim(), bounds);
      if (key === undefined) continue;
      requireFirst(lineOfKey, key.publicKey, number, 'the same key');
      for (const port of key.reserved) requireFirst(lineOfPort, port, number, `port ${port} is reserved`);
      for (const host of key.reservedHosts ?? []) requireFirst(lineOfHost, host, number, `${host} is reserved`);
      keys.push(key);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      throw new TunnelError('keys-unusable', { detail: `${path}, line ${number}: ${error.message}` });
    }
  }
  return new AuthorizedKeys(keys);
}

function parseLine(line: string, bounds: KeyBounds): AuthorizedKey | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const [first = ''] = line.split(/\s/, 1);
  // A key contains neither equals signs nor quotes, and an option always does.
  const hasOptions = /[="]/.test(first);
  const options = hasOptions ? OPTIONS.exec(line)?.[0] : '';
  if (options === undefined) throw new LineError('a quote is not closed');
  const rest = line.slice(options.length);
  if (hasOptions && rest.startsWith('"')) throw new LineError('a quote is not closed');
  const [, key = '', comment = ''] = /^\s*(\S*)\s*(.*)$/.exec(rest) ?? [];
  if (key === '') throw new LineError('the key is missing after the options');
  return { reserved: [], ...parseOptions(options, bounds), publicKey: requireKey(key), comment };
}

function parseOptions(options: string, bounds: KeyBounds): Restrictions {
  let restrictions: Restrictions = {};
  const seen = new Set<string>();
  for (let rest = options; rest !== '';) {
    const [whole, name = '', quoted, bare] = OPTION.exec(rest) ?? [];
    if (whole === undefined) throw new LineError(`${shown(rest)} is not an option: write NAME=VALUE or NAME="VALUES"`);
    const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
    if (read === undefined) {
      throw new LineError(`unknown option ${shown(name)}; the options are ${Object.keys(READERS).join(', ')}`);
    }
    if (seen.has(name)) throw new LineError(`the option ${name} was given twice`);
    seen.add(name);
    restrictions = { ...restrictions, ...read(quoted ?? bare ?? '', bounds) };
    rest = rest.slice(whole.length);
  }
  return restrictions;
}

function requireKey(text: string): string {
  try {
    decodeKey(text, 'the key');
    return text;
  } catch (error) {
    // Never quote the text itself: it may be a private key or a secret, pasted by mistake.
    throw new LineError(error instanceof TunnelError ? error.detail : String(error));
  }
}

function parseLimit(option: string, value: string): number {
  if (!/^[1-9]\d{0,4}$/.test(value)) throw new LineError(`${option}: ${shown(value)} is not a number from 1 to 99999`);
  return Number(value);
}

function parsePorts(value: string): readonly PortRange[] {
  return value.split(',').map((part) => {
    const [, first = '', last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const range = { first: Number(first), last: Number(last) };
    if (first === '' || range.first < 1 || range.last > 65_535) {
      throw new LineError(`${shown(part)} is neither a port from 1 to 65535 nor a range such as 8000-8010`);
    }
    if (range.first > range.last) throw new LineError(`the range ${range.first}-${range.last} ends before it begins`);
    return range;
  });
}

function parseHosts(value: string, parse: (text: string) => string): readonly string[] {
  return value.split(',').map((part) => parse(part.trim()));
}

function parseTime(value: string): number {
  const time = DATE.test(value) || DATE_AND_TIME.test(value) ? Date.parse(value) : Number.NaN;
  // `Date` accepts 30 February as 2 March.
  const isReal =
    !Number.isNaN(time) && new Date(`${value.slice(0, 10)}T00:00Z`).toISOString().startsWith(value.slice(0, 10));
  if (!isReal) {
    throw new LineError(
      `expires: ${shown(value)} is neither a date such as 2027-01-31 nor a time such as 2027-01-31T18:00Z`,
    );
  }
  return time;
}

function requireFirst<T>(lines: Map<T, number>, thing: T, line: number, what: string): void {
  const before = lines.get(thing);
  if (before !== undefined) throw new LineError(`${what} on line ${before} already`);
  lines.set(thing, line);
}

/** Part of a line, for an error: too short to contain a whole key. */
function shown(text: string): string {
  return `"${text.length > 32 ? `${text.slice(0, 32)}…` : text}"`;
}
