import { createClient, type ClientEvents, LastPorts, PinDirectory } from '@tunnel/client';
import { openClientAdmin } from './admin/admin.ts';
import { planClient } from './client-plan.ts';
import { readGivenSecret } from './common-flags.ts';
import { loadConfig } from './config/config-file.ts';
import type { Context } from './context.ts';
import { openControl } from './control/open-control.ts';
import { watchEnterKey } from './enter-key.ts';
import { tellEnvironment } from './environment-notices.ts';
import { type Arguments, GivenFlags } from './flags.ts';
import { LOCAL_FLAGS, readLocalSettings } from './local-settings.ts';
import { clientReporters, tellConnecting } from './output/client-reporters.ts';
import { errorLines, openOutput } from './output/output.ts';
import { reportEvents } from './output/reporter.ts';
import { warnAboutConfig, warnAboutProxy, warnAboutSecret } from './secret-warnings.ts';
import { handleSignals } from './signals.ts';
import { ClientService } from './systemd/client-service.ts';

/** `tunnel local`: runs until it is stopped or fails for good, and resolves with the exit code. Throws `TunnelError`. */
export async function runLocal(targets: readonly string[], given: Arguments, context: Context): Promise<number> {
  const { environment } = context;
  const onCommandLine = new GivenFlags(LOCAL_FLAGS, given, environment);
  const config = await loadConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.client]);
  context.outputIs(flags.read('output') ?? 'text');
  const settings = readLocalSettings(
    targets.map((text) => ({ text, source: 'target' })),
    flags,
    environment,
  );
  const { pins, ports } = settings.state.client;
  const stores = { pins: new PinDirectory(pins), ports: new LastPorts(ports) };
  const givenSecret = await readGivenSecret(flags, environment);
  const plan = await planClient(settings, givenSecret, stores, `tunnel/${context.version}`);
  const output = await openOutput(settings.output, context.writers, environment);
  tellEnvironment([flags.environmentFindings], output);
  if (plan.newIdentity !== undefined) output.log.info({ file: plan.newIdentity }, 'made a new client key');
  if (plan.secret !== undefined) warnAboutSecret(plan.secret, output);
  if (plan.proxy !== undefined) warnAboutProxy(plan.proxy, output);
  warnAboutConfig(config, output);

  const client = createClient(plan.options);
  const canPressEnter = output.audience === 'people' && settings.reconnect && process.stdin.isTTY;
  const introduction = { server: plan.address, canPressEnter, isOneOfMany: false, exitCode: () => signals.exitCode };
  for (const reporter of clientReporters(output, introduction)) reportEvents(client, reporter);
  await using service = new ClientService(environment, output, settings.watchdog);
  service.watch(client, plan);
  using signals = handleSignals({
    stop: (signal) => {
      if (output.audience === 'people') output.stdout.write('stopping; Ctrl-C again ends at once');
      else output.log.info({ signal }, 'stopping');
      void client.stop();
      service.stopping();
    },
    abort: () => client.abort(),
    retryNow: () => client.retryNow(),
    stopsWithTerminal: true,
  });
  using _enterKey = canPressEnter ? watchEnterKey(process.stdin, () => client.retryNow()) : undefined;

  const stopped = new Promise<ClientEvents['stopped']>((resolve) => client.on('stopped', resolve));
  tellConnecting(plan, output);
  await using _control = await openControl(settings.state.client.control, client, output);
  await using admin = await openClientAdmin(settings.admin, output, context.version);
  admin?.watch(client);
  client.start();
  const { exitCode, reason, hint } = await stopped;
  if (exitCode !== 0) for (const line of errorLines(reason, hint)) output.stderr.write(line);
  return signals.exitCode ?? exitCode;
}
