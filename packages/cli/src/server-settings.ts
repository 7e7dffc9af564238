import { resolve } from 'node:path';
import type { HeartbeatSettings } from '@tunnel/shared';
import { LINK_FLAGS, type OutputSettings, readHeartbeat, readOutputSettings } from './common-flags.ts';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import { stateDirectory, type StateDirectory } from './state-directory.ts';
import { parseDuration } from './values/duration.ts';
import { unusable } from './values/given.ts';
import { parseHost } from './values/host.ts';
import { parseNetworks } from './values/networks.ts';
import { parsePort } from './values/port.ts';

const DEFAULT_PORT = 7835;
const DEFAULT_MIN_PORT = 1024;
const DEFAULT_MAX_PORT = 65_535;
const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;
const DEFAULT_RESUME_WINDOW_MS = 120_000;

export const SERVER_FLAGS = {
  host: { describe: 'address that the control port listens on', variable: 'TUNNEL_HOST', default: 'all addresses' },
  port: { describe: 'control port; 0 picks a free one', variable: 'TUNNEL_PORT', default: '7835' },
  'tunnel-host': { describe: 'address that public ports are opened on', default: 'as --host' },
  'min-port': { describe: 'lowest public port', variable: 'TUNNEL_MIN_PORT', default: '1024' },
  'max-port': { describe: 'highest public port', variable: 'TUNNEL_MAX_PORT', default: '65535' },
  'public-host': {
    describe: 'host in public addresses',
    variable: 'TUNNEL_PUBLIC_HOST',
    default: 'what clients dialed',
  },
  secret: LINK_FLAGS.secret,
  'secret-file': { describe: LINK_FLAGS['secret-file'].describe, default: 'made on first start' },
  'previous-secret-file': { describe: 'file with a secret that is still accepted while clients move to the new one' },
  identity: {
    describe: "file with the server's key; made where there is none",
    variable: 'TUNNEL_IDENTITY',
    default: 'in the state directory',
  },
  'tls-cert': { describe: 'file with a certificate and its chain, to serve wss; reread when it changes' },
  'tls-key': { describe: 'file with the key to the certificate' },
  'trusted-proxy': {
    describe: "network (10.0.0.0/8) or address of proxies in front, whose X-Forwarded-For tells a client's address",
    default: 'none',
    isList: true,
  },
  'resume-window': { describe: 'how long a session lives without a link; 0 turns resume off', default: '2m' },
  'drain-timeout': { describe: 'how long running connections may go on after SIGTERM', default: '10s' },
  'heartbeat-interval': LINK_FLAGS['heartbeat-interval'],
  'heartbeat-timeout': LINK_FLAGS['heartbeat-timeout'],
  'state-dir': LINK_FLAGS['state-dir'],
  'log-level': LINK_FLAGS['log-level'],
  'log-format': LINK_FLAGS['log-format'],
  output: LINK_FLAGS.output,
} as const satisfies Readonly<Record<string, Flag>>;

export type ServerFlags = GivenFlags<keyof typeof SERVER_FLAGS>;

/** What `tunnel server` was asked for, all but the secret, which is read from files. */
export interface ServerSettings {
  readonly host: string | undefined;
  readonly port: number;
  readonly tunnelHost: string | undefined;
  readonly minPort: number;
  readonly maxPort: number;
  readonly publicHost: string | undefined;
  readonly identityFile: string;
  /** Undefined: without TLS. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly trustedProxies: readonly string[];
  readonly resumeWindowMs: number;
  readonly drainTimeoutMs: number;
  readonly heartbeat: HeartbeatSettings;
  readonly state: StateDirectory;
  /** What --state-dir named, for people who are to name it, too. */
  readonly givenStateDirectory: string | undefined;
  readonly output: OutputSettings;
}

/** Throws `usage` errors that name the flag and the value. */
export function readServerSettings(flags: ServerFlags, environment: Environment): ServerSettings {
  const host = flags.get('host');
  const port = flags.get('port');
  const tunnelHost = flags.get('tunnel-host');
  const publicHost = flags.get('public-host');
  const identity = flags.get('identity');
  const resumeWindow = flags.get('resume-window');
  const drainTimeout = flags.get('drain-timeout');
  const stateDir = flags.get('state-dir');
  const state = stateDirectory(stateDir, environment);
  return {
    host: host === undefined ? undefined : parseHost(host),
    port: port === undefined ? DEFAULT_PORT : parsePort(port, { zero: true }),
    tunnelHost: tunnelHost === undefined ? undefined : parseHost(tunnelHost),
    ...readPortRange(flags),
    publicHost: publicHost === undefined ? undefined : parseHost(publicHost),
    identityFile: identity === undefined ? state.server.identity : resolve(identity.text),
    tls: readTls(flags),
    trustedProxies: flags.all('trusted-proxy').flatMap(parseNetworks),
    resumeWindowMs: resumeWindow === undefined ? DEFAULT_RESUME_WINDOW_MS : parseDuration(resumeWindow),
    drainTimeoutMs: drainTimeout === undefined ? DEFAULT_DRAIN_TIMEOUT_MS : parseDuration(drainTimeout),
    heartbeat: readHeartbeat(flags),
    state,
    givenStateDirectory: stateDir === undefined ? undefined : resolve(stateDir.text),
    output: readOutputSettings(flags),
  };
}

function readTls(flags: ServerFlags): ServerSettings['tls'] {
  const cert = flags.get('tls-cert');
  const key = flags.get('tls-key');
  if (cert !== undefined && key !== undefined) return { certFile: resolve(cert.text), keyFile: resolve(key.text) };
  const alone = cert ?? key;
  if (alone === undefined) return undefined;
  throw unusable(alone, 'a certificate needs its key', 'give both --tls-cert and --tls-key');
}

function readPortRange(flags: ServerFlags): { minPort: number; maxPort: number } {
  const min = flags.get('min-port');
  const max = flags.get('max-port');
  const minPort = min === undefined ? DEFAULT_MIN_PORT : parsePort(min);
  const maxPort = max === undefined ? DEFAULT_MAX_PORT : parsePort(max);
  if (min !== undefined && minPort > maxPort) {
    throw unusable(min, `that is above ${max?.source ?? '--max-port'} ${maxPort}`, 'swap them, or leave one out');
  }
  if (max !== undefined && minPort > maxPort) {
    throw unusable(max, `that is below --min-port ${minPort}`, 'give --min-port as well');
  }
  return { minPort, maxPort };
}
