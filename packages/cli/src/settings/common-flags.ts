import { join } from 'node:path';
import { DEFAULT_HEARTBEAT, type HeartbeatSettings, MIN_HEARTBEAT_TIMEOUT_MS } from '@tunnel/shared';
import { readSecretFile, requireSecret } from '@tunnel/shared/node';
import { LOG_FORMATS, LOG_LEVELS, type OutputSettings, OUTPUTS } from '../output/output-settings.ts';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import { standardFolderName } from './standard-folders.ts';
import { parseAdminAddress } from '../values/admin-address.ts';
import { parseChoice } from '../values/choice.ts';
import { formatDuration, parseDuration } from '../values/duration.ts';
import { type Given, unusable } from '../values/given.ts';
import { CommandError } from '../hints/command-error.ts';

const MIN_HEARTBEAT_INTERVAL_MS = 10;
/** An interval fits into its timeout this many times: one lost heartbeat kills no link. */
const INTERVALS_PER_TIMEOUT = 4;

/** Flags that every command with a link has. */
export const LINK_FLAGS = {
  config: {
    describe: 'configuration file',
    variable: 'TUNNEL_CONFIG',
    default: `${join(standardFolderName('config'), 'config.toml')}, where there is one`,
    isPath: true,
    place: 'command-line',
  },
  secret: {
    describe: 'shared secret; other users of this machine can see it on the command line',
    variable: 'TUNNEL_SECRET',
    rival: 'secret-file',
    isSensitive: true,
    read: (given) => requireSecret(given.text, given.source),
  },
  'secret-file': { describe: 'file with the shared secret on its first line', isPath: true },
  'heartbeat-interval': {
    describe: 'heartbeat interval: send something at least this often',
    default: '2s',
    read: (given) => parseDuration(given, { minMs: MIN_HEARTBEAT_INTERVAL_MS }),
  },
  'heartbeat-timeout': {
    describe: 'treat a link as dead after this long without data',
    default: '8s',
    read: (given) => parseDuration(given, { minMs: MIN_HEARTBEAT_TIMEOUT_MS }),
  },
  admin: {
    describe: 'serve /healthz, /readyz and /metrics here: a local port, host:port or a socket path',
    variable: 'TUNNEL_ADMIN',
    default: 'off',
    read: parseAdminAddress,
    place: 'process',
  },
  'state-dir': {
    describe: 'directory for keys, the secret and saved state',
    variable: 'TUNNEL_STATE_DIR',
    default: standardFolderName('state'),
    isPath: true,
    place: 'process',
  },
  'log-level': {
    describe: LOG_LEVELS.join(', '),
    variable: 'TUNNEL_LOG_LEVEL',
    default: 'info',
    choices: LOG_LEVELS,
    read: (given) => parseChoice(given, LOG_LEVELS),
    place: 'process',
  },
  'log-format': {
    describe: LOG_FORMATS.join(' or '),
    default: 'pretty on a terminal, else json',
    choices: LOG_FORMATS,
    read: (given) => parseChoice(given, LOG_FORMATS),
    place: 'process',
  },
  output: {
    describe: 'text, or json: one event per line on stdout',
    default: 'text',
    choices: OUTPUTS,
    read: (given) => parseChoice(given, OUTPUTS),
    place: 'process',
  },
} as const satisfies Readonly<Record<string, Flag>>;

/** Those at the end of every list: where a command keeps things, and how it tells what it does. */
export const STATE_AND_OUTPUT_FLAGS = {
  'state-dir': LINK_FLAGS['state-dir'],
  'log-level': LINK_FLAGS['log-level'],
  'log-format': LINK_FLAGS['log-format'],
  output: LINK_FLAGS.output,
} as const satisfies Readonly<Record<string, Flag>>;

type LinkFlags = GivenFlags<typeof LINK_FLAGS>;

export function readOutputSettings(flags: LinkFlags): OutputSettings {
  const level = flags.read('log-level');
  const format = flags.read('log-format');
  return {
    output: flags.read('output') ?? 'text',
    logLevel: level ?? 'info',
    logFormat: format,
    wantsLogs: level !== undefined || format !== undefined,
  };
}

/** Up to what the heartbeat of an idle link is stretched: at least the interval. Undefined where it is not. */
export function readIdleHeartbeat(given: Given | undefined, { intervalMs }: HeartbeatSettings): number | undefined {
  if (given === undefined || given.text === 'off') return undefined;
  return parseDuration(given, { minMs: intervalMs });
}

/** Interval and timeout. A timeout given alone brings the interval along; an interval that does not fit is an error. */
export function readHeartbeat(flags: LinkFlags): HeartbeatSettings {
  const interval = flags.get('heartbeat-interval');
  const intervalMs = flags.read('heartbeat-interval');
  const timeoutMs = flags.read('heartbeat-timeout') ?? DEFAULT_HEARTBEAT.timeoutMs;
  const longestMs = timeoutMs / INTERVALS_PER_TIMEOUT;
  if (interval === undefined || intervalMs === undefined) {
    return { intervalMs: Math.min(DEFAULT_HEARTBEAT.intervalMs, longestMs), timeoutMs };
  }
  if (intervalMs > longestMs) {
    throw unusable(
      interval,
      `that is more than a quarter of the heartbeat timeout, ${formatDuration(timeoutMs)}`,
      `give at most ${formatDuration(longestMs)}, or raise --heartbeat-timeout`,
    );
  }
  return { intervalMs, timeoutMs };
}

/** A secret that the user gave. */
export interface GivenSecret {
  readonly secret: string;
  /** Where it is kept, where that is a file. */
  readonly file: string | undefined;
  /** Other users can read it in the list of processes. */
  readonly isExposed: boolean;
}

/**
 * What the command line has, else the environment, else the configuration file. Throws `secret-unusable`, or `usage` for a
 * secret and a file with one at the same place.
 */
export async function readGivenSecret(flags: LinkFlags, environment: Environment): Promise<GivenSecret | undefined> {
  const onCommandLine = await readSecretAt(flags.onCommandLine('secret'), flags.onCommandLine('secret-file'));
  if (onCommandLine !== undefined) return onCommandLine;
  const variable = LINK_FLAGS.secret.variable;
  const text = environment[variable];
  // Other variables count as not set when they are empty. Here that is more likely a substitution that went wrong.
  if (text !== undefined) return { secret: requireSecret(text, variable), file: undefined, isExposed: false };
  const inFile = flags.inFile('secret', 'secret-file');
  const secret = await readSecretAt(inFile.secret, inFile['secret-file']);
  return secret && { ...secret, isExposed: false };
}

async function readSecretAt(secret: Given | undefined, file: Given | undefined): Promise<GivenSecret | undefined> {
  if (secret !== undefined && file !== undefined) {
    throw new CommandError('usage', {
      detail: `both ${secret.source} and ${file.source} ${file.text} were given`,
      hint: 'give only one of them',
    });
  }
  if (secret !== undefined) {
    return { secret: requireSecret(secret.text, secret.source), file: undefined, isExposed: true };
  }
  if (file === undefined) return undefined;
  return { secret: await readSecretFile(file.text, file.source), file: file.text, isExposed: false };
}
