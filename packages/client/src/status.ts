import type { Hint } from '@tunnel/shared';
import type { Cause } from './events.ts';
import type { LocalTarget } from './options.ts';

/** A snapshot of what a client is doing. */
export interface ClientStatus {
  /**
   * - `new`: not started.
   * - `connecting`: an attempt is in progress, or the link is up and tunnels are being opened.
   * - `ready`: all tunnels are open.
   * - `waiting`: for its next attempt, of the link or of a tunnel; see `nextAttempt`.
   * - `stopping`, `stopped`: shutting down, or done.
   */
  readonly state: 'new' | 'connecting' | 'ready' | 'waiting' | 'stopping' | 'stopped';
  /** Since when it has been ready, or not ready, across all attempts; wall clock, ISO 8601. */
  readonly since: string;
  /** The server's address as text. */
  readonly server: string;
  /** The proxy on the way to it, without user and password. */
  readonly proxy: string | undefined;
  /** In the order of the options. */
  readonly tunnels: readonly TunnelStatus[];
  /** The last round trip measured on this link, in ms; undefined without a link. */
  readonly roundTripMs: number | undefined;
  /** Currently open connections of visitors. */
  readonly streams: number;
  /** Bytes from visitors to the services, over all connections since the start. */
  readonly bytesIn: number;
  /** Bytes from the services to visitors. */
  readonly bytesOut: number;
  /** How often a new link was accepted after one had been lost. */
  readonly reconnects: number;
  /** Connections that continued over a new link, counted once for each break that they survived. */
  readonly resumedStreams: number;
  /** Connections that ended because their session did. */
  readonly lostStreams: number;
  /** Why an attempt last failed or a link last ended, however long ago. */
  readonly lastError:
    | (Cause & {
        /** What may help. */
        readonly hint: Hint;
        /** ISO 8601. */
        readonly at: string;
      })
    | undefined;
  /** Only while waiting. */
  readonly nextAttempt: NextAttempt | undefined;
}

export interface TunnelStatus {
  /** As in the options. */
  readonly name?: string | undefined;
  readonly target: LocalTarget;
  /** As of an `OpenTunnel`, even while it is not open; undefined until the server has first granted it. */
  readonly url: string | undefined;
  /** Undefined as well for an HTTP tunnel. */
  readonly port: number | undefined;
  /** Undefined for a TCP tunnel, too. */
  readonly urls?: readonly string[] | undefined;
  /** The server granted it and has not revoked it since. */
  readonly isOpen: boolean;
  /**
   * Visitors rejected by the server since the start because of `allow`, `deny` and `maxConnections`, as far as it
   * reported them.
   */
  readonly refused: number;
  /** Visitors reset because of `idleTimeoutMs` since the start. */
  readonly idle: number;
}

export interface NextAttempt {
  /** The number of the next attempt since the last established link, or since the start: 1, 2, … */
  readonly attempt: number;
  readonly inMs: number;
  /** ISO 8601. */
  readonly at: string;
}
