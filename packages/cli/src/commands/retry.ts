import { LINK_FLAGS } from '../settings/common-flags.ts';
import { loadConfig } from '../config/config-file.ts';
import type { Context } from '../process/context.ts';
import { type Arguments, type Flag, GivenFlags } from '../settings/flags.ts';
import { fold, noneText, retryText } from '../reports/status-text.ts';
import { stateDirectory } from '../settings/state-directory.ts';
import { surveyClients } from '../control/survey.ts';
import { type Given, unusable } from '../values/given.ts';

export const RETRY_FLAGS = {
  pid: { describe: 'only the client with this process id', default: 'all that wait' },
  config: LINK_FLAGS.config,
  'state-dir': LINK_FLAGS['state-dir'],
} as const satisfies Readonly<Record<string, Flag>>;

/** `tunnel retry`: has every client that waits try now, says what it did, and resolves with the exit code. */
export async function runRetry(given: Arguments, { environment, writers }: Context): Promise<number> {
  const onCommandLine = new GivenFlags(RETRY_FLAGS, given, environment);
  const config = await loadConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.client]);
  const state = stateDirectory(flags.get('state-dir'), environment);
  const pid = flags.get('pid');
  const wanted = pid === undefined ? undefined : parseProcessId(pid);
  const clients = await surveyClients(state.client.control, 'retry', wanted);
  if (clients.length === 0) writers.stdout.write(noneText(state.path, wanted));
  const columns = process.stdout.columns || Infinity;
  for (const client of clients) for (const line of fold(retryText(client), columns)) writers.stdout.write(line);
  return 0;
}

function parseProcessId(given: Given): number {
  if (/^[1-9]\d{0,9}$/.test(given.text)) return Number(given.text);
  throw unusable(given, 'not a valid process id', '`tunnel status` shows the process id of every client');
}
