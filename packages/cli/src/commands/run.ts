import { formatProxyAddress, LastPorts, PinDirectory } from '@tunnel/client';
import { openClientAdmin } from '../admin/admin.ts';
import { type ClientPlan, type ClientStores, isSameSession, planClient } from '../settings/client-plan.ts';
import { readGivenSecret, readOutputSettings } from '../settings/common-flags.ts';
import { type ConfigFile, requireConfig } from '../config/config-file.ts';
import { PROCESS_KEYS, tablesOfTunnel, typeOfTunnel } from '../config/config-keys.ts';
import { changedKeys, reloadConfig, tellRefused } from './reload.ts';
import type { Context } from '../process/context.ts';
import { watchEnterKey } from '../process/enter-key.ts';
import type { EnvironmentFindings } from '../settings/environment.ts';
import { tellEnvironment } from '../notices/environment-notices.ts';
import { warnAboutFiles } from '../notices/file-access.ts';
import { type Arguments, type FileTable, type Flag, GivenFlags } from '../settings/flags.ts';
import { CLIENT_FLAGS, type ClientFlags, readTunnelSettings } from '../settings/http-settings.ts';
import { readSupervision } from '../settings/local-settings.ts';
import { openInspector } from '../inspector/open-inspector.ts';
import { nearest } from '../usage/nearest.ts';
import { jsonEmitter } from '../reports/json-events.ts';
import { openOutput, type Output, say, tellNewKey, warn, tellStopping } from '../output/output.ts';
import { RunningSessions } from './running-sessions.ts';
import { warnAboutConfig, warnAboutPassword, warnAboutProxy, warnAboutSecret } from '../notices/secret-warnings.ts';
import { handleSignals } from '../process/signals.ts';
import { stateDirectory } from '../settings/state-directory.ts';
import { ClientService } from '../systemd/client-service.ts';
import { CommandError } from '../hints/command-error.ts';
import { adviceOf } from '../hints/advice-for.ts';

const { port: _port, host: _host, ...flagsOfAll } = CLIENT_FLAGS;

/** As of `tunnel local` and `tunnel http`, but for ports and names, which belong to single tunnels. */
export const RUN_FLAGS = flagsOfAll satisfies Readonly<Record<string, Flag>>;

/** `tunnel run`: keeps the tunnels of the configuration file open, all or those of these names, until it is stopped. */
export async function runTunnels(names: readonly string[], given: Arguments, context: Context): Promise<number> {
  const { environment } = context;
  const onCommandLine: ClientFlags = new GivenFlags(CLIENT_FLAGS, given, environment);
  const config = await requireConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with([config.client]);
  context.outputIs(flags.read('output') ?? 'text');
  const { pins, ports, control } = stateDirectory(flags.get('state-dir'), environment).client;
  const planner = new Planner(names, onCommandLine, config, context, {
    pins: new PinDirectory(pins),
    ports: new LastPorts(ports),
  });
  const plans = await planner.plan(config);
  const output = await openOutput(readOutputSettings(flags), context);
  tellEnvironment(planner.environmentFindings(config), output);
  warnAboutConfig(config, output);
  const told = new Set<string>();
  warnAboutPlans(plans, output, told);

  const canPressEnter = output.audience === 'people' && process.stdin.isTTY;
  const { admin: adminAddress, watchdog } = readSupervision(flags);
  await using admin = await openClientAdmin(adminAddress, output, context.version);
  await using service = new ClientService(environment, output, watchdog);
  const hasHttp = plans.some(({ options }) => options.tunnels.some(({ http }) => http !== undefined));
  const inspect = flags.read('inspect') ?? (hasHttp ? undefined : 'off');
  await using inspector = await openInspector(inspect, output, context);
  const sessions = new RunningSessions(control, output, canPressEnter, inspector?.recorder, {
    onStarting: (client, plan) => {
      admin?.watch(client);
      service.watch(client, plan);
    },
    onRemoved: (client) => admin?.forget(client),
  });
  let lastReload: Promise<void> = Promise.resolve();
  const reload = async (): Promise<void> => {
    const next = await reloadConfig(() => requireConfig(onCommandLine.get('config'), environment), output);
    if (next === undefined) return;
    try {
      const nextPlans = await planner.plan(next);
      warnAboutPlans(nextPlans, output, told);
      say(output, `configuration read again: ${await sessions.apply(nextPlans)}`);
    } catch (error) {
      tellRefused(error, output);
      return;
    }
    const forRestart = changedKeys(config.client, next.client).filter((key) => PROCESS_KEYS.includes(key));
    if (forRestart.length > 0) {
      warn(output, `changed in ${next.path}: ${forRestart.join(', ')}`, 'restart `tunnel run` for that');
    }
  };
  using signals = handleSignals({
    stop: (signal) => {
      tellStopping(output, signal);
      sessions.stop();
      service.stopping();
    },
    abort: () => sessions.abort(),
    retryNow: () => sessions.retryNow(),
    reload: () => {
      // One after the other: two at once would not know of each other's sessions.
      lastReload = lastReload.then(() => service.reloading(reload));
    },
  });
  using _enterKey = canPressEnter ? watchEnterKey(process.stdin, () => sessions.retryNow()) : undefined;

  await sessions.apply(plans);
  const { code, reason, hint, ...end } = await sessions.ended;
  const exitCode = signals.exitCode ?? end.exitCode;
  if (output.audience === 'scripts') {
    const emit = jsonEmitter(
      (line) => output.stdout.write(line),
      () => new Date(),
    );
    emit('stopped', { exitCode, code, reason, hint: adviceOf(hint).text });
  }
  return exitCode;
}

/** Makes a plan for each session out of a configuration. */
class Planner {
  readonly #names: readonly string[];
  readonly #flags: ClientFlags;
  /** What holds for this process, whatever the file says later. */
  readonly #process: FileTable;
  readonly #context: Context;
  readonly #stores: ClientStores;

  constructor(
    names: readonly string[],
    flags: ClientFlags,
    { client }: ConfigFile,
    context: Context,
    stores: ClientStores,
  ) {
    this.#names = names;
    this.#flags = flags;
    this.#process = new Map([...client].filter(([key]) => PROCESS_KEYS.includes(key)));
    this.#context = context;
    this.#stores = stores;
  }

  /** Tunnels that reach the same server in the same way share a session. Throws `TunnelError`. */
  async plan(config: ConfigFile): Promise<readonly ClientPlan[]> {
    const plans: ClientPlan[] = [];
    for (const { name, table, flags } of this.#flagsOfTunnels(config)) {
      const { environment, version } = this.#context;
      const settings = readTunnelSettings(typeOfTunnel(table), table.get('target') ?? [], flags, environment);
      const secret = await readGivenSecret(flags, environment);
      const plan = await planClient(settings, secret, this.#stores, `tunnel/${version}`);
      const tunnels = plan.options.tunnels.map((tunnel) => ({ ...tunnel, name }));
      const index = plans.findIndex((other) => isSameSession(other, plan));
      const known = plans[index];
      const options = {
        ...plan.options,
        outlivesTunnels: true,
        tunnels: [...(known?.options.tunnels ?? []), ...tunnels],
      };
      if (known === undefined) plans.push({ ...plan, options });
      else plans[index] = { ...known, ...seenIn([known, plan]), options };
    }
    return plans;
  }

  /** What is known of the environment beside the values of these tunnels. */
  environmentFindings(config: ConfigFile): readonly EnvironmentFindings[] {
    return this.#flagsOfTunnels(config).map(({ flags }) => flags.environmentFindings);
  }

  #flagsOfTunnels(config: ConfigFile): readonly { name: string; table: FileTable; flags: ClientFlags }[] {
    const client = new Map([...config.client].filter(([key]) => !PROCESS_KEYS.includes(key)));
    return this.#chosen(config).map(([name, table]) => {
      return { name, table, flags: this.#flags.with([this.#process, ...tablesOfTunnel(table, client)]) };
    });
  }

  #chosen({ path, tunnels }: ConfigFile): readonly (readonly [string, FileTable])[] {
    if (tunnels.size === 0) {
      throw new CommandError('config-unusable', {
        detail: `${path}: it contains no tunnels`,
        hint: 'add one: a table [tunnels.NAME] with a `target`',
      });
    }
    if (this.#names.length === 0) return [...tunnels];
    return [...new Set(this.#names)].map((name) => {
      const table = tunnels.get(name);
      if (table !== undefined) return [name, table];
      const near = nearest(name, tunnels.keys());
      throw new CommandError('usage', {
        detail: `${path} has no tunnel named ${name}`,
        hint: near === undefined ? `the names are ${[...tunnels.keys()].join(', ')}` : `did you mean ${near}?`,
      });
    });
  }
}

/** What people are warned of: each of the tunnels that share a session may have files and passwords of its own. */
function seenIn(plans: readonly ClientPlan[]): Pick<ClientPlan, 'exposures' | 'exposesPassword'> {
  return {
    exposures: plans.flatMap(({ exposures }) => exposures),
    exposesPassword: plans.some(({ exposesPassword }) => exposesPassword),
  };
}

/** Stands among what was warned of for all passwords on the command line. */
const PASSWORD = '--basic-auth';

/** `told`: files, secrets and proxies that were warned of before. */
function warnAboutPlans(plans: readonly ClientPlan[], output: Output, told: Set<string>): void {
  for (const { secret, proxy, newKey, exposures, exposesPassword } of plans) {
    warnAboutFiles(exposures, output, told);
    if (!told.has(PASSWORD)) warnAboutPassword({ exposesPassword }, output);
    if (exposesPassword) told.add(PASSWORD);
    if (newKey !== undefined) tellNewKey(output, 'client', newKey);
    if (secret !== undefined && !told.has(secret.secret)) {
      warnAboutSecret(secret, output);
      told.add(secret.secret);
    }
    if (proxy === undefined) continue;
    const proxyName = formatProxyAddress(proxy.address);
    if (!told.has(proxyName)) warnAboutProxy(proxy, output);
    told.add(proxyName);
  }
}
