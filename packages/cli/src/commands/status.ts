import { LINK_FLAGS } from '../settings/common-flags.ts';
import { loadConfig } from '../config/config-file.ts';
import type { Context } from '../process/context.ts';
import { type Arguments, type Flag, GivenFlags } from '../settings/flags.ts';
import type { Writers } from '../output/output.ts';
import { Screen } from '../output/screen.ts';
import { fold, noneText, statusText, watchHeading } from '../reports/status-text.ts';
import { handleSignals } from '../process/signals.ts';
import { stateDirectory, type StateDirectory } from '../settings/state-directory.ts';
import { watchClients } from '../control/status-watch.ts';
import { surveyClients } from '../control/survey.ts';
import type { SurveyedClient } from '../reports/client-report.ts';

export const STATUS_FLAGS = {
  watch: { describe: 'refresh every second and at every change, until Ctrl-C', isSwitch: true },
  json: { describe: 'one JSON array; with --watch, one per line', isSwitch: true },
  config: LINK_FLAGS.config,
  'state-dir': LINK_FLAGS['state-dir'],
} as const satisfies Readonly<Record<string, Flag>>;

/** `tunnel status`: tells what every `tunnel local` of this state directory does, and resolves with the exit code. */
export async function runStatus(given: Arguments, { environment, writers }: Context): Promise<number> {
  const onCommandLine = new GivenFlags(STATUS_FLAGS, given, environment);
  const config = await loadConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.client]);
  const state = stateDirectory(flags.get('state-dir'), environment);
  const isJson = flags.has('json');
  if (flags.has('watch')) {
    if (writers.isStdoutTerminal && !isJson) await watchOnTerminal(state, writers);
    else await watchInPipe(state, writers, isJson);
    return 0;
  }
  const clients = await surveyClients(state.client.control, 'status');
  if (isJson) writers.stdout.write(JSON.stringify(clients, null, 2));
  else for (const line of picture(clients, state, process.stdout.columns || Infinity)) writers.stdout.write(line);
  return 0;
}

async function watchOnTerminal(state: StateDirectory, writers: Writers): Promise<void> {
  const abort = new AbortController();
  using _signals = handleSignals({ stop: () => abort.abort(), abort: () => {} });
  const screen = new Screen(writers.stdout, process.stdout);
  let last: readonly string[] = [];
  try {
    await watchClients(
      state.client.control,
      (clients) => {
        if (writers.stdout.isBroken) abort.abort();
        last = picture(clients, state, screen.columns);
        const heading = watchHeading(clients.length, new Date());
        screen.draw([...fold(heading, screen.columns), '', ...last]);
      },
      abort.signal,
    );
  } finally {
    screen.end(last);
  }
}

/** One picture after the other, until nobody reads them any more. */
async function watchInPipe(state: StateDirectory, writers: Writers, isJson: boolean): Promise<void> {
  const abort = new AbortController();
  using _signals = handleSignals({ stop: () => abort.abort(), abort: () => {} });
  const { stdout } = writers;
  await watchClients(
    state.client.control,
    (clients) => {
      if (stdout.isBroken) abort.abort();
      if (isJson) stdout.write(JSON.stringify(clients));
      else stdout.write(`${[new Date().toISOString(), ...picture(clients, state, Infinity)].join('\n')}\n`);
    },
    abort.signal,
  );
}

/** `columns` is the width of the terminal; Infinity where there is none, or it has none. */
function picture(clients: readonly SurveyedClient[], { path }: StateDirectory, columns: number): readonly string[] {
  if (clients.length === 0) return [noneText(path, undefined)];
  return statusText(clients, { now: new Date(), columns });
}
