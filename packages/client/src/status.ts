import type { Hint } from '@tunnel/shared';
import type { Cause } from './events.ts';
import type { LocalTarget } from './options.ts';

/** What a client is doing at one moment. A copy: it does not change. */
export interface ClientStatus {
  /**
   * - `new`: it was not started.
   * - `connecting`: an attempt goes on, or the link stands and tunnels are being opened.
   * - `ready`: all tunnels are open.
   * - `waiting`: for its next attempt, of the link or of a tunnel; see `nextAttempt`.
   * - `stopping`, `stopped`: at the end.
   */
  readonly state: 'new' | 'connecting' | 'ready' | 'waiting' | 'stopping' | 'stopped';
  /** Since when it is ready, or since when it is not, over all attempts; wall clock, ISO 8601. */
  readonly since: string;
  /** The server's address as text. */
  readonly server: string;
  /** The proxy that it is reached through, without user and password. */
  readonly proxy: string | undefined;
  /** In the order of the options. */
  readonly tunnels: readonly TunnelStatus[];
  /** The last round trip that was measured on this link, in ms; undefined without a link. */
  readonly roundTripMs: number | undefined;
  /** Visitors' connections that are open now. */
  readonly streams: number;
  /** From visitors to the services, in all connections since the start. */
  readonly bytesIn: number;
  /** From the services to visitors. */
  readonly bytesOut: number;
  /** How often a new link was accepted after one was lost. */
  readonly reconnects: number;
  /** Connections that were carried on over a new link; one counts at every break that it survives. */
  readonly resumedStreams: number;
  /** Connections that ended because their session did. */
  readonly lostStreams: number;
  /** Why an attempt failed or a link ended last, also long ago. */
  readonly lastError:
    | (Cause & {
        /** What may help. */
        readonly hint: Hint;
        /** ISO 8601. */
        readonly at: string;
      })
    | undefined;
  /** Only while it waits. */
  readonly nextAttempt: NextAttempt | undefined;
}

export interface TunnelStatus {
  /** As in the options. */
  readonly name?: string | undefined;
  readonly target: LocalTarget;
  /** As of an `OpenTunnel`, also while it is not open; undefined before the server granted it once. */
  readonly url: string | undefined;
  /** Undefined as well for an HTTP tunnel. */
  readonly port: number | undefined;
  /** Undefined as well for a TCP tunnel. */
  readonly urls?: readonly string[] | undefined;
  /** The server granted it, and did not take it back since. */
  readonly isOpen: boolean;
  /** Visitors whom the server kept out since the start, by `allow`, `deny` and `maxConnections`, as far as it told. */
  readonly refused: number;
  /** Visitors that `idleTimeoutMs` reset since the start. */
  readonly idle: number;
}

export interface NextAttempt {
  /** Number of the coming attempt since the last established link, or since the start: 1, 2, … */
  readonly attempt: number;
  readonly inMs: number;
  /** ISO 8601. */
  readonly at: string;
}
