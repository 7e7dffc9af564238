import { LastPorts, PinDirectory } from '@tunnel/client';
import { accessTo, encodeKey, nodeCrypto, oddityOf, SAFE_SECRET_CHARACTERS } from '@tunnel/shared/node';
import { type ClientPlan, planClient } from '../settings/client-plan.ts';
import { type GivenSecret, readGivenSecret } from '../settings/common-flags.ts';
import { loadConfig } from '../config/config-file.ts';
import type { Context } from '../process/context.ts';
import { type Arguments, GivenFlags } from '../settings/flags.ts';
import {
  DEFAULT_LOCAL_HOST,
  type LinkSettings,
  LOCAL_FLAGS,
  type LocalFlags,
  readLinkSettings,
} from '../settings/local-settings.ts';
import { jsonEmitter } from '../reports/json-events.ts';
import { whyDirect } from '../settings/proxy-choice.ts';
import { handleSignals } from '../process/signals.ts';
import { parseTarget } from '../values/target.ts';
import { checkClock, checkFiles } from '../doctor/files.ts';
import { type DoctorReport, jsonReport, textReport } from '../doctor/report.ts';
import { failed, passed, type Step, type Trouble, troubleOf, warned } from '../doctor/step.ts';
import { verdictOf } from '../doctor/verdict.ts';
import { walkConnection } from '../doctor/walk.ts';

/** How long `--long` stays, in ms: longer than the minute after which many proxies cut what is silent. */
const STAY_MS = 70_000;

/** `tunnel doctor`: walks a connection, tells each step and a verdict, and resolves with the exit code. Throws `TunnelError` for bad usage. */
export async function runDoctor(targetText: string | undefined, given: Arguments, context: Context): Promise<number> {
  const { environment } = context;
  // The table of `tunnel local`, so that its values in the configuration file count as well.
  const onCommandLine = new GivenFlags(LOCAL_FLAGS, given, environment);
  const config = await loadConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.client]);
  const settings = readLinkSettings(flags, environment);
  const localHost = flags.read('local-host') ?? DEFAULT_LOCAL_HOST;
  const target = targetText === undefined ? undefined : parseTarget({ text: targetText, source: 'target' }, localHost);

  const abort = new AbortController();
  using signals = handleSignals({ stop: () => abort.abort(), abort: () => {} });
  const steps: Step[] = [];
  const writer = openReport(settings, context);
  const report = (step: Step): void => {
    steps.push(step);
    writer.step(step);
  };
  const plan = await prepare(settings, flags, context, report);
  let roundTripMs: number | undefined;
  if (plan !== undefined) {
    roundTripMs = await walkConnection({
      plan,
      whyDirect: whyDirect(environment, plan.options.server),
      target,
      stayMs: given['long'] === true ? STAY_MS : 0,
      signal: abort.signal,
      report,
    }).catch((error: unknown) => {
      if (!abort.signal.aborted) throw error;
      return undefined;
    });
  }
  if (abort.signal.aborted) return signals.exitCode ?? 0;
  const verdict = verdictOf(steps, roundTripMs);
  writer.verdict(verdict);
  return verdict.exitCode;
}

function openReport({ output }: LinkSettings, { environment, writers }: Context): DoctorReport {
  const print = (line: string): void => writers.stdout.write(line);
  if (output.output === 'json') return jsonReport(jsonEmitter(print, () => new Date()));
  const isTerminal = writers.isStdoutTerminal;
  const hasColors = isTerminal && (environment['NO_COLOR'] ?? '') === '';
  return textReport(print, { hasColors, columns: (isTerminal && process.stdout.columns) || Infinity });
}

/** What is there before anything is sent: settings, files, clock. Undefined where that is not enough to connect. */
async function prepare(
  settings: LinkSettings,
  flags: LocalFlags,
  { environment, version }: Context,
  report: (step: Step) => void,
): Promise<ClientPlan | undefined> {
  const { state, identityFile } = settings;
  const stores = {
    pins: new PinDirectory(state.client.pins),
    ports: new LastPorts(state.client.ports),
    // Root, in the directory of another user.
    areReadOnly: (await accessTo(state.path))?.owner === 'foreign',
  };
  let plan: ClientPlan;
  try {
    const secret = await readGivenSecret(flags, environment);
    plan = await planClient({ ...settings, tunnels: [] }, secret, stores, `tunnel/${version}`);
  } catch (error) {
    const trouble = troubleOf(error);
    report(
      failed(trouble.code.startsWith('state-') || trouble.code === 'file-foreign' ? 'files' : 'settings', trouble),
    );
    return undefined;
  }
  report(describePlan(plan, flags));
  report(await checkFiles({ state, identityFile, secretFile: plan.secret?.file }));
  report(await checkClock(identityFile));
  return plan;
}

function describePlan({ options, address, secret, newKey }: ClientPlan, flags: LocalFlags): Step {
  const publicKey = encodeKey(nodeCrypto.publicKey(options.identity));
  const finding = [
    `${address} (${flags.get('to')?.source ?? 'found on this machine'})`,
    describeSecret(secret),
    `this client's public key is ${publicKey}${newKey === undefined ? '' : `, made just now in ${newKey.file}`}`,
  ].join('; ');
  const doubt = secret && doubtOf(secret.secret);
  if (doubt === undefined) return passed('settings', finding);
  return warned('settings', { code: 'secret-unusable', ...doubt }, undefined, `${finding}; ${doubt.reason}`);
}

function doubtOf(secret: string): Pick<Trouble, 'reason' | 'hint'> | undefined {
  const oddity = oddityOf(secret);
  if (oddity !== undefined) {
    return {
      reason: `the secret ${oddity}, which counts as part of it`,
      hint: 'remove that, unless the server has it as well',
    };
  }
  if (secret.length >= SAFE_SECRET_CHARACTERS) return undefined;
  return {
    reason: `the secret has fewer than ${SAFE_SECRET_CHARACTERS} characters and can be guessed`,
    hint: 'use a long random secret, such as the one the server generates',
  };
}

function describeSecret(secret: GivenSecret | undefined): string {
  if (secret === undefined) return 'no secret: its key has to do';
  if (secret.file !== undefined) return `a secret from ${secret.file}`;
  return secret.isExposed ? 'a secret from the command line, which other users can see' : 'a secret';
}
