/**
 * The frames of the session protocol. A record's plaintext is a row of frames; each is
 * `type u8 · length u24 · payload`, all integers big-endian. `docs/protocol.md` has the byte tables.
 */

import type { Attribute } from './attributes.ts';
import type { Term } from './term.ts';

/** Wire numbers. 0x01-0x3f are not numbered by the session, 0x40-0x7f are; 0x70-0x7f are reserved for features to come. */
export const FRAME_TYPE = {
  accepted: 0x01,
  refused: 0x02,
  acknowledgement: 0x03,
  credit: 0x04,
  heartbeat: 0x05,
  goodbye: 0x06,
  drain: 0x07,
  visitorsRefused: 0x08,
  open: 0x40,
  data: 0x41,
  end: 0x42,
  reset: 0x43,
  void: 0x44,
  tunnelRequest: 0x48,
  tunnelGranted: 0x49,
  tunnelRefused: 0x4a,
  tunnelClose: 0x4b,
  tunnelAddresses: 0x4c,
} as const;

/** Wire numbers of what a TUNNEL-REQUEST can ask for: a public TCP port, a host name for HTTP. */
export const ENDPOINT_KIND = { tcp: 1, http: 2 } as const;

/** Frames of these types are numbered: they are kept, and sent again with the same bytes on the next link. */
export const NUMBERED_TYPES = { first: 0x40, last: 0x7f } as const;

/** Unknown types in this range are skipped, so that later versions can add frames that may be ignored. */
export const IGNORABLE_TYPES = { first: 0x30, last: 0x3f } as const;

/** The server's first frame: the link now carries this session. */
export interface AcceptedFrame {
  readonly type: 'accepted';
  readonly sessionId: Uint8Array;
  readonly token: Uint8Array;
  /** Number of the last numbered frame that the server received in this session; 0 for none. */
  readonly received: number;
  /** Number of the first numbered frame that the server sends on this link. */
  readonly next: number;
  /** How long the server keeps the session without a link, in ms. */
  readonly resumeWindowMs: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Name and version of the program, for logs. */
  readonly agent: string;
}

/** The server's first and last frame: this link carries nothing. */
export interface RefusedFrame {
  readonly type: 'refused';
  readonly code: string;
  /** When to come back at the earliest, in ms; 0 says nothing. */
  readonly retryAfterMs: number;
  readonly detail: string;
}

/** All numbered frames up to `number` were received. */
export interface AcknowledgementFrame {
  readonly type: 'acknowledgement';
  readonly number: number;
}

/** The receiver of this frame may send up to this many bytes on the stream, counted from its start. */
export interface CreditFrame {
  readonly type: 'credit';
  readonly streamId: number;
  readonly offset: number;
}

export interface HeartbeatFrame {
  readonly type: 'heartbeat';
  /** Ask for a heartbeat back at once. */
  readonly answerNow: boolean;
  /** The sender's clock, in ms since the link began, modulo 2^32. */
  readonly timestamp: number;
  /** The timestamp of the last heartbeat that was received on this link, and how long ago that was in ms. */
  readonly echo: { readonly timestamp: number; readonly heldMs: number } | undefined;
  /** The sender sends its next record within this time, in ms. */
  readonly nextWithinMs: number;
}

/** The session ends on purpose, at once, on both sides. */
export interface GoodbyeFrame {
  readonly type: 'goodbye';
  readonly code: string;
}

/** The server is about to stop: come back after `retryAfterMs` plus a random part of `spreadMs`. */
export interface DrainFrame {
  readonly type: 'drain';
  readonly retryAfterMs: number;
  readonly spreadMs: number;
  /** How long running streams may go on, in ms. */
  readonly graceMs: number;
}

/** Visitors that the rules of a tunnel kept out since it was asked for in this session. Only servers send this. */
export interface VisitorsRefusedFrame {
  readonly type: 'visitors-refused';
  readonly tunnelId: number;
  /** Because of their addresses. */
  readonly denied: number;
  /** Because there were as many as may be there at once. */
  readonly overLimit: number;
}

/** A visitor came. Only servers send this. */
export interface OpenFrame {
  readonly type: 'open';
  readonly streamId: number;
  readonly tunnelId: number;
  /** How much the receiver of this frame may send on the stream before its first CREDIT. */
  readonly creditBytes: number;
  /** How much its sender will send before that: its part of the first credit that the client's hello offers. */
  readonly takenBytes: number;
  /** At most `ATTRIBUTE_LIMIT`. */
  readonly attributes: readonly Attribute[];
}

export interface DataFrame {
  readonly type: 'data';
  readonly streamId: number;
  /** Received: a view into the record, or a copy where it would keep too much of it in memory. */
  readonly data: Uint8Array;
}

/** The sender sends no more data on this stream (half-close). */
export interface EndFrame {
  readonly type: 'end';
  readonly streamId: number;
}

/** The stream is over, in both directions, and data may be missing. */
export interface ResetFrame {
  readonly type: 'reset';
  readonly streamId: number;
  readonly code: string;
}

/** Stands for `count` numbered frames that are withdrawn, or that the receiver already has. */
export interface VoidFrame {
  readonly type: 'void';
  readonly count: number;
}

/** Asks for a public endpoint. Only clients send this. */
export interface TunnelRequestFrame {
  readonly type: 'tunnel-request';
  readonly tunnelId: number;
  /** See `ENDPOINT_KIND`. A server refuses a tunnel of a kind that it does not have. */
  readonly kind: number;
  /** What is wanted, such as a port in decimal digits; empty for any. */
  readonly name: string;
  /** What the server remembers it under: the tunnel's name, or its target. */
  readonly label: string;
  /** At most `TERM_LIMIT`. */
  readonly terms: readonly Term[];
}

export interface TunnelGrantedFrame {
  readonly type: 'tunnel-granted';
  readonly tunnelId: number;
  /** What was granted, as it would be asked for again. */
  readonly name: string;
  /** From 1 to `PUBLIC_ADDRESS_LIMIT`, the best first; each is one for `parsePublicAddress`. */
  readonly addresses: readonly string[];
}

export interface TunnelRefusedFrame {
  readonly type: 'tunnel-refused';
  readonly tunnelId: number;
  readonly code: string;
  readonly detail: string;
}

/** The tunnel is given back (by the client) or taken away (by the server). Its streams go on to their end. */
export interface TunnelCloseFrame {
  readonly type: 'tunnel-close';
  readonly tunnelId: number;
  readonly code: string;
}

/** A granted tunnel has these addresses from here on, the best first. */
export interface TunnelAddressesFrame {
  readonly type: 'tunnel-addresses';
  readonly tunnelId: number;
  readonly addresses: readonly string[];
}

export type UnnumberedFrame =
  | AcceptedFrame
  | RefusedFrame
  | AcknowledgementFrame
  | CreditFrame
  | HeartbeatFrame
  | GoodbyeFrame
  | DrainFrame
  | VisitorsRefusedFrame;

export type NumberedFrame =
  | OpenFrame
  | DataFrame
  | EndFrame
  | ResetFrame
  | VoidFrame
  | TunnelRequestFrame
  | TunnelGrantedFrame
  | TunnelRefusedFrame
  | TunnelCloseFrame
  | TunnelAddressesFrame;

export type Frame = UnnumberedFrame | NumberedFrame;
