import {
  GREATEST_DELAY_MS,
  type MemoryBudget,
  MIN_DELAY_CAP_MS,
  MIN_HEARTBEAT_TIMEOUT_MS,
  TunnelError,
} from '@tunnel/shared';
import type { ClientOptions } from '../options.ts';
import type { Surroundings } from './surroundings.ts';

/** What tests replace, and no program needs to. */
interface UplinkSeams {
  /** Looks at the machine's clocks and addresses; default the real ones. */
  readonly lookAround?: (() => Surroundings) | undefined;
  /** A link is replaced by one with fresh keys after this, in ms; default a day. */
  readonly linkLifeMs?: number | undefined;
}

/** What an uplink needs of a client's options: everything but the tunnels. */
export interface UplinkOptions
  extends Omit<ClientOptions, 'tunnels' | 'localWaitMs' | 'ports' | 'looksAtTargets'>, UplinkSeams {
  /** Shared by all sessions of the client. */
  readonly budget: MemoryBudget;
}

/** The options of a client, with what is not for programs. */
export interface InternalClientOptions extends ClientOptions, UplinkSeams {
  /** One uplink each, with these in place of the client's options. Default: a single one. */
  readonly uplinks?: readonly Partial<UplinkOptions>[] | undefined;
}

/** Throws `usage` for options that cannot work. */
export function requireUsable({ verifyCertificate, serverKey, heartbeat, maxReconnectDelayMs }: UplinkOptions): void {
  const refuse = (detail: string): never => {
    throw new TunnelError('usage', { detail });
  };
  if (verifyCertificate === false && serverKey === undefined) {
    refuse('the certificate must be verified unless the server key is given');
  }
  if (heartbeat && heartbeat.timeoutMs < MIN_HEARTBEAT_TIMEOUT_MS) {
    refuse(`a heartbeat timeout is at least ${MIN_HEARTBEAT_TIMEOUT_MS} ms`);
  }
  const cap = maxReconnectDelayMs ?? MIN_DELAY_CAP_MS;
  if (!(cap >= MIN_DELAY_CAP_MS && cap <= GREATEST_DELAY_MS)) {
    refuse(`the longest delay between attempts is ${MIN_DELAY_CAP_MS} to ${GREATEST_DELAY_MS} ms`);
  }
}
