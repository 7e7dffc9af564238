import { resolve } from 'node:path';
import { formatServerAddress, parseServerAddress, type ServerAddress, type TunnelOptions } from '@tunnel/client';
import { DEFAULT_MAX_RECONNECT_DELAY_MS, type HeartbeatSettings, MIN_DELAY_CAP_MS, TunnelError } from '@tunnel/shared';
import { decodeGivenKey } from '@tunnel/shared/node';
import type { OutputSettings } from '../output/output-settings.ts';
import {
  LINK_FLAGS,
  readHeartbeat,
  readIdleHeartbeat,
  readOutputSettings,
  STATE_AND_OUTPUT_FLAGS,
} from './common-flags.ts';
import type { GivenCredentials } from './credentials.ts';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import { chooseProxy, type ChosenProxy, readProxy, type UnusedProxy, unusedProxy } from './proxy-choice.ts';
import { stateDirectory, type StateDirectory } from './state-directory.ts';
import type { AdminAddress } from '../values/admin-address.ts';
import { parseChoice } from '../values/choice.ts';
import { parseDuration } from '../values/duration.ts';
import { type Given, unusable } from '../values/given.ts';
import { parseHost } from '../values/host.ts';
import { parsePort } from '../values/port.ts';
import { expandPortRange } from '../values/port-range.ts';
import { parseTarget } from '../values/target.ts';
import { readVisitorOptions, VISITOR_FLAGS } from './visitor-settings.ts';
import { CommandError } from '../hints/command-error.ts';

export const DEFAULT_LOCAL_HOST = 'localhost';

/** What the watchdog watches: whether the client does its work, also that of coming back, or whether its link lives. */
const WATCHDOG_SUBJECTS = ['process', 'link'] as const;
export type WatchdogSubject = (typeof WATCHDOG_SUBJECTS)[number];

const DEFAULT_WATCHDOG: WatchdogSubject = 'process';
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const MIN_CONNECT_TIMEOUT_MS = 100;

export const LOCAL_FLAGS = {
  config: LINK_FLAGS.config,
  to: {
    describe: 'the server: host, host:port, [v6]:port, ws://host:port/path or wss://host/path',
    variable: 'TUNNEL_SERVER',
    default: 'the one that runs on this machine',
    read: readServer,
  },
  port: {
    describe: 'public port to ask for; with several targets, one for each, in the same order',
    default: 'any free one',
    isList: true,
    read: (given) => parsePort(given, { zero: true }),
    place: 'target',
  },
  'local-host': {
    describe: 'host for targets given as a bare port',
    default: DEFAULT_LOCAL_HOST,
    read: parseHost,
    place: 'tunnel',
  },
  ...VISITOR_FLAGS,
  secret: LINK_FLAGS.secret,
  'secret-file': LINK_FLAGS['secret-file'],
  'server-key': {
    describe: "the server's public key",
    variable: 'TUNNEL_SERVER_KEY',
    default: 'learned on first use',
    read: (given) => decodeGivenKey(given.text, given.source),
  },
  identity: {
    describe: "file with this client's key; created if missing",
    variable: 'TUNNEL_IDENTITY',
    default: 'in the state directory',
    isPath: true,
  },
  ca: { describe: 'file with CA certificates for wss, in PEM', default: "the system's", isPath: true },
  proxy: {
    describe: 'http://, https://, socks5:// or socks5h:// proxy to connect through, with user:password@ if required',
    default: 'HTTPS_PROXY (wss) or HTTP_PROXY (ws), else ALL_PROXY; never for NO_PROXY and this machine',
    isSensitive: true,
    read: readProxy,
  },
  'no-reconnect': { describe: 'try once, and end with the link', isSwitch: true },
  'max-reconnect-delay': {
    describe: 'longest wait between two attempts, at least 100ms',
    default: '30s',
    read: (given) => parseDuration(given, { minMs: MIN_DELAY_CAP_MS }),
  },
  'connect-timeout': {
    describe: 'time limit for one attempt, all steps',
    default: '10s',
    read: (given) => parseDuration(given, { minMs: MIN_CONNECT_TIMEOUT_MS }),
  },
  'local-wait': {
    describe: 'hold visitors this long while the local service is down, such as a restarting dev server',
    default: '0: it is closed at once',
    read: (given) => parseDuration(given),
    place: 'tunnel',
  },
  'heartbeat-interval': LINK_FLAGS['heartbeat-interval'],
  'heartbeat-timeout': LINK_FLAGS['heartbeat-timeout'],
  'idle-heartbeat-max': {
    describe: 'longest heartbeat interval on an idle link; at most 45s behind proxies',
    default: 'off',
    read: (given) => (given.text === 'off' ? undefined : parseDuration(given)),
  },
  admin: LINK_FLAGS.admin,
  watchdog: {
    describe: "process or link: what systemd's watchdog checks, the process or its link",
    variable: 'TUNNEL_WATCHDOG',
    default: 'process',
    choices: WATCHDOG_SUBJECTS,
    read: (given) => parseChoice(given, WATCHDOG_SUBJECTS),
    place: 'process',
  },
  ...STATE_AND_OUTPUT_FLAGS,
} as const satisfies Readonly<Record<string, Flag>>;

export type LocalFlags = GivenFlags<typeof LOCAL_FLAGS>;

/** Who is told how a process with clients is, beside people and scripts. */
export interface SupervisionSettings {
  readonly admin: AdminAddress | undefined;
  readonly watchdog: WatchdogSubject;
}

/** What `tunnel local` or `tunnel http` was asked for, all but what is read from files. */
export interface LocalSettings extends LinkSettings, SupervisionSettings {
  readonly tunnels: readonly TunnelOptions[];
  /** What visitors of all of them need. */
  readonly credentials?: GivenCredentials;
}

/** How the server is reached, and what as. */
export interface LinkSettings {
  /** Undefined: the server of this machine. */
  readonly server: ServerAddress | undefined;
  readonly serverKey: Uint8Array | undefined;
  /** Where that was given. */
  readonly serverKeySource: string | undefined;
  readonly identityFile: string;
  readonly caFile: Given | undefined;
  readonly proxy: ChosenProxy | undefined;
  /** Only where there is no other. */
  readonly unusedProxy: UnusedProxy | undefined;
  readonly reconnect: boolean;
  readonly maxReconnectDelayMs: number;
  readonly connectTimeoutMs: number;
  readonly heartbeat: HeartbeatSettings;
  readonly state: StateDirectory;
  readonly output: OutputSettings;
}

/** Throws `usage` and `key-unusable` errors that name the flag and the value. */
export function readLocalSettings(
  targets: readonly Given[],
  flags: LocalFlags,
  environment: Environment,
): LocalSettings {
  return { tunnels: readTunnels(targets, flags), ...readLinkSettings(flags, environment), ...readSupervision(flags) };
}

export function readLinkSettings(flags: LocalFlags, environment: Environment): LinkSettings {
  const identity = flags.get('identity');
  const state = stateDirectory(flags.get('state-dir'), environment);
  const server = flags.read('to');
  const proxies = { onCommandLine: flags.onCommandLine('proxy'), inFile: flags.inFile('proxy').proxy };
  const proxy = chooseProxy(proxies, environment, server);
  const hasTls = server?.secure === true || proxy?.address.scheme === 'https';
  const uselessCa = hasTls ? undefined : flags.onCommandLine('ca');
  if (uselessCa !== undefined) {
    throw unusable(
      uselessCa,
      'this connection does not use TLS',
      'give the server with --to wss://host/path, or leave out --ca',
    );
  }
  const heartbeat = readHeartbeat(flags);
  const serverKey = isServerOfFile(server, flags) ? flags.get('server-key') : flags.outsideFile('server-key');
  return {
    server,
    serverKey: serverKey && LOCAL_FLAGS['server-key'].read(serverKey),
    serverKeySource: serverKey?.source,
    identityFile: identity === undefined ? state.client.identity : resolve(identity.text),
    // That of the file is for those of its servers that have TLS.
    caFile: hasTls ? flags.get('ca') : undefined,
    proxy,
    unusedProxy: proxy === undefined ? unusedProxy(environment, server) : undefined,
    reconnect: !flags.has('no-reconnect'),
    maxReconnectDelayMs: flags.read('max-reconnect-delay') ?? DEFAULT_MAX_RECONNECT_DELAY_MS,
    connectTimeoutMs: flags.read('connect-timeout') ?? DEFAULT_CONNECT_TIMEOUT_MS,
    heartbeat: { ...heartbeat, idleMaxMs: readIdleHeartbeat(flags.get('idle-heartbeat-max'), heartbeat) },
    state,
    output: readOutputSettings(flags),
  };
}

export function readSupervision(flags: LocalFlags): SupervisionSettings {
  return { admin: flags.read('admin'), watchdog: flags.read('watchdog') ?? DEFAULT_WATCHDOG };
}

/** Whether the configuration file names no other one, whose its `server-key` would be. */
function isServerOfFile(server: ServerAddress | undefined, flags: LocalFlags): boolean {
  const { to } = flags.inFile('to');
  return !to || !server || formatServerAddress(readServer(to)) === formatServerAddress(server);
}

function readServer(given: Given): ServerAddress {
  try {
    return parseServerAddress(given.text);
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== 'usage') throw error;
    throw new TunnelError('usage', { detail: `${given.source} ${error.detail}`, hint: error.hint, cause: error });
  }
}

/** The services of all tunnels of a call. */
export function readServices(
  type: 'tcp' | 'http',
  givenTargets: readonly Given[],
  flags: LocalFlags,
): readonly Pick<TunnelOptions, 'target' | 'localWaitMs'>[] {
  if (givenTargets.length === 0) {
    throw new CommandError('usage', {
      detail: 'no target was given',
      hint: `give the local service to expose, as in \`tunnel ${type === 'tcp' ? 'local' : 'http'} 3000\``,
    });
  }
  const defaultHost = flags.read('local-host') ?? DEFAULT_LOCAL_HOST;
  const localWaitMs = flags.read('local-wait') ?? 0;
  const targets = givenTargets.flatMap(expandPortRange);
  return targets.map((target) => ({ target: parseTarget(target, defaultHost, type), localWaitMs }));
}

function readTunnels(givenTargets: readonly Given[], flags: LocalFlags): readonly TunnelOptions[] {
  const ports = flags.all('port').flatMap(expandPortRange);
  const services = readServices('tcp', givenTargets, flags);
  const surplus = ports[services.length];
  if (surplus !== undefined) {
    throw unusable(
      surplus,
      `there are more ports than targets (${ports.length} and ${services.length})`,
      'give --port once for each target, in their order',
    );
  }
  const visitors = readVisitorOptions(flags);
  const asked = new Set<number>();
  return services.map((service, index) => {
    const given = ports[index];
    const port = given === undefined ? 0 : LOCAL_FLAGS.port.read(given);
    if (given !== undefined && port !== 0 && asked.has(port)) {
      throw unusable(given, 'two targets cannot have the same public port', 'give each target its own port');
    }
    asked.add(port);
    return { ...service, port, ...visitors };
  });
}
