import { once } from 'node:events';
import { createServer as createProbe } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { authorizedKeysFile, createServer, leaseFile, type Requirement, type ServerEvents } from '@tunnel/server';
import { TunnelError } from '@tunnel/shared';
import {
  decodeKey,
  fingerprint,
  hostToDial,
  loadOrCreateIdentity,
  loadOrCreateSecret,
  readSecretFile,
  removeFile,
  type ProcessLock,
  takeProcessLock,
} from '@tunnel/shared/node';
import { openServerAdmin } from './admin/admin.ts';
import { type GivenSecret, readGivenSecret } from './common-flags.ts';
import { type ConfigFile, loadConfig, requireConfig } from './config/config-file.ts';
import { changedKeys, reloadConfig } from './config/reload.ts';
import type { Context } from './context.ts';
import { tellEnvironment } from './environment-notices.ts';
import { type Arguments, GivenFlags } from './flags.ts';
import { jsonEmitter, serverJsonReporter } from './output/json-events.ts';
import { openOutput, type Output, say, warn } from './output/output.ts';
import { heldBack, reportEvents, type Reporter } from './output/reporter.ts';
import { serverLogReporter } from './output/server-log.ts';
import { throttled } from './output/throttle.ts';
import { introduceServer, quote, serverTextReporter } from './output/server-text.ts';
import { writeRunningServer } from './running-server.ts';
import { readServerSettings, SERVER_FLAGS, type ServerFlags, type ServerSettings } from './server-settings.ts';
import { handleSignals } from './signals.ts';
import { warnAboutConfig, warnAboutOddity, warnAboutSecret } from './secret-warnings.ts';
import { serverState } from './systemd/server-state.ts';
import { Service } from './systemd/service.ts';
import { formatTarget } from './values/target.ts';

const DEFAULT_PORT = 7835;

/** Events after which the server's load is another one. */
const LOAD_CHANGES = ['client-connected', 'client-disconnected', 'client-resumed', 'client-expired'] as const;

/** `tunnel server`: runs until it is stopped, and resolves with the exit code. Throws `TunnelError`. */
export async function runServer(given: Arguments, context: Context): Promise<number> {
  const onCommandLine = new GivenFlags(SERVER_FLAGS, given, context.environment);
  const config = await loadConfig(onCommandLine.get('config'), context.environment);
  const flags = onCommandLine.with(config === undefined ? [] : [config.server]);
  context.outputIs(flags.read('output') ?? 'text');
  const settings = readServerSettings(flags, context.environment);
  const givenSecret = await readGivenSecret(flags, context.environment);
  const previousFile = flags.get('previous-secret-file');
  const previousSecret =
    previousFile === undefined ? undefined : await readSecretFile(previousFile.text, previousFile.source);
  const lock = await takeLock(settings);
  try {
    const requirement = requirementOf(settings, givenSecret);
    const secret = requirement === 'key' ? undefined : (givenSecret ?? (await loadKeptSecret(settings)));
    return await serve({ settings, requirement, secret, previousSecret, config, onCommandLine, flags }, context);
  } finally {
    await lock.release();
  }
}

/** Takes the lock of the state directory. Where the port is taken as well, that is what the user is told. */
async function takeLock({ state, host, port }: ServerSettings): Promise<ProcessLock> {
  try {
    return await takeProcessLock(state.server.lock);
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== 'state-locked' || port === 0) throw error;
    if (!(await isInUse(host, port))) throw error;
    throw new TunnelError('listen-in-use', {
      detail: `port ${port}, by a tunnel server that uses ${error.detail}`,
      hint: 'a server runs already; for a second one choose another --port and another --state-dir',
      cause: error,
    });
  }
}

async function isInUse(host: string | undefined, port: number): Promise<boolean> {
  const probe = createProbe();
  try {
    await once(probe.listen({ host, port }), 'listening');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  } finally {
    probe.close();
  }
}

async function loadKeptSecret({ state }: ServerSettings): Promise<GivenSecret> {
  const { secret } = await loadOrCreateSecret(state.server.secret);
  return { secret, file: state.server.secret, isExposed: false };
}

/** A file of keys makes a secret needless, and one that nobody asked for would be a second way in. */
function requirementOf(
  { requirement, authorizedKeysFile: keys }: ServerSettings,
  givenSecret: GivenSecret | undefined,
): Requirement {
  return requirement ?? (keys === undefined ? 'secret' : givenSecret === undefined ? 'key' : 'either');
}

/** What a server begins with. */
interface Beginning {
  readonly settings: ServerSettings;
  readonly requirement: Requirement;
  readonly secret: GivenSecret | undefined;
  readonly previousSecret: string | undefined;
  readonly config: ConfigFile | undefined;
  readonly onCommandLine: ServerFlags;
  readonly flags: ServerFlags;
}

async function serve(beginning: Beginning, context: Context): Promise<number> {
  const { settings, requirement, secret, previousSecret, config } = beginning;
  const identity = await loadOrCreateIdentity(settings.identityFile);
  const output = await openOutput(settings.output, context.writers, context.environment);
  const emit = jsonEmitter(
    (line) => output.stdout.write(line),
    () => new Date(),
  );
  const { authorizedKeysFile: keysFile } = settings;
  const server = createServer({
    host: settings.host,
    port: settings.port,
    tunnelHost: settings.tunnelHost,
    minPort: settings.minPort,
    maxPort: settings.maxPort,
    publicHost: settings.publicHost,
    resumeWindowMs: settings.resumeWindowMs,
    drainTimeoutMs: settings.drainTimeoutMs,
    heartbeat: settings.heartbeat,
    identity: identity.privateKey,
    tls: settings.tls,
    trustedProxies: settings.trustedProxies,
    secret: secret?.secret,
    previousSecret,
    authorizedKeys: keysFile === undefined ? undefined : authorizedKeysFile(keysFile),
    require: requirement,
    leases: leaseFile(settings.state.server.leases),
    agent: `tunnel/${context.version}`,
  });

  let stopSignal: string | undefined;
  const stopped = new Promise<void>((done) => server.on('stopped', () => done()));
  // Whoever waits for `listening` may start a client that looks for the file which says where this server is. So that is
  // written first, and everything waits until it is.
  const reports = [
    throttled(serverLogReporter(output.log, shortKey)),
    ...audienceReporters(settings, output, emit),
  ].map(heldBack);
  for (const { reporter } of reports) reportEvents(server, reporter);
  await using _admin = await openServerAdmin(settings.admin, server, output, context.version);
  await using service = Service.open(context.environment, output, () => serverState(server.status()));
  for (const name of LOAD_CHANGES) server.on(name, () => service?.changed());
  using signals = handleSignals({
    stop: (signal) => {
      stopSignal = signal;
      if (output.audience === 'people') output.stdout.write('stopping; Ctrl-C again ends at once');
      else output.log.info({ signal }, 'stopping');
      void server.stop();
      service?.stopping(settings.drainTimeoutMs);
    },
    abort: () => server.abort(),
    reload: () => {
      const reload = async (): Promise<void> => {
        server.rereadKeys();
        await tellChanges(beginning, output, context);
      };
      void (service === undefined ? reload() : service.reloading(reload));
    },
  });

  const { port, url } = await server.start();
  try {
    const secretFile = secret?.file === undefined ? undefined : resolve(secret.file);
    await writeRunningServer(settings.state.server.running, {
      secure: settings.tls !== undefined,
      host: settings.host,
      port,
      serverKey: identity.publicKey,
      secretFile,
      admitsKeys: requirement === 'key' || requirement === 'either',
    });
    if (identity.created) output.log.info({ file: settings.identityFile }, 'made a new server key');
    tellEnvironment([beginning.flags.environmentFindings], output);
    warnAboutConfig(config, output);
    if (previousSecret !== undefined) warnAboutOddity('the previous secret', previousSecret, output);
    introduce(settings, { port, url, requirement, secret, serverKey: identity.publicKey }, output, context);
    for (const { release } of reports) release();
    service?.changed();
    if (stopSignal !== undefined) void server.stop();
    await stopped;
  } finally {
    server.abort();
    await removeFile(settings.state.server.running);
  }
  const exitCode = signals.exitCode ?? 0;
  if (output.audience === 'scripts') {
    emit('stopped', { exitCode, code: 'stopped', reason: `stopped by ${stopSignal ?? 'itself'}` });
  }
  return exitCode;
}

/** A server does not take over a changed configuration while it runs: says whether it is right, and what is for a restart. */
async function tellChanges(
  { config, onCommandLine }: Beginning,
  output: Output,
  { environment }: Context,
): Promise<void> {
  const given = onCommandLine.get('config');
  // A server that has none goes on without one.
  const load = config === undefined ? loadConfig : requireConfig;
  const next = await reloadConfig(() => load(given, environment), output);
  if (next === undefined) return;
  const changed = changedKeys(config?.server, next.server);
  if (changed.length === 0) say(output, 'configuration read again: nothing changed for the server');
  else warn(output, `changed in ${next.path}: ${changed.join(', ')}`, 'restart the server for that');
}

function audienceReporters(
  settings: ServerSettings,
  output: Output,
  emit: (event: string, fields: object) => void,
): readonly Reporter<ServerEvents>[] {
  switch (output.audience) {
    case 'scripts':
      return [serverJsonReporter(emit)];
    case 'people':
      return [
        throttled(
          serverTextReporter((line) => output.stdout.write(line), {
            fingerprint: shortKey,
            now: () => new Date(),
            resumeWindowMs: settings.resumeWindowMs,
          }),
        ),
      ];
    case 'pipe':
      return [];
  }
}

interface Introduced {
  readonly port: number;
  /** As clients name the server. */
  readonly url: string;
  readonly requirement: Requirement;
  readonly secret: GivenSecret | undefined;
  readonly serverKey: Uint8Array;
}

/** Says how clients get in: with the secret on a terminal, elsewhere only with its file, since logs are kept and read. */
function introduce(
  settings: ServerSettings,
  { port, url, requirement, secret, serverKey }: Introduced,
  output: Output,
  { version }: Context,
): void {
  if (secret !== undefined) warnAboutSecret(secret, output);
  const { authorizedKeysFile: keysFile } = settings;
  if (output.audience !== 'people') {
    if (secret?.file !== undefined)
      output.log.info({ file: resolve(secret.file) }, 'clients need the secret in this file');
    if (keysFile !== undefined)
      output.log.info({ file: keysFile, require: requirement }, 'client keys are in this file');
    return;
  }
  const knownHost = settings.publicHost ?? hostToDial(settings.host);
  const lines = introduceServer({
    version,
    listensOn: settings.host === undefined ? `port ${port}` : formatTarget({ host: settings.host, port }),
    minPort: settings.minPort,
    maxPort: settings.maxPort,
    fingerprint: fingerprint(serverKey),
    to: settings.tls ? url : plainAddress(knownHost ?? hostname(), port),
    isOwnName: knownHost === undefined,
    secret: secret?.secret,
    keysFile,
    requirement,
    serverKey: Buffer.from(serverKey).toString('base64url'),
    localCommand: secret !== undefined && secret.file === undefined ? undefined : localCommand(settings),
  });
  for (const line of lines) output.stdout.write(line);
}

/** The shortest text that names a server without TLS. */
function plainAddress(host: string, port: number): string {
  return port === DEFAULT_PORT && !host.includes(':') ? host : formatTarget({ host, port });
}

/** What to type on this machine, in another terminal that has the same environment. */
function localCommand({ givenStateDirectory }: ServerSettings): string {
  const stateDirectory = givenStateDirectory === undefined ? '' : ` --state-dir ${quote(givenStateDirectory)}`;
  return `tunnel local 3000${stateDirectory}`;
}

function shortKey(key: string): string {
  return fingerprint(decodeKey(key, 'the key of the peer'));
}
