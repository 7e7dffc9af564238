import type { ClientReport, SurveyedClient } from './client-report.ts';
import { formatDuration } from '../values/duration.ts';
import { isAdviceNeeded } from '../hints/advice-for.ts';
import { formatBytes } from '../output/byte-count.ts';
import { count, named, timeOfDay } from './client-text.ts';

const LABEL_COLUMNS = 16;
const INDENT = '  ';
/** With less room than this for the values they stand below their labels. */
const MIN_VALUE_COLUMNS = 24;

export interface StatusTextContext {
  readonly now: Date;
  /** Lines are folded to this; Infinity where nobody knows it. Words are never broken. */
  readonly columns: number;
}

type Row = readonly [label: string, value: string];

/** What runs, as lines for people: a paragraph for each client. */
export function statusText(clients: readonly SurveyedClient[], context: StatusTextContext): readonly string[] {
  return clients.flatMap((client, index) => [...(index === 0 ? [] : ['']), ...paragraph(client, context)]);
}

function paragraph(client: SurveyedClient, { now, columns }: StatusTextContext): readonly string[] {
  if (client.state === 'unknown') {
    return [`client, process ${client.pid}`, ...rowLines(['state', `unknown: ${client.problem}`], columns)];
  }
  const headings = client.tunnels.flatMap((tunnel) => fold(heading(tunnel), columns));
  return [...headings, ...rows(client, now).flatMap((row) => rowLines(row, columns))];
}

function heading({ name, url, target, open }: ClientReport['tunnels'][number]): string {
  if (url === null) return `${named(name)}${target}, no public address yet`;
  return `${named(name)}${url} -> ${target}${open ? '' : ' (not open)'}`;
}

function rows(client: ClientReport, now: Date): readonly Row[] {
  const { server, proxy, pid, roundTripMs, streams, resumedStreams, lostStreams, reconnects, lastError, nextAttempt } =
    client;
  const refused = client.tunnels.reduce((sum, tunnel) => sum + tunnel.refused, 0);
  const idle = client.tunnels.reduce((sum, tunnel) => sum + (tunnel.idle || 0), 0);
  const carried = `${resumedStreams} carried over a break, ${lostStreams} lost`;
  return [
    ['state', describeState(client, now)],
    ...(nextAttempt === null ? [] : [['next attempt', describeNext(nextAttempt, now)] as const]),
    ...(lastError === null ? [] : [['last error', describeError(lastError, now)] as const]),
    ...(lastError === null || client.state === 'ready' || !isAdviceNeeded(lastError.code)
      ? []
      : [['what to do', lastError.hint] as const]),
    ['server', proxy === null ? server : `${server}, through ${proxy}`],
    ...(roundTripMs === null ? [] : [['round trip', describeRoundTrip(roundTripMs)] as const]),
    ['connections', `${streams} open${resumedStreams + lostStreams === 0 ? '' : `; ${carried}`}`],
    ...(refused === 0 ? [] : [['kept out', count(refused, 'visitor')] as const]),
    ...(idle === 0 ? [] : [['reset as idle', count(idle, 'visitor')] as const]),
    ['traffic', `${formatBytes(client.bytesIn)} in, ${formatBytes(client.bytesOut)} out`],
    ...(reconnects === 0 ? [] : [['reconnects', String(reconnects)] as const]),
    ['process', String(pid)],
  ];
}

function describeState({ state, since }: ClientReport, now: Date): string {
  const began = new Date(since);
  const duration = formatDuration(elapsedMs(began, now));
  const when = `since ${timeOf(began, now)}`;
  return state === 'ready' ? `ready for ${duration}, ${when}` : `${state}; not ready for ${duration}, ${when}`;
}

function describeNext({ attempt, at }: NonNullable<ClientReport['nextAttempt']>, now: Date): string {
  const leftMs = elapsedMs(now, new Date(at));
  return `${leftMs === 0 ? 'now' : `in ${formatDuration(leftMs)}`} (attempt ${attempt}); \`tunnel retry\` tries at once`;
}

function describeError({ code, reason, at }: NonNullable<ClientReport['lastError']>, now: Date): string {
  return `${formatDuration(elapsedMs(new Date(at), now))} ago, ${code}: ${reason}`;
}

function describeRoundTrip(ms: number): string {
  return ms < 1 ? 'below 1ms' : formatDuration(ms);
}

/** Never below zero: what a client tells may be from a moment after `now`. */
function elapsedMs(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime());
}

/** The time of day, behind the date where that is another one. */
function timeOf(time: Date, now: Date): string {
  if (time.toDateString() === now.toDateString()) return timeOfDay(time);
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()];
  return `${date.map((part) => String(part).padStart(2, '0')).join('-')} ${timeOfDay(time)}`;
}

function rowLines([label, value]: Row, columns: number): readonly string[] {
  const valueColumns = columns - LABEL_COLUMNS;
  if (valueColumns < MIN_VALUE_COLUMNS) {
    const deeper = INDENT.repeat(2);
    return [`${INDENT}${label}`, ...fold(value, columns - deeper.length).map((line) => `${deeper}${line}`)];
  }
  return fold(value, valueColumns).map((line, index) =>
    index === 0 ? `${INDENT}${label}`.padEnd(LABEL_COLUMNS) + line : ' '.repeat(LABEL_COLUMNS) + line,
  );
}

/** Text in lines of at most so many columns, unless a word is longer: addresses are there to be copied. */
export function fold(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** What `tunnel retry` did with a client. */
export function retryText(client: SurveyedClient): string {
  const name = `process ${client.pid}`;
  if (client.state === 'unknown') return `${name}: unknown: ${client.problem}`;
  const targets = `${name}, ${client.tunnels.map(({ target }) => target).join(' ')}`;
  switch (client.state) {
    case 'waiting':
      return `${targets}: tries now${client.lastError === null ? '' : ` (last error: ${client.lastError.reason})`}`;
    case 'ready':
      return `${targets}: is connected, nothing to do`;
    case 'new':
    case 'connecting':
      return `${targets}: is trying already`;
    default:
      return `${targets}: is ${client.state}`;
  }
}

/** Says that there is nobody, and where that was looked for. */
export function noneText(stateDirectory: string, pid: number | undefined): string {
  const which = pid === undefined ? 'no client' : `no client with process id ${pid}`;
  return `${which} runs with the state directory ${stateDirectory}`;
}

/** Above a picture that is drawn again and again. */
export function watchHeading(clients: number, now: Date): string {
  return `${timeOfDay(now)}  ${count(clients, 'client')}; Ctrl-C ends`;
}
