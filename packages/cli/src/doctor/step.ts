import { type ErrorCode, TunnelError } from '@tunnel/shared';
import { adviceFor } from '../hints/advice-for.ts';

/** What is looked at, with what people call it, in the order in which it is told. */
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

/** Why something is not as it should be, and what to do. */
export interface Trouble {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
}

/** One step, done. */
export interface Step {
  readonly name: StepName;
  readonly state: 'ok' | 'warning' | 'failed';
  /** Undefined where time says nothing. */
  readonly elapsedMs: number | undefined;
  readonly finding: string;
  /** There unless the state is `ok`. */
  readonly trouble: Trouble | undefined;
}

/** A step as it should be. */
export function passed(name: StepName, finding: string, elapsedMs?: number): Step {
  return { name, state: 'ok', elapsedMs, finding, trouble: undefined };
}

/** A step that ends nothing, but is not as it should be. */
export function warned(name: StepName, trouble: Trouble, elapsedMs?: number, finding: string = trouble.reason): Step {
  return { name, state: 'warning', elapsedMs, finding, trouble };
}

export function failed(name: StepName, trouble: Trouble, elapsedMs?: number): Step {
  return { name, state: 'failed', elapsedMs, finding: trouble.reason, trouble };
}

/** What a `TunnelError` says. Throws anything else again: it is a fault of the program. */
export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof TunnelError)) throw error;
  return { code: error.code, reason: error.message, hint: adviceFor(error).text };
}
