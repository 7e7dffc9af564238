import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createProbe } from 'node:net';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import {
  type AcmeOptions,
  authorizedKeysFile,
  createServer,
  leaseFile,
  type Requirement,
  type ServerEvents,
} from '@tunnel/server';
import { TunnelError } from '@tunnel/shared';
import {
  decodeKey,
  encodeKey,
  fingerprint,
  loadOrCreateIdentity,
  loadOrCreateSecret,
  readSecretFile,
  removeFile,
  type ProcessLock,
  takeProcessLock,
} from '@tunnel/shared/node';
import { openServerAdmin } from '../admin/admin.ts';
import { addressForClients, namesInCertificate } from './client-address.ts';
import { type GivenSecret, readGivenSecret } from '../settings/common-flags.ts';
import type { AcmeGiven } from '../settings/front-door-settings.ts';
import { readAuthorities } from '../settings/client-plan.ts';
import { type ConfigFile, loadConfig, requireConfig } from '../config/config-file.ts';
import { changedKeys, reloadConfig } from './reload.ts';
import type { Context } from '../process/context.ts';
import { tellEnvironment } from '../notices/environment-notices.ts';
import { warnAboutFiles } from '../notices/file-access.ts';
import { checkPrivateFiles, type Exposure } from '../settings/private-files.ts';
import { type Arguments, GivenFlags } from '../settings/flags.ts';
import { jsonEmitter, serverJsonReporter } from '../reports/json-events.ts';
import { openOutput, type Output, say, tellNewKey, warn, tellStopping } from '../output/output.ts';
import { heldBack, reportEvents, type Reporter } from '../output/reporter.ts';
import { serverLogReporter } from '../reports/server-log.ts';
import { throttled } from '../reports/throttle.ts';
import { SERVER_LINES, SERVER_SCRIPT_EVENTS } from '../reports/throttle-rules.ts';
import { introduceServer, serverTextReporter } from '../reports/server-text.ts';
import { writeRunningServer } from '../settings/running-server.ts';
import {
  readServerSettings,
  SERVER_FLAGS,
  type ServerFlags,
  type ServerSettings,
} from '../settings/server-settings.ts';
import { handleSignals } from '../process/signals.ts';
import { warnAboutConfig, warnAboutOddity, warnAboutSecret } from '../notices/secret-warnings.ts';
import { serverState } from '../systemd/server-state.ts';
import { Service } from '../systemd/service.ts';
import type { ListenAddress } from '../values/listen-address.ts';
import { formatTarget } from '../values/target.ts';
import { CommandError } from '../hints/command-error.ts';

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
  const { state, identityFile } = settings;
  const exposures = await checkPrivateFiles({
    stateDirectory: state.path,
    directories: [dirname(state.server.lock)],
    files: [identityFile, givenSecret === undefined ? state.server.secret : givenSecret.file, previousFile?.text],
  });
  const lock = await takeLock(settings);
  try {
    const requirement = requirementOf(settings, givenSecret);
    const secret = requirement === 'key' ? undefined : (givenSecret ?? (await loadKeptSecret(settings)));
    return await serve(
      { settings, exposures, requirement, secret, previousSecret, config, onCommandLine, flags },
      context,
    );
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
    throw new CommandError('listen-in-use', {
      detail: `port ${port}, by a tunnel server that uses ${error.detail}`,
      hint: 'a server is already running; for a second one, choose another --port and --state-dir',
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
  readonly exposures: readonly Exposure[];
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
  const output = await openOutput(settings.output, context);
  if (identity.created) {
    tellNewKey(output, 'server', { file: settings.identityFile, publicKey: encodeKey(identity.publicKey) });
  }
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
    domain: settings.domain,
    allowHosts: settings.allowHosts,
    http: settings.http,
    https: settings.https,
    acme: settings.acme && (await readAcme(settings.acme, settings.state.server.acme)),
    redirect: settings.redirect,
    resumeWindowMs: settings.resumeWindowMs,
    drainTimeoutMs: settings.drainTimeoutMs,
    heartbeat: settings.heartbeat,
    identity: identity.privateKey,
    tls: settings.tls,
    trustedProxies: settings.trustedProxies,
    acceptProxyProtocol: settings.acceptProxyProtocol,
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
    throttled(serverLogReporter(output.log, shortKey), SERVER_LINES),
    ...audienceReporters(settings, output, emit),
  ].map(heldBack);
  for (const { reporter } of reports) reportEvents(server, reporter);
  await using _admin = await openServerAdmin(settings.admin, server, output, context.version);
  await using service = Service.open(context.environment, output, () => serverState(server.status()));
  for (const name of LOAD_CHANGES) server.on(name, () => service?.changed());
  using signals = handleSignals({
    stop: (signal) => {
      stopSignal = signal;
      tellStopping(output, signal);
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

  const { port } = await server.start();
  try {
    const secretFile = secret?.file === undefined ? undefined : resolve(secret.file);
    await writeRunningServer(settings.state.server.running, {
      secure: settings.tls.length > 0,
      host: settings.host,
      port,
      serverKey: identity.publicKey,
      secretFile,
      admitsKeys: requirement === 'key' || requirement === 'either',
    });
    tellEnvironment([beginning.flags.environmentFindings], output);
    warnAboutConfig(config, output);
    warnAboutFiles(beginning.exposures, output);
    if (previousSecret !== undefined) warnAboutOddity('the previous secret', previousSecret, output);
    await introduce(settings, { port, requirement, secret, serverKey: identity.publicKey }, output, context);
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

/** Reads the file that it names. */
async function readAcme({ caFile, ...given }: AcmeGiven, directory: string): Promise<AcmeOptions> {
  return { ...given, directory, ca: caFile && (await readAuthorities(caFile)) };
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
      return [throttled(serverJsonReporter(emit), SERVER_SCRIPT_EVENTS)];
    case 'people':
      return [
        throttled(
          serverTextReporter((line) => output.stdout.write(line), {
            fingerprint: shortKey,
            now: () => new Date(),
            resumeWindowMs: settings.resumeWindowMs,
          }),
          SERVER_LINES,
        ),
      ];
    case 'pipe':
      return [];
  }
}

interface Introduced {
  readonly port: number;
  readonly requirement: Requirement;
  readonly secret: GivenSecret | undefined;
  readonly serverKey: Uint8Array;
}

/** Says how clients get in: with the secret on a terminal, elsewhere only with its file, since logs are kept and read. */
async function introduce(
  settings: ServerSettings,
  { port, requirement, secret, serverKey }: Introduced,
  output: Output,
  { version, command }: Context,
): Promise<void> {
  if (secret !== undefined) warnAboutSecret(secret, output);
  const { authorizedKeysFile: keysFile } = settings;
  if (output.audience !== 'people') {
    if (secret?.file !== undefined)
      output.log.info({ file: resolve(secret.file) }, 'clients need the secret in this file');
    if (keysFile !== undefined)
      output.log.info({ file: keysFile, require: requirement }, 'client keys are in this file');
    return;
  }
  const { host, publicHost, domain, tls } = settings;
  const [first] = tls;
  const certificateNames = first && (await readFile(first.certFile, 'utf8').then(namesInCertificate, () => []));
  const { to, note } = addressForClients({ host, port, publicHost, domain, ownName: hostname(), certificateNames });
  const further = (['http', 'https'] as const).flatMap((scheme) => {
    const address = settings[scheme];
    return address === undefined || address.port === 0
      ? []
      : [`${scheme} on ${placeOf({ ...address, host: address.host ?? host })}`];
  });
  const lines = introduceServer({
    version,
    command,
    listensOn: [placeOf({ host, port }), ...further].join(', '),
    minPort: settings.minPort,
    maxPort: settings.maxPort,
    fingerprint: fingerprint(serverKey),
    to,
    note,
    secret: secret?.secret,
    isSecretInFile: secret?.file !== undefined,
    keysFile,
    requirement,
    serverKey: Buffer.from(serverKey).toString('base64url'),
    domain: domain ?? (publicHost === undefined ? 'localhost' : undefined),
    stateDirectory: settings.givenStateDirectory,
  });
  for (const line of lines) output.stdout.write(line);
}

function placeOf({ host, port }: ListenAddress): string {
  return host === undefined ? `port ${port}` : formatTarget({ host, port });
}

function shortKey(key: string): string {
  return fingerprint(decodeKey(key, 'the key of the peer'));
}
