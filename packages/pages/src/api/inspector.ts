// What the inspector's page and its server say to each other, as JSON. Below `/api`:
//
// GET  exchanges                      ExchangeList; with ?text=… only those that contain it
// GET  exchanges/ID                   ExchangeDetail; with ?reveal=1 nothing is masked
// GET  exchanges/ID/request, answer   a body; with ?form=… as one of BodyForm
// GET  exchanges/ID/curl              text; with ?reveal=1 nothing is masked
// GET  exchanges/ID/har, har          an HTTP archive, of one exchange or of all
// POST exchanges/ID/replay            an EditedRequest, or {}: ReplayAnswer
// GET  events                         a stream of InspectorEvent
// DELETE exchanges                    drops all

/** What the list shows of an exchange. Times are in ms. */
export interface ExchangeSummary {
  readonly id: number;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** The local service. */
  readonly target: string;
  /** The visitor. */
  readonly address: string;
  readonly kind: 'http' | 'websocket' | 'upgraded' | 'events';
  readonly state: 'open' | 'whole' | 'cut' | 'unread';
  readonly status: number | null;
  /** Of the answer's body, as its head says; empty if it does not. */
  readonly mediaType: string;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Since it began: the request was here, the answer began, the answer was whole. */
  readonly requestEndMs: number | null;
  readonly firstByteMs: number | null;
  readonly endMs: number | null;
  readonly messageCount: number;
  /** The exchange that it repeats. */
  readonly replayOf: number | null;
}

export interface Header {
  readonly name: string;
  readonly value: string;
  /** `value` stands for another one. */
  readonly isMasked?: true;
}

/** What is known of a body; it is fetched apart. */
export interface ShownBody {
  readonly mediaType: string;
  /** As in `gzip`; empty if there is none. */
  readonly coding: string;
  /** How much of it is kept, without the framing of chunks. */
  readonly keptBytes: number;
  readonly isWhole: boolean;
}

export interface Message {
  readonly direction: 'received' | 'sent';
  readonly kind: 'text' | 'binary' | 'close' | 'ping' | 'pong' | 'event';
  readonly atMs: number;
  readonly bytes: number;
  /** Its payload is still compressed, since what came before it would be needed. */
  readonly isCompressed: boolean;
  /** The payload, or its beginning; base64. */
  readonly payload: string;
}

export interface ExchangeDetail {
  readonly summary: ExchangeSummary;
  /** As in `GET /path HTTP/1.1` */
  readonly requestLine: string;
  readonly requestHeaders: readonly Header[];
  readonly requestBody: ShownBody;
  readonly statusLine: string | null;
  readonly answerHeaders: readonly Header[];
  readonly answerBody: ShownBody | null;
  readonly messages: readonly Message[];
  /** Why it cannot be sent again; null if it can. */
  readonly noReplay: string | null;
}

/**
 * - `raw`: without the framing of chunks, but as it was compressed.
 * - `decoded`: what that is the compressed form of.
 */
export type BodyForm = 'raw' | 'decoded';

/** A request as it is to be sent. Where the value of a header is what was shown for a masked one, the original is sent. */
export interface EditedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly Header[];
  /** Base64; left out for the body as it was. */
  readonly body?: string;
}

export interface ReplayAnswer {
  /** The exchange that it became; null if it is not recorded. */
  readonly id: number | null;
}

export interface ExchangeList {
  /** The oldest first. */
  readonly exchanges: readonly ExchangeSummary[];
  /** Requests that came too fast to be recorded. */
  readonly skipped: number;
}

export type InspectorEvent =
  | { readonly type: 'changed'; readonly exchanges: readonly ExchangeSummary[] }
  | { readonly type: 'dropped'; readonly ids: readonly number[] }
  | { readonly type: 'skipped'; readonly count: number };
