import type { TunnelOptions } from '@tunnel/client';
import { TERM_LIMIT } from '@tunnel/shared';
import type { Flag, GivenFlags } from './flags.ts';
import { parseChoice } from '../values/choice.ts';
import { parseCount } from '../values/count.ts';
import { parseDuration } from '../values/duration.ts';
import { type Given, unusable } from '../values/given.ts';
import { parseNetworks } from '../values/networks.ts';

const PROXY_PROTOCOLS = ['v1', 'v2'] as const;

const MIN_IDLE_TIMEOUT_MS = 1_000;

/** Flags about the visitors of a tunnel. */
export const VISITOR_FLAGS = {
  allow: {
    describe: 'networks (CIDR) that may connect, comma-separated or one per flag',
    default: 'all',
    isList: true,
    read: parseNetworks,
    place: 'tunnel',
  },
  deny: {
    describe: 'networks that may not connect, even if in --allow',
    default: 'none',
    isList: true,
    read: parseNetworks,
    place: 'tunnel',
  },
  'max-connections': {
    describe: 'most visitors at once; more are turned away',
    default: 'no limit',
    read: parseCount,
    place: 'tunnel',
  },
  'proxy-protocol': {
    describe: "v1 or v2: send each visitor's address to the local service in a PROXY protocol header",
    default: 'off',
    choices: PROXY_PROTOCOLS,
    read: (given) => parseChoice(given, PROXY_PROTOCOLS),
    place: 'tunnel',
  },
  'idle-timeout': {
    describe: "reset a visitor's connection after this long without data, at least 1s",
    default: 'never',
    read: (given) => parseDuration(given, { minMs: MIN_IDLE_TIMEOUT_MS }),
    place: 'tunnel',
  },
} as const satisfies Readonly<Record<string, Flag>>;

type VisitorOptions = Pick<TunnelOptions, 'allow' | 'deny' | 'maxConnections' | 'proxyProtocol' | 'idleTimeoutMs'>;

/** What holds for the visitors of each tunnel, which has so many other terms. Throws `usage` errors. */
export function readVisitorOptions(flags: GivenFlags<typeof VISITOR_FLAGS>, otherTerms = 0): VisitorOptions {
  const maxConnections = flags.read('max-connections');
  const allow = readNetworks(flags.all('allow'));
  const deny = readNetworks(flags.all('deny'));
  const networkLimit = TERM_LIMIT - otherTerms - (maxConnections === undefined ? 0 : 1);
  const surplus = [...allow, ...deny][networkLimit];
  if (surplus !== undefined) {
    throw unusable(surplus, `a tunnel has at most ${networkLimit} networks`, 'combine them into larger networks');
  }
  return {
    allow: allow.map(({ text }) => text),
    deny: deny.map(({ text }) => text),
    maxConnections,
    proxyProtocol: flags.read('proxy-protocol'),
    idleTimeoutMs: flags.read('idle-timeout'),
  };
}

function readNetworks(given: readonly Given[]): readonly Given[] {
  return given.flatMap((list) => parseNetworks(list).map((text) => ({ text, source: list.source })));
}
