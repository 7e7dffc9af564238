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

/** What happened and nobody has taken yet. Of a stream that came and went meanwhile without a byte, nobody is told. */
export class EventQueue {
  #events: SessionEvent[] = [];
  /** Streams whose `stream-opened` nobody took yet, and on which nothing came since. */
  readonly #unannounced = new Set<number>();
  /** Those of them that are over already. */
  readonly #stillborn = new Set<number>();

  push(event: SessionEvent): void {
    this.#events.push(event);
    if (event.type === 'stream-opened') this.#unannounced.add(event.streamId);
  }

  /** Bytes came on this stream: it is to be told of in any case. */
  keep(streamId: number): void {
    this.#unannounced.delete(streamId);
  }

  /** The peer reset this stream: it is not to be told of if that was all. */
  discard(streamId: number): void {
    if (this.#unannounced.has(streamId)) this.#stillborn.add(streamId);
  }

  take(): readonly SessionEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    this.#unannounced.clear();
    if (this.#stillborn.size === 0) return events;
    const told = events.filter((event) => !('streamId' in event && this.#stillborn.has(event.streamId)));
    this.#stillborn.clear();
    return told;
  }
}
