import type { ClientEvents, OpenTunnel } from '@tunnel/client';
import type { Advice } from '../hints/advice.ts';
import type { AdvisedClientEvents } from '../hints/advice-for.ts';
import { ADVICE_BY_CODE } from '../hints/words.ts';
import { formatDuration } from '../values/duration.ts';
import { formatTarget } from '../values/target.ts';
import { RequestLines } from './request-lines.ts';
import { repeatedText } from './repeats.ts';
import type { Reporter } from '../output/reporter.ts';

export interface ClientTextContext {
  /** The server as text. */
  readonly server: string;
  readonly fingerprint: (serverKey: string) => string;
  readonly now: () => Date;
  /** What lines behind the time begin with. */
  readonly prefix?: () => string;
  /** Whether Enter on the terminal retries now. */
  readonly canPressEnter: boolean;
}

/** No such port, or no such Unix socket. */
const NOTHING_THERE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);

/** Tells a person at a terminal what a client does. Lines about what happened begin with the time. */
export function clientTextReporter(
  say: (line: string) => void,
  context: ClientTextContext,
): Reporter<AdvisedClientEvents> {
  const { server, fingerprint, now, prefix = () => '', canPressEnter } = context;
  let addresses: string | undefined;
  let disconnectedAt: number | undefined;
  let lastHint: string | undefined;
  /** Why the link was lost, while that is the last line. */
  let toldReason: string | undefined;
  let hasSeveral = false;
  const tell = (text: string): void => say(`${timeOfDay(now())}  ${prefix()}${text}`);
  const requests = new RequestLines(tell);
  const hint = ({ text, isNeeded }: Advice): void => {
    // The same hint at every attempt would bury the rest.
    if (text === lastHint || !isNeeded) return;
    lastHint = text;
    say(`          hint: ${text}`);
  };
  return {
    ready: (event, repeats) => {
      const previous = addresses;
      addresses = describeTunnels(event.tunnels);
      hasSeveral = event.tunnels.length > 1;
      if (previous === undefined) {
        for (const line of addresses.split('\n')) say(line);
        const remembered = event.pinnedAt === undefined ? '' : ` (first contact: remembered in ${event.pinnedAt})`;
        say(`server ${server}, key ${fingerprint(event.serverKey)}${remembered}`);
        tell('connected; Ctrl-C ends');
      } else {
        const downMs = disconnectedAt === undefined ? undefined : now().getTime() - disconnectedAt;
        if (downMs !== undefined) tell(`${reconnected(event, downMs)}${repeatedText(repeats)}`);
        else if (addresses === previous) tell(`${count(event.tunnels.length, 'tunnel')} open${repeatedText(repeats)}`);
        if (addresses !== previous) {
          tell(downMs === undefined ? 'the tunnels changed:' : 'the public address changed:');
          for (const line of addresses.split('\n')) say(line);
        }
      }
      disconnectedAt = undefined;
      lastHint = undefined;
    },
    disconnected: ({ reason }, repeats) => {
      disconnectedAt ??= now().getTime();
      tell(`link lost: ${reason}${repeatedText(repeats)}`);
      toldReason = reason;
    },
    retrying: (event, repeats) => {
      const since = event.downMs < 1000 ? '' : ` (no link for ${formatDuration(event.downMs)})`;
      const press = canPressEnter ? '; Enter retries now' : '';
      const wait = formatDuration(event.delayMs);
      // `attempt` counts what is to come. Behind a lost link the first of them was not made before it was told.
      const failed = disconnectedAt === undefined ? event.attempt : event.attempt - 1;
      const times = repeatedText(repeats);
      if (event.reason === toldReason) tell(`trying again in ${wait}${press}${times}`);
      else tell(`attempt ${failed} failed: ${event.reason}; next in ${wait}${since}${press}${times}`);
      toldReason = undefined;
      hint(event.advice);
    },
    warning: (event, repeats) => {
      tell(`warning: ${event.reason}${repeatedText(repeats)}`);
      hint(event.advice);
    },
    service: (event) => {
      tell(describeService(event));
      if (event.state === 'down' && NOTHING_THERE.has(event.code)) hint(ADVICE_BY_CODE['service-unavailable']);
    },
    'visitors-refused': (event, repeats) => tell(`${describeRefused(event)}${repeatedText(repeats)}`),
    'visitor-idle': (event, repeats) => tell(`${describeIdle(event)}${repeatedText(repeats)}`),
    request: (event) => requests.add(event, hasSeveral),
    stopped: ({ exitCode, reason }) => {
      requests.finish();
      if (exitCode === 0) tell(reason);
    },
  };
}

/** `08:05:09` in the local time zone. */
export function timeOfDay(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** `1 connection`, `2 connections` */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Says what became of visitors, for lines and logs alike. */
export function describeService(event: ClientEvents['service']): string {
  const target = formatTarget(event.target);
  const turnedAway = event.refused === 0 ? '' : `, ${count(event.refused, 'visitor')} turned away`;
  const waiting = event.held === 0 ? '' : `, ${count(event.held, 'visitor')} waiting`;
  switch (event.state) {
    case 'down':
      return `${target} does not accept connections: ${event.reason}${turnedAway}${waiting}`;
    case 'still-down':
      return `${target} is still down after ${formatDuration(event.downMs)}: ${event.reason}${turnedAway}${waiting}`;
    case 'up':
      return `${target} is back after ${formatDuration(event.downMs)}${turnedAway}`;
  }
}

function describeRefused({ target, denied, overLimit }: ClientEvents['visitors-refused']): string {
  const causes = [
    ...(denied === 0 ? [] : [`${denied} by address (--allow, --deny)`]),
    ...(overLimit === 0 ? [] : [`${overLimit} beyond --max-connections`]),
  ];
  return `${formatTarget(target)}: ${count(denied + overLimit, 'visitor')} kept out so far, ${causes.join(', ')}`;
}

function describeIdle({ target, visitor }: ClientEvents['visitor-idle']): string {
  return `${formatTarget(target)}: visitor ${visitor} reset, nothing moved for as long as --idle-timeout`;
}

/** What stands in front of a tunnel's address. */
export function named(name: string | null | undefined): string {
  return typeof name === 'string' ? `${name}: ` : '';
}

function describeTunnels(tunnels: readonly OpenTunnel[]): string {
  return tunnels.map(({ name, url, target }) => `${named(name)}${url} -> ${formatTarget(target)}`).join('\n');
}

function reconnected({ resumed, lostStreams }: ClientEvents['ready'], downMs: number): string {
  const after = ` after ${formatDuration(downMs)}`;
  if (resumed) return `connected again${after}, no connection was lost`;
  const lost = lostStreams === 0 ? '' : `, ${count(lostStreams, 'connection')} lost`;
  return `connected again${after} in a new session${lost}`;
}
