import { type HeartbeatSettings, MIN_HEARTBEAT_TIMEOUT_MS, TunnelError } from '@tunnel/shared';
import { readSecretFile, requireSecret } from '@tunnel/shared/node';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import { parseChoice } from './values/choice.ts';
import { formatDuration, parseDuration } from './values/duration.ts';
import { unusable } from './values/given.ts';
import type { Given } from './values/given.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
const LOG_FORMATS = ['pretty', 'json'] as const;
const OUTPUTS = ['text', 'json'] as const;

const DEFAULT_HEARTBEAT: HeartbeatSettings = { intervalMs: 2000, timeoutMs: 8000 };
const MIN_HEARTBEAT_INTERVAL_MS = 10;
/** An interval fits into its timeout this many times: one lost heartbeat kills no link. */
const INTERVALS_PER_TIMEOUT = 4;

/** Flags that every command with a link has. */
export const LINK_FLAGS = {
  secret: {
    describe: 'shared secret; other users of this machine can see it here',
    variable: 'TUNNEL_SECRET',
    isSensitive: true,
  },
  'secret-file': { describe: 'file with the shared secret on its first line' },
  'heartbeat-interval': { describe: 'send something at least this often', default: '2s' },
  'heartbeat-timeout': { describe: 'a link on which nothing came for this long is dead', default: '8s' },
  'state-dir': {
    describe: 'directory for keys, secret and what is to be remembered',
    variable: 'TUNNEL_STATE_DIR',
    default: '~/.local/state/tunnel',
  },
  'log-level': { describe: LOG_LEVELS.join(', '), variable: 'TUNNEL_LOG_LEVEL', default: 'info' },
  'log-format': { describe: LOG_FORMATS.join(' or '), default: 'pretty on a terminal, else json' },
  output: { describe: 'text, or json: one event a line on stdout', default: 'text' },
} as const satisfies Readonly<Record<string, Flag>>;

type LinkFlags = GivenFlags<keyof typeof LINK_FLAGS>;

export interface OutputSettings {
  readonly output: (typeof OUTPUTS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Undefined: as it suits where the logs go. */
  readonly logFormat: (typeof LOG_FORMATS)[number] | undefined;
  /** Whether somebody asked for logs, so that they are wanted on a terminal, too. */
  readonly wantsLogs: boolean;
}

export function readOutputSettings(flags: LinkFlags): OutputSettings {
  const output = flags.get('output');
  const level = flags.get('log-level');
  const format = flags.get('log-format');
  return {
    output: output === undefined ? 'text' : parseChoice(output, OUTPUTS),
    logLevel: level === undefined ? 'info' : parseChoice(level, LOG_LEVELS),
    logFormat: format === undefined ? undefined : parseChoice(format, LOG_FORMATS),
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
  const timeout = flags.get('heartbeat-timeout');
  const timeoutMs =
    timeout === undefined ? DEFAULT_HEARTBEAT.timeoutMs : parseDuration(timeout, { minMs: MIN_HEARTBEAT_TIMEOUT_MS });
  const longestMs = timeoutMs / INTERVALS_PER_TIMEOUT;
  if (interval === undefined) return { intervalMs: Math.min(DEFAULT_HEARTBEAT.intervalMs, longestMs), timeoutMs };
  const intervalMs = parseDuration(interval, { minMs: MIN_HEARTBEAT_INTERVAL_MS });
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

/** What `--secret`, `--secret-file` or TUNNEL_SECRET give. Throws `secret-unusable`, or `usage` for two at once. */
export async function readGivenSecret(flags: LinkFlags, environment: Environment): Promise<GivenSecret | undefined> {
  const secret = flags.onCommandLine('secret');
  const file = flags.onCommandLine('secret-file');
  if (secret !== undefined && file !== undefined) {
    throw new TunnelError('usage', {
      detail: `both --secret and --secret-file ${file.text} were given`,
      hint: 'give one of them',
    });
  }
  if (secret !== undefined) {
    return { secret: requireSecret(secret.text, secret.source), file: undefined, isExposed: true };
  }
  if (file !== undefined) {
    return { secret: await readSecretFile(file.text, file.source), file: file.text, isExposed: false };
  }
  const variable = LINK_FLAGS.secret.variable;
  const text = environment[variable];
  // Other variables count as not set when they are empty. Here that is more likely a substitution that went wrong.
  return text === undefined ? undefined : { secret: requireSecret(text, variable), file: undefined, isExposed: false };
}
