import { type ClientEvents, LastPorts, PinDirectory } from '@tunnel/client';
import { createInternalClient } from '@tunnel/client/internal';
import { openClientAdmin } from '../admin/admin.ts';
import { planClient } from '../settings/client-plan.ts';
import { readGivenSecret } from '../settings/common-flags.ts';
import { loadConfig } from '../config/config-file.ts';
import type { Context } from '../process/context.ts';
import { openControl } from '../control/open-control.ts';
import { watchEnterKey } from '../process/enter-key.ts';
import { openInspector } from '../inspector/open-inspector.ts';
import { tellEnvironment } from '../notices/environment-notices.ts';
import { type Arguments, GivenFlags } from '../settings/flags.ts';
import { warnAboutFiles } from '../notices/file-access.ts';
import { CLIENT_FLAGS, readTunnelSettings, type TunnelType } from '../settings/http-settings.ts';
import { clientReporters, tellConnecting } from '../reports/client-reporters.ts';
import { openOutput, tellEnd, tellNewKey, tellStopping } from '../output/output.ts';
import { adviceOf } from '../hints/advice-for.ts';
import { adviceWithProxy } from '../settings/proxy-choice.ts';
import { reportEvents } from '../output/reporter.ts';
import { warnAboutConfig, warnAboutPassword, warnAboutProxy, warnAboutSecret } from '../notices/secret-warnings.ts';
import { handleSignals } from '../process/signals.ts';
import { ClientService } from '../systemd/client-service.ts';

/**
 * `tunnel local` and `tunnel http`: runs until it is stopped or fails for good, and resolves with the exit code. Throws
 * `TunnelError`.
 */
export async function runLocal(
  type: TunnelType,
  targets: readonly string[],
  given: Arguments,
  context: Context,
): Promise<number> {
  const { environment } = context;
  const onCommandLine = new GivenFlags(CLIENT_FLAGS, given, environment);
  const config = await loadConfig(onCommandLine.get('config'), environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.client]);
  context.outputIs(flags.read('output') ?? 'text');
  const settings = readTunnelSettings(
    type,
    targets.map((text) => ({ text, source: 'target' })),
    flags,
    environment,
  );
  const { pins, ports } = settings.state.client;
  const stores = { pins: new PinDirectory(pins), ports: new LastPorts(ports) };
  const givenSecret = await readGivenSecret(flags, environment);
  const plan = await planClient(settings, givenSecret, stores, `tunnel/${context.version}`);
  const output = await openOutput(settings.output, context);
  if (plan.newKey !== undefined) tellNewKey(output, 'client', plan.newKey);
  tellEnvironment([flags.environmentFindings], output);
  if (plan.secret !== undefined) warnAboutSecret(plan.secret, output);
  warnAboutPassword(plan, output);
  if (plan.proxy !== undefined) warnAboutProxy(plan.proxy, output);
  warnAboutConfig(config, output);
  warnAboutFiles(plan.exposures, output);

  const inspect = type === 'http' ? flags.read('inspect') : 'off';
  await using inspector = await openInspector(inspect, output, context);
  const client = createInternalClient({ ...plan.options, recorder: inspector?.recorder });
  const canPressEnter = output.audience === 'people' && settings.reconnect && process.stdin.isTTY;
  const introduction = {
    server: plan.address,
    canPressEnter,
    isOneOfMany: false,
    unusedProxy: plan.unusedProxy,
    exitCode: () => signals.exitCode,
  };
  for (const reporter of clientReporters(output, introduction)) reportEvents(client, reporter);
  await using service = new ClientService(environment, output, settings.watchdog);
  service.watch(client, plan);
  using signals = handleSignals({
    stop: (signal) => {
      tellStopping(output, signal);
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
  const { exitCode, code, reason, hint } = await stopped;
  if (exitCode !== 0) {
    const advice = adviceWithProxy(plan.unusedProxy, code, adviceOf(hint));
    tellEnd(output, { code, reasons: [reason], hint: advice.text });
  }
  return signals.exitCode ?? exitCode;
}
