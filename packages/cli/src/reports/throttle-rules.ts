import type { AdvisedClientEvents } from '../hints/advice-for.ts';
import type { ServerEvents } from '@tunnel/server';
import { formatTarget } from '../values/target.ts';
import type { DigestLimits } from './message-digests.ts';
import type { ThrottleRules } from './throttle.ts';

/** Strangers and visitors whose lines are kept apart; all beyond share theirs. */
const STRANGER_KEY_LIMIT = 32;
/** The same of peers, and how many lines those beyond have between them as they come. */
const PEER_KEY_LIMIT = 256;
/** Lines of one kind that a peer has as they come; further ones are counted. */
const PEER_LINES_AT_ONCE = 16;

/** For what strangers and visitors cause: the first tells what it is about. */
const FROM_ANYBODY: DigestLimits = { keys: STRANGER_KEY_LIMIT, atOnce: 1, othersAtOnce: 1 };

/**
 * For what a peer causes. An honest one does so a few times in a row, and each is worth a line; many come back at once when
 * a server was restarted.
 */
const FROM_PEERS: DigestLimits = {
  keys: PEER_KEY_LIMIT,
  atOnce: PEER_LINES_AT_ONCE,
  othersAtOnce: PEER_KEY_LIMIT,
};

const byClient = { key: ({ clientKey }: { readonly clientKey: string }) => clientKey, limits: FROM_PEERS };

/** Lines about a server, for people and logs. */
export const SERVER_LINES: ThrottleRules<ServerEvents> = {
  'client-connected': byClient,
  'client-disconnected': byClient,
  'client-resumed': byClient,
  'client-expired': byClient,
  'tunnel-opened': byClient,
  'tunnel-closed': byClient,
  'client-refused': {
    key: ({ code, address }) => `${code} ${address.slice(0, address.lastIndexOf(':'))}`,
    limits: FROM_ANYBODY,
  },
  'visitor-refused': { key: ({ code, port, host }) => `${code} ${host ?? port}`, limits: FROM_ANYBODY },
  warning: { key: ({ code }) => code, limits: FROM_ANYBODY },
};

/** Of the events that scripts get, those which nothing else follows from. All others are told one by one. */
export const SERVER_SCRIPT_EVENTS: ThrottleRules<ServerEvents> = {
  warning: { key: ({ code }) => code, limits: FROM_PEERS },
};

/** Lines about a client, for people and logs. */
export const CLIENT_LINES: ThrottleRules<AdvisedClientEvents> = {
  ready: { key: () => '', limits: FROM_PEERS },
  disconnected: { key: ({ code }) => code, limits: FROM_PEERS },
  retrying: { key: ({ code }) => code, limits: FROM_PEERS },
  warning: { key: ({ code }) => code, limits: FROM_PEERS },
  'visitors-refused': { key: ({ target }) => formatTarget(target), limits: FROM_PEERS },
  'visitor-idle': { key: ({ target }) => formatTarget(target), limits: FROM_ANYBODY },
};

/** As `SERVER_SCRIPT_EVENTS`. */
export const CLIENT_SCRIPT_EVENTS: ThrottleRules<AdvisedClientEvents> = {
  warning: { key: ({ code }) => code, limits: FROM_PEERS },
  // Sums, of which the last one has all.
  'visitors-refused': { key: ({ target }) => formatTarget(target), limits: FROM_PEERS },
};
