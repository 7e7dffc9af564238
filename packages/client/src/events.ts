import type { ErrorCode, Hint } from '@tunnel/shared';
import type { DialPhase } from './dial/byte-stream.ts';
import type { TlsFinding } from './dial/tls-finding.ts';
import type { LocalTarget } from './options.ts';

/** A public address and what stands behind it. */
export interface OpenTunnel {
  /** As in the options. */
  readonly name?: string | undefined;
  readonly target: LocalTarget;
  /** `tcp://host:port`; of an HTTP tunnel the best of its `urls`. */
  readonly url: string;
  /** Of a TCP tunnel. */
  readonly port?: number;
  /** Of an HTTP tunnel: `https://host` and `http://host:port`, the best first; ports 443 and 80 are left out. */
  readonly urls?: readonly string[];
}

/** Visitors that the server kept out. */
export interface RefusedCounts {
  /** Because of their addresses. */
  readonly denied: number;
  /** Because there were as many as `maxConnections` allows. */
  readonly overLimit: number;
}

/** Why something ended or failed: `reason` is for people, `code` for programs. */
export interface Cause {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** A step of an attempt. `handshake` is the wait for message 2, `acceptance` for the server's first record or its refusal. */
export type AttemptPhase = DialPhase | 'handshake' | 'acceptance';

/** What an attempt is at and finds, in this order: for whoever wants to know where it fails. */
export type AttemptEvent =
  /** It begins, and the one before is over. */
  | { readonly type: 'phase'; readonly phase: AttemptPhase }
  | ({ readonly type: 'tls' } & TlsFinding)
  | {
      readonly type: 'hello';
      /** The protocol's version that the server chose. */
      readonly version: number;
      /** The server's public key, base64url. */
      readonly serverKey: string;
      /** Where it is known from, for people; undefined for a first contact. */
      readonly expected: string | undefined;
      /** False: something in between dropped the header that saves a round trip. */
      readonly isInUpgrade: boolean;
    }
  | {
      readonly type: 'accepted';
      /** Program and version of the server. */
      readonly agent: string;
      readonly resumeWindowMs: number;
      readonly heartbeatTimeoutMs: number;
    };

/** What a client tells, by event name. */
export interface ClientEvents {
  /** The server accepted a link, and with it a session: a new one, or the one that was there. Tunnels are opened next. */
  readonly linked: { readonly sessionId: string; readonly resumed: boolean };
  /** The session is over, on purpose or not: the next link begins another one. */
  readonly 'session-ended': { readonly sessionId: string; readonly lostStreams: number };
  /** All tunnels are open: also when they have become others, see `setTunnels`. */
  readonly ready: {
    readonly tunnels: readonly OpenTunnel[];
    readonly sessionId: string;
    /** The session was carried on: no connection was lost. False on the first link. */
    readonly resumed: boolean;
    /** Visitors' connections that were lost since the last link. */
    readonly lostStreams: number;
    /** The server's public key, base64url. */
    readonly serverKey: string;
    /** Where this key was pinned just now; undefined where it was known before. */
    readonly pinnedAt: string | undefined;
  };
  /** A step of an attempt to connect. */
  readonly attempt: AttemptEvent;
  /** The link is gone. */
  readonly disconnected: Cause;
  /** The next attempt follows after `delayMs`. */
  readonly retrying: Cause & {
    /** Attempts since the last established link, beginning with 1. */
    readonly attempt: number;
    readonly delayMs: number;
    /** What may help. */
    readonly hint: Hint;
    /** How long there has been no link, in ms; since the start, where there was none yet. */
    readonly downMs: number;
    /** Since when the tunnels are not all open, over all attempts; wall clock, ISO 8601. */
    readonly since: string;
  };
  /** Something a person should know that ends nothing. */
  readonly warning: Cause & { readonly hint: Hint };
  /** A local service cannot be reached (at first, or for another reason; then now and then), or can be again. */
  readonly service: {
    readonly target: LocalTarget;
    readonly state: 'down' | 'still-down' | 'up';
    /** Why not, for people. */
    readonly reason: string;
    /** The same as the system calls it, as in `ECONNREFUSED`; empty where it has no name for it. */
    readonly code: string;
    /** Visitors turned away since it went down. */
    readonly refused: number;
    /** Visitors that wait for it now. */
    readonly held: number;
    readonly downMs: number;
  };
  /** The server keeps visitors out. Told at once at first, then as sums, ever more seldom: numbers since the start. */
  readonly 'visitors-refused': RefusedCounts & { readonly target: LocalTarget };
  /** A visitor's connection was reset since nothing moved on it for `idleTimeoutMs`. */
  readonly 'visitor-idle': {
    readonly target: LocalTarget;
    /** Address and port; `unknown` where the server did not know it. */
    readonly visitor: string;
  };
  /**
   * A request to an HTTP tunnel was answered, or came to its end without an answer. It is told of only while somebody listens, for
   * connections that begin from then on; an upgrade, as to a WebSocket, when it is accepted.
   */
  readonly request: {
    readonly target: LocalTarget;
    readonly method: string;
    /** As it stands in the request, mostly path and query. */
    readonly path: string;
    /** Undefined: the connection ended before an answer came. */
    readonly status: number | undefined;
    /** From the request's head to the end of the answer. */
    readonly durationMs: number;
    /** Of the request's body. */
    readonly receivedBytes: number;
    /** Of the answer's body. */
    readonly sentBytes: number;
    /** As the visitor asked for it. */
    readonly host: string;
    /** Of the visitor, with its port. */
    readonly address: string;
  };
  /** A visitor's connection began or ended. */
  readonly stream: {
    readonly state: 'opened' | 'closed' | 'reset';
    readonly target: LocalTarget;
    /** Address and port; `unknown` where the visitor was gone before the server could look. */
    readonly visitor: string;
    readonly code?: ErrorCode;
  };
  /** The last event. */
  readonly stopped: Cause & { readonly exitCode: number; readonly hint: Hint };
}
