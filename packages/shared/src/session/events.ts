import type { Attribute } from '../wire/attributes.ts';
import type {
  AcceptedFrame,
  DrainFrame,
  TunnelCloseFrame,
  TunnelGrantedFrame,
  TunnelRefusedFrame,
  TunnelRequestFrame,
  VisitorsRefusedFrame,
} from '../wire/frame.ts';

/** What a session tells the program around it, in the order in which it happened. */
export type SessionEvent =
  /** The server carries this session on this link (only clients see it). */
  | { readonly type: 'accepted'; readonly frame: AcceptedFrame }
  | { readonly type: 'refused'; readonly code: string; readonly retryAfterMs: number; readonly detail: string }
  /** The peer answered a heartbeat or acknowledged a frame for the first time on this link: it works both ways. */
  | { readonly type: 'answered' }
  /** The peer is late, but may live. */
  | { readonly type: 'link-doubtful' }
  | {
      readonly type: 'stream-opened';
      readonly streamId: number;
      readonly tunnelId: number;
      /** What the server says of the visitor. */
      readonly attributes: readonly Attribute[];
    }
  /** A view into the record that was received; call `consumed` once the local side took it. */
  | { readonly type: 'stream-data'; readonly streamId: number; readonly data: Uint8Array }
  /** The peer sends no more; the other direction goes on. */
  | { readonly type: 'stream-ended'; readonly streamId: number }
  /** The stream is over in both directions, and data may be missing. Not told for one's own `reset`. */
  | { readonly type: 'stream-reset'; readonly streamId: number; readonly code: string }
  /** `write` said stop; it may go on now. */
  | { readonly type: 'stream-writable'; readonly streamId: number }
  | TunnelRequestFrame
  | TunnelGrantedFrame
  | TunnelRefusedFrame
  | TunnelCloseFrame
  | VisitorsRefusedFrame
  | { readonly type: 'goodbye'; readonly code: string }
  | DrainFrame;
