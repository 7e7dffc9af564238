import type { Attribute } from '../wire/attributes.ts';
import type {
  AcceptedFrame,
  DrainFrame,
  TunnelAddressesFrame,
  TunnelCloseFrame,
  TunnelGrantedFrame,
  TunnelRefusedFrame,
  TunnelRequestFrame,
  VisitorsRefusedFrame,
} from '../wire/frame.ts';

/** The events of a session, in the order in which they happened. */
export type SessionEvent =
  /** The server accepted this session on this link (clients only). */
  | { readonly type: 'accepted'; readonly frame: AcceptedFrame }
  | { readonly type: 'refused'; readonly code: string; readonly retryAfterMs: number; readonly detail: string }
  /**
   * The peer answered a heartbeat or acknowledged a frame for the first time on this link, so the link works both ways.
   */
  | { readonly type: 'answered' }
  /** The peer is late but may still be alive. */
  | { readonly type: 'link-doubtful' }
  | {
      readonly type: 'stream-opened';
      readonly streamId: number;
      readonly tunnelId: number;
      /** What the server says about the visitor. */
      readonly attributes: readonly Attribute[];
    }
  /** A view into the received record; call `consumed` once the local side has taken it. */
  | { readonly type: 'stream-data'; readonly streamId: number; readonly data: Uint8Array }
  /** The peer will send no more; the other direction stays open. */
  | { readonly type: 'stream-ended'; readonly streamId: number }
  /** The stream is over in both directions, and data may be missing. Not emitted for a local `reset`. */
  | { readonly type: 'stream-reset'; readonly streamId: number; readonly code: string }
  /** After `write` said to stop: it may continue now. */
  | { readonly type: 'stream-writable'; readonly streamId: number }
  | TunnelRequestFrame
  | TunnelGrantedFrame
  | TunnelRefusedFrame
  | TunnelCloseFrame
  | TunnelAddressesFrame
  | VisitorsRefusedFrame
  | { readonly type: 'goodbye'; readonly code: string }
  | DrainFrame;

/** Events that nobody has taken yet. A stream that came and went in the meantime without a byte is never mentioned. */
export class EventQueue {
  #events: SessionEvent[] = [];
  /** Streams whose `stream-opened` has not been taken yet, and that have received nothing since. */
  readonly #unannounced = new Set<number>();
  /** Those of them that are already over. */
  readonly #stillborn = new Set<number>();

  push(event: SessionEvent): void {
    this.#events.push(event);
    if (event.type === 'stream-opened') this.#unannounced.add(event.streamId);
  }

  /** This stream received data, so it must be reported. */
  keep(streamId: number): void {
    this.#unannounced.delete(streamId);
  }

  /** The peer reset this stream: do not report it if that was all. */
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
