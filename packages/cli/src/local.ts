import { readFile } from 'node:fs/promises';
import {
  type Client,
  createClient,
  type ClientEvents,
  formatProxyAddress,
  formatServerAddress,
  LastPorts,
  PinDirectory,
  type ServerAddress,
} from '@tunnel/client';
import { TunnelError } from '@tunnel/shared';
import { decodeKey, describeSystemError, fingerprint, loadOrCreateIdentity, readSecretFile } from '@tunnel/shared/node';
import { type GivenSecret, readGivenSecret } from './common-flags.ts';
import type { Context } from './context.ts';
import { serveControl } from './control/control-server.ts';
import { watchEnterKey } from './enter-key.ts';
import { type Arguments, GivenFlags } from './flags.ts';
import { LOCAL_FLAGS, type LocalFlags, type LocalSettings, readLocalSettings } from './local-settings.ts';
import { clientLogReporter } from './output/client-log.ts';
import { clientTextReporter } from './output/client-text.ts';
import { clientJsonReporter, jsonEmitter } from './output/json-events.ts';
import { errorLines, openOutput, type Output, warn } from './output/output.ts';
import { reportEvents, type Reporter } from './output/reporter.ts';
import { readRunningServer } from './running-server.ts';
import { warnAboutProxy, warnAboutSecret } from './secret-warnings.ts';
import { handleSignals } from './signals.ts';
import { type Given, unusable } from './values/given.ts';

/** `tunnel local`: runs until it is stopped or fails for good, and resolves with the exit code. Throws `TunnelError`. */
export async function runLocal(targets: readonly string[], given: Arguments, context: Context): Promise<number> {
  const flags: LocalFlags = new GivenFlags(LOCAL_FLAGS, given, context.environment);
  const settings = readLocalSettings(targets, flags, context.environment);
  const givenSecret = await readGivenSecret(flags, context.environment);
  const ca = settings.caFile === undefined ? undefined : await readCa(settings.caFile);
  const { server, serverKey, secret, isOfThisMachine } = await chooseServer(settings, givenSecret);
  const identity = await loadOrCreateIdentity(settings.identityFile);
  const output = openOutput(settings.output, context.writers, context.environment);
  if (identity.created) output.log.info({ file: settings.identityFile }, 'made a new client key');
  if (secret !== undefined) warnAboutSecret(secret, output);
  if (settings.proxy !== undefined) warnAboutProxy(settings.proxy, output);

  const client = createClient({
    server,
    tunnels: settings.tunnels,
    identity: identity.privateKey,
    secret: secret?.secret,
    serverKey,
    pins: new PinDirectory(settings.state.client.pins),
    ports: new LastPorts(settings.state.client.ports),
    reconnect: settings.reconnect,
    maxReconnectDelayMs: settings.maxReconnectDelayMs,
    heartbeat: settings.heartbeat,
    connectTimeoutMs: settings.connectTimeoutMs,
    localWaitMs: settings.localWaitMs,
    proxy: settings.proxy?.address,
    ca,
    // Its certificate is for the name that others use; its key was read from its own files.
    verifyCertificate: !isOfThisMachine,
    agent: `tunnel/${context.version}`,
  });
  const address = formatServerAddress(server);
  const proxy = settings.proxy && formatProxyAddress(settings.proxy.address);
  const canPressEnter = output.audience === 'people' && settings.reconnect && process.stdin.isTTY;
  for (const reporter of reporters(output, address, canPressEnter)) reportEvents(client, reporter);
  using signals = handleSignals({
    stop: (signal) => {
      if (output.audience === 'people') output.stdout.write('stopping; Ctrl-C again ends at once');
      else output.log.info({ signal }, 'stopping');
      void client.stop();
    },
    abort: () => client.abort(),
    retryNow: () => client.retryNow(),
  });
  using _enterKey = canPressEnter ? watchEnterKey(process.stdin, () => client.retryNow()) : undefined;

  const stopped = new Promise<ClientEvents['stopped']>((resolve) => client.on('stopped', resolve));
  if (output.audience === 'people')
    output.stdout.write(`connecting to ${address}${proxy === undefined ? '' : ` through ${proxy}`}`);
  else output.log.info({ server: address, proxy }, 'connecting');
  await using _control = await openControl(settings.state.client.control, client, output);
  client.start();
  const { exitCode, reason, hint } = await stopped;
  if (exitCode !== 0) for (const line of errorLines(reason, hint)) output.stderr.write(line);
  return signals.exitCode ?? exitCode;
}

/** Without it the tunnel does its work all the same. */
async function openControl(directory: string, client: Client, output: Output): Promise<AsyncDisposable | undefined> {
  try {
    return await serveControl(directory, client);
  } catch (error) {
    const reason = error instanceof TunnelError ? error.detail : describeSystemError(error);
    warn(output, `\`tunnel status\` will not show this process: ${reason}`, 'the tunnel itself goes on without that');
    return undefined;
  }
}

interface ChosenServer {
  readonly server: ServerAddress;
  readonly serverKey: Uint8Array | undefined;
  readonly secret: GivenSecret | undefined;
  /** It was not named, but found. */
  readonly isOfThisMachine: boolean;
}

/** The server that was named, else the one on this machine, whose key and secret are then at hand, too. */
async function chooseServer(settings: LocalSettings, givenSecret: GivenSecret | undefined): Promise<ChosenServer> {
  const { server, serverKey, state } = settings;
  if (server !== undefined) return { server, serverKey, secret: givenSecret, isOfThisMachine: false };
  const running = await readRunningServer(state.server.running);
  const secret = givenSecret ?? (await readServerSecret(running.secretFile));
  return {
    server: running.address,
    serverKey: serverKey ?? running.serverKey,
    secret,
    isOfThisMachine: true,
  };
}

async function readServerSecret(file: string | undefined): Promise<GivenSecret> {
  if (file === undefined) {
    throw new TunnelError('secret-missing', {
      detail: 'the server on this machine was given its secret directly, not in a file',
      hint: 'give the same secret here: --secret-file FILE, --secret SECRET or TUNNEL_SECRET',
    });
  }
  return { secret: await readSecretFile(file, 'the secret of the server on this machine,'), file, isExposed: false };
}

async function readCa(given: Given): Promise<string> {
  let text: string;
  try {
    text = await readFile(given.text, 'utf8');
  } catch (error) {
    throw unusable(given, describeSystemError(error), 'give a readable file with certificates in PEM');
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw unusable(given, 'there is no certificate in it', 'give a file with certificates in PEM');
  }
  return text;
}

function reporters(output: Output, server: string, canPressEnter: boolean): readonly Reporter<ClientEvents>[] {
  const now = (): Date => new Date();
  const log = clientLogReporter(output.log, shortKey);
  const print = (line: string): void => output.stdout.write(line);
  switch (output.audience) {
    case 'scripts':
      return [clientJsonReporter(jsonEmitter(print, now), now), log];
    case 'people':
      return [clientTextReporter(print, { server, fingerprint: shortKey, now, canPressEnter }), log];
    case 'pipe':
      return [publicAddressReporter(print), log];
  }
}

/** Prints the public addresses, one a line, whenever they are new: for scripts that read no JSON. */
function publicAddressReporter(print: (line: string) => void): Reporter<ClientEvents> {
  let printed = '';
  return {
    ready: ({ tunnels }) => {
      const addresses = tunnels.map(({ url }) => url).join('\n');
      if (addresses !== printed) print(addresses);
      printed = addresses;
    },
  };
}

function shortKey(key: string): string {
  return fingerprint(decodeKey(key, 'the key of the server'));
}
