import { type ErrorCode, TunnelError } from '@tunnel/shared';
import { adviceFor } from '../hints/advice-for.ts';

/** The steps and their titles, in the order of the report. */
export const STEP_TITLES = {
  settings: 'settings',
  files: 'files',
  clock: 'clock',
  name: 'name',
  tcp: 'TCP',
  proxy: 'proxy',
  tls: 'TLS',
  websocket: 'WebSocket',
  handshake: 'handshake',
  secret: 'secret',
  latency: 'latency',
  port: 'public port',
  visitor: 'way back',
  stay: 'staying',
  service: 'service',
} as const;

export type StepName = keyof typeof STEP_TITLES;

/** What is wrong, and what to do about it. */
export interface Trouble {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
}

/** A finished step. */
export interface Step {
  readonly name: StepName;
  readonly state: 'ok' | 'warning' | 'failed';
  /** Undefined if the time means nothing. */
  readonly elapsedMs: number | undefined;
  readonly finding: string;
  /** Present unless the state is `ok`. */
  readonly trouble: Trouble | undefined;
}

/** A step without problems. */
export function passed(name: StepName, finding: string, elapsedMs?: number): Step {
  return { name, state: 'ok', elapsedMs, finding, trouble: undefined };
}

/** A step with a problem that does not end the run. */
export function warned(name: StepName, trouble: Trouble, elapsedMs?: number, finding: string = trouble.reason): Step {
  return { name, state: 'warning', elapsedMs, finding, trouble };
}

export function failed(name: StepName, trouble: Trouble, elapsedMs?: number): Step {
  return { name, state: 'failed', elapsedMs, finding: trouble.reason, trouble };
}

/** The trouble that a `TunnelError` describes. Rethrows anything else, which is a bug. */
export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof TunnelError)) throw error;
  return { code: error.code, reason: error.message, hint: adviceFor(error).text };
}
