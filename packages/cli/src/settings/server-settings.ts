import { resolve } from 'node:path';
import type { CertificateFiles, Requirement } from '@tunnel/server';
import { DEFAULT_CONTROL_PORT, type HeartbeatSettings } from '@tunnel/shared';
import type { OutputSettings } from '../output/output-settings.ts';
import { LINK_FLAGS, readHeartbeat, readOutputSettings, STATE_AND_OUTPUT_FLAGS } from './common-flags.ts';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import { FRONT_DOOR_FLAGS, type FrontDoorSettings, readFrontDoorSettings } from './front-door-settings.ts';
import { stateDirectory, type StateDirectory } from './state-directory.ts';
import type { AdminAddress } from '../values/admin-address.ts';
import { parseChoice } from '../values/choice.ts';
import { parseDuration } from '../values/duration.ts';
import { unusable } from '../values/given.ts';
import { parseHost } from '../values/host.ts';
import { parseNetworks } from '../values/networks.ts';
import { parsePort } from '../values/port.ts';
import { CommandError } from '../hints/command-error.ts';

const DEFAULT_MIN_PORT = 1024;
const DEFAULT_MAX_PORT = 65_535;
const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;
const DEFAULT_RESUME_WINDOW_MS = 120_000;

const REQUIREMENTS = ['secret', 'key', 'either', 'both'] as const satisfies readonly Requirement[];

export const SERVER_FLAGS = {
  config: LINK_FLAGS.config,
  host: {
    describe: 'address to listen on for clients',
    variable: 'TUNNEL_HOST',
    default: 'all addresses',
    read: parseHost,
  },
  port: {
    describe: 'control port; 0 for any free one',
    variable: 'TUNNEL_PORT',
    default: String(DEFAULT_CONTROL_PORT),
    read: (given) => parsePort(given, { zero: true }),
  },
  'tunnel-host': { describe: 'address to open public ports on', default: 'as --host', read: parseHost },
  'min-port': {
    describe: 'lowest public port',
    variable: 'TUNNEL_MIN_PORT',
    default: '1024',
    read: (given) => parsePort(given),
  },
  'max-port': {
    describe: 'highest public port',
    variable: 'TUNNEL_MAX_PORT',
    default: '65535',
    read: (given) => parsePort(given),
  },
  'public-host': {
    describe: 'host in public addresses',
    variable: 'TUNNEL_PUBLIC_HOST',
    default: 'what clients dialed',
    read: parseHost,
  },
  ...FRONT_DOOR_FLAGS,
  secret: LINK_FLAGS.secret,
  'secret-file': { describe: LINK_FLAGS['secret-file'].describe, default: 'made on first start', isPath: true },
  'previous-secret-file': {
    describe: 'file with a secret that is still accepted while clients move to the new one',
    isPath: true,
  },
  'authorized-keys': {
    describe: 'file of authorized client keys and what each may ask for; reread when it changes',
    default: 'none',
    isPath: true,
  },
  require: {
    describe: `what a client has to prove: ${REQUIREMENTS.join(', ')}`,
    default: 'secret; with authorized keys: key, or either where a secret is given',
    choices: REQUIREMENTS,
    read: (given) => parseChoice(given, REQUIREMENTS),
  },
  identity: {
    describe: "file with the server's key; created if missing",
    variable: 'TUNNEL_IDENTITY',
    default: 'in the state directory',
    isPath: true,
  },
  'resume-window': {
    describe: 'how long a session survives without a link; 0 turns resume off',
    default: '2m',
    read: (given) => parseDuration(given),
  },
  'drain-timeout': {
    describe: 'how long open connections may continue after SIGTERM',
    default: '10s',
    read: (given) => parseDuration(given),
  },
  'tls-cert': {
    describe:
      'file with a certificate and its chain, to serve wss; reread when it changes; of several the name in the TLS hello decides',
    isList: true,
    isPath: true,
  },
  'tls-key': {
    describe: 'file with the key to the certificate; for several in the order of --tls-cert',
    isList: true,
    isPath: true,
  },
  'trusted-proxy': {
    describe: 'network (10.0.0.0/8) or address of proxies in front whose X-Forwarded-For is trusted',
    default: 'none',
    isList: true,
    read: parseNetworks,
  },
  'accept-proxy-protocol': {
    describe:
      'network (10.0.0.0/8) or address of load balancers that send a PROXY header (v1 or v2) on every connection, to every port',
    default: 'none',
    isList: true,
    read: parseNetworks,
  },
  'heartbeat-interval': LINK_FLAGS['heartbeat-interval'],
  'heartbeat-timeout': LINK_FLAGS['heartbeat-timeout'],
  admin: LINK_FLAGS.admin,
  ...STATE_AND_OUTPUT_FLAGS,
} as const satisfies Readonly<Record<string, Flag>>;

export type ServerFlags = GivenFlags<typeof SERVER_FLAGS>;

/** What `tunnel server` was asked for, all but the secret, which is read from files. */
export interface ServerSettings extends FrontDoorSettings {
  readonly host: string | undefined;
  readonly port: number;
  readonly tunnelHost: string | undefined;
  readonly minPort: number;
  readonly maxPort: number;
  readonly publicHost: string | undefined;
  readonly identityFile: string;
  readonly authorizedKeysFile: string | undefined;
  /** What was asked for; undefined where the other settings decide. */
  readonly requirement: Requirement | undefined;
  /** Empty: without TLS. */
  readonly tls: readonly CertificateFiles[];
  readonly trustedProxies: readonly string[];
  readonly acceptProxyProtocol: readonly string[];
  readonly resumeWindowMs: number;
  readonly drainTimeoutMs: number;
  readonly heartbeat: HeartbeatSettings;
  readonly admin: AdminAddress | undefined;
  readonly state: StateDirectory;
  /** What --state-dir named, for people who are to name it, too. */
  readonly givenStateDirectory: string | undefined;
  readonly output: OutputSettings;
}

/** Throws `usage` errors that name the flag and the value. */
export function readServerSettings(flags: ServerFlags, environment: Environment): ServerSettings {
  const identity = flags.get('identity');
  const stateDir = flags.get('state-dir');
  const state = stateDirectory(stateDir, environment);
  const control = { host: flags.read('host'), port: flags.read('port') ?? DEFAULT_CONTROL_PORT };
  const publicHost = flags.read('public-host');
  const tls = readTls(flags);
  return {
    ...control,
    tunnelHost: flags.read('tunnel-host'),
    ...readPortRange(flags),
    publicHost,
    ...readFrontDoorSettings(flags, { control, publicHost, hasCertificate: tls.length > 0 }),
    ...readAdmission(flags),
    identityFile: identity === undefined ? state.server.identity : resolve(identity.text),
    tls,
    trustedProxies: flags.all('trusted-proxy').flatMap(SERVER_FLAGS['trusted-proxy'].read),
    acceptProxyProtocol: flags.all('accept-proxy-protocol').flatMap(SERVER_FLAGS['accept-proxy-protocol'].read),
    resumeWindowMs: flags.read('resume-window') ?? DEFAULT_RESUME_WINDOW_MS,
    drainTimeoutMs: flags.read('drain-timeout') ?? DEFAULT_DRAIN_TIMEOUT_MS,
    heartbeat: readHeartbeat(flags),
    admin: flags.read('admin'),
    state,
    givenStateDirectory: stateDir === undefined ? undefined : resolve(stateDir.text),
    output: readOutputSettings(flags),
  };
}

function readAdmission(flags: ServerFlags): Pick<ServerSettings, 'authorizedKeysFile' | 'requirement'> {
  const file = flags.get('authorized-keys');
  const given = flags.get('require');
  const requirement = flags.read('require');
  if (given !== undefined && requirement !== 'secret' && file === undefined) {
    throw unusable(given, 'no authorized keys were given', 'give the file with the keys: --authorized-keys FILE');
  }
  if (requirement === 'key') {
    const inFile = flags.inFile('secret', 'secret-file');
    const secret =
      flags.onCommandLine('secret-file') ?? flags.onCommandLine('secret') ?? inFile['secret-file'] ?? inFile.secret;
    if (secret !== undefined) {
      throw new CommandError('usage', {
        detail: `${secret.source} was given, but --require key does not use a secret`,
        hint: 'leave out the secret, or give --require either or --require both',
      });
    }
  }
  return { authorizedKeysFile: file === undefined ? undefined : resolve(file.text), requirement };
}

function readTls(flags: ServerFlags): ServerSettings['tls'] {
  const certs = flags.all('tls-cert');
  const keys = flags.all('tls-key');
  return Array.from({ length: Math.max(certs.length, keys.length) }, (_, index) => {
    const [cert, key] = [certs[index], keys[index]];
    if (cert && key) return { certFile: resolve(cert.text), keyFile: resolve(key.text) };
    // One of them is there.
    const alone = cert ?? key ?? { text: '', source: '' };
    throw unusable(alone, 'a certificate needs its key', 'give both --tls-cert and --tls-key');
  });
}

function readPortRange(flags: ServerFlags): { minPort: number; maxPort: number } {
  const min = flags.get('min-port');
  const max = flags.get('max-port');
  const minPort = flags.read('min-port') ?? DEFAULT_MIN_PORT;
  const maxPort = flags.read('max-port') ?? DEFAULT_MAX_PORT;
  if (min !== undefined && minPort > maxPort) {
    throw unusable(min, `above ${max?.source ?? '--max-port'} ${maxPort}`, 'swap them, or leave one out');
  }
  if (max !== undefined && minPort > maxPort) {
    throw unusable(max, `below --min-port ${minPort}`, 'give --min-port as well');
  }
  return { minPort, maxPort };
}
