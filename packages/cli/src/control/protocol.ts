/**
 * What `tunnel status` and `tunnel retry` speak with every running `tunnel local`, over a Unix socket that only their user
 * can open (on Windows a named pipe). A connection carries one request, which is one line of JSON, and answers of one line each:
 *
 *     → {"version":1,"command":"status"}    what the client is doing
 *     → {"version":1,"command":"watch"}     the same now, at every change and every second, until one side closes
 *     → {"version":1,"command":"retry"}     what it was doing, and has it try now if it waits
 *     ← {"version":1,"client":{…}}          a `ClientReport`
 *     ← {"version":1,"error":"…"}           for people; the connection is closed
 *
 * `version` is raised when an old side would misunderstand a new one. Fields and commands may come without that: unknown
 * fields are ignored.
 */
import { printableValue } from '../output/printable.ts';
import { type ClientReport, isClientReport } from '../reports/client-report.ts';

const VERSION = 1;

const COMMANDS = ['status', 'watch', 'retry'] as const;

export type Command = (typeof COMMANDS)[number];

/** A longer request is refused, in bytes. */
export const MAX_REQUEST_BYTES = 1024;
/** A request that is not complete after this is given up, in ms. */
export const REQUEST_TIMEOUT_MS = 2_000;

/** A longer answer is not read, in bytes. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** How often a watched client tells at least, in ms. */
export const WATCH_INTERVAL_MS = 1_000;
/** A client that says nothing for this long does not answer, in ms. */
export const ANSWER_TIMEOUT_MS = 3_000;

export function formatRequest(command: Command): string {
  return `${JSON.stringify({ version: VERSION, command })}\n`;
}

/** The command of a request, or what is wrong with it. */
export function parseRequest(line: string): { readonly command: Command } | { readonly error: string } {
  const request = parseObject(line);
  if (request === undefined) return { error: 'not a JSON object' };
  if (request['version'] !== VERSION) return { error: `this process speaks version ${VERSION}` };
  const command = COMMANDS.find((known) => known === request['command']);
  return command === undefined ? { error: `the commands are ${COMMANDS.join(', ')}` } : { command };
}

export function formatAnswer(answer: { readonly client: ClientReport } | { readonly error: string }): string {
  return `${JSON.stringify({ version: VERSION, ...answer })}\n`;
}

/** A client's report, fit to be printed, or why there is none. */
export function parseAnswer(line: string): { readonly client: ClientReport } | { readonly problem: string } {
  const answer = parseObject(line);
  if (answer === undefined) return { problem: 'it does not answer in JSON' };
  if (answer['version'] !== VERSION) return { problem: 'it runs another version of this program' };
  const { client, error } = answer;
  if (typeof error === 'string') return { problem: printableValue(`it refuses: ${error}`) };
  return isClientReport(client) ? { client: printableValue(client) } : { problem: 'its answer is incomplete' };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
