import type { ClientStatus } from '@tunnel/client';
import { adviceOf } from '../hints/advice-for.ts';
import { formatTarget } from '../values/target.ts';

/** What one running `tunnel local` tells of itself, as JSON: on its control socket, and for `tunnel status --json`. */
export interface ClientReport {
  readonly pid: number;
  readonly state: ClientStatus['state'];
  readonly since: string;
  readonly server: string;
  readonly proxy: string | null;
  readonly tunnels: readonly {
    /** Only in the configuration file they have one. */
    readonly name: string | null;
    readonly target: string;
    readonly url: string | null;
    readonly port: number | null;
    /** Of an HTTP tunnel. */
    readonly urls: readonly string[] | null;
    readonly open: boolean;
    readonly refused: number;
    readonly idle: number;
  }[];
  readonly roundTripMs: number | null;
  readonly streams: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reconnects: number;
  readonly resumedStreams: number;
  readonly lostStreams: number;
  readonly lastError: {
    readonly code: string;
    readonly reason: string;
    readonly hint: string;
    readonly at: string;
  } | null;
  readonly nextAttempt: { readonly attempt: number; readonly inMs: number; readonly at: string } | null;
}

/** A process that is there and does not tell what it does. */
interface UnknownClient {
  readonly pid: number;
  readonly state: 'unknown';
  /** A clause about "it". */
  readonly problem: string;
}

export type SurveyedClient = ClientReport | UnknownClient;

/** The status of this process's client. Every field is there, also in JSON: what is not known is null. */
export function reportOf(status: ClientStatus): ClientReport {
  return {
    pid: process.pid,
    state: status.state,
    since: status.since,
    server: status.server,
    proxy: status.proxy ?? null,
    tunnels: status.tunnels.map(({ name, target, url, port, urls, isOpen, refused, idle }) => ({
      name: name ?? null,
      target: formatTarget(target),
      url: url ?? null,
      port: port ?? null,
      urls: urls ?? null,
      open: isOpen,
      refused,
      idle,
    })),
    roundTripMs: status.roundTripMs ?? null,
    streams: status.streams,
    bytesIn: status.bytesIn,
    bytesOut: status.bytesOut,
    reconnects: status.reconnects,
    resumedStreams: status.resumedStreams,
    lostStreams: status.lostStreams,
    lastError: status.lastError === undefined ? null : inWords(status.lastError),
    nextAttempt: status.nextAttempt ?? null,
  };
}

function inWords({ hint, ...cause }: NonNullable<ClientStatus['lastError']>): NonNullable<ClientReport['lastError']> {
  return { ...cause, hint: adviceOf(hint).text };
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const number: Check = (value) => typeof value === 'number';
const boolean: Check = (value) => typeof value === 'boolean';

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function object<Shape>(fields: { readonly [Name in keyof Shape]-?: Check }): (value: unknown) => value is Shape {
  return (value): value is Shape =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries<Check>(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));
}

/** Whether that is a whole report. */
export const isClientReport: (value: unknown) => value is ClientReport = object<ClientReport>({
  pid: number,
  // Also one that this version does not know.
  state: text,
  since: text,
  server: text,
  proxy: orNull(text),
  tunnels: listOf(
    object<ClientReport['tunnels'][number]>({
      name: (value) => value === undefined || orNull(text)(value),
      target: text,
      url: orNull(text),
      port: orNull(number),
      open: boolean,
      refused: number,
      // A client of an earlier version has neither.
      idle: (value) => value === undefined || number(value),
      urls: (value) => value === undefined || orNull(listOf(text))(value),
    }),
  ),
  roundTripMs: orNull(number),
  streams: number,
  bytesIn: number,
  bytesOut: number,
  reconnects: number,
  resumedStreams: number,
  lostStreams: number,
  lastError: orNull(object<NonNullable<ClientReport['lastError']>>({ code: text, reason: text, hint: text, at: text })),
  nextAttempt: orNull(object<NonNullable<ClientReport['nextAttempt']>>({ attempt: number, inMs: number, at: text })),
});
