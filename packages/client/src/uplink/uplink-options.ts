import type { MemoryBudget } from '@tunnel/shared';
import type { ClientOptions } from '../options.ts';
import type { Surroundings } from './surroundings.ts';

/** What tests replace, and no program needs to. */
export interface UplinkSeams {
  /** Looks at the machine's clocks and addresses; default the real ones. */
  readonly lookAround?: (() => Surroundings) | undefined;
  /** A link is replaced by one with fresh keys after this, in ms; default a day. */
  readonly linkLifeMs?: number | undefined;
}

/** What an uplink needs of a client's options: everything but the tunnels. */
export interface UplinkOptions extends Omit<ClientOptions, 'tunnels' | 'localWaitMs' | 'ports'>, UplinkSeams {
  /** Shared by all sessions of the client. */
  readonly budget: MemoryBudget;
}

/** The options of a client, with what is not for programs. */
export interface InternalClientOptions extends ClientOptions, UplinkSeams {
  /** One uplink each, with these in place of the client's options. Default: a single one. */
  readonly uplinks?: readonly Partial<UplinkOptions>[] | undefined;
}
