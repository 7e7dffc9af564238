import type { LocalTarget } from '../options.ts';
import { EventStreamReader } from './event-stream-reader.ts';
import type { ExchangeRecording } from './exchange-tap.ts';
import { type AnswerHead, type HeaderLine, headerLines, type RequestHead } from './message-head.ts';
import { RecordedBytes } from './recorded-bytes.ts';
import { MESSAGE_LIMIT_BYTES, type WebSocketMessageKind, WebSocketReader } from './web-socket-reader.ts';

/** Of an exchange the newest messages are kept, up to so many and so many bytes. */
export const MESSAGE_LIMIT = 200;
const MESSAGES_LIMIT_BYTES = 256 * 1024;
/** What a message takes beside its payload, roughly. */
const MESSAGE_OVERHEAD_BYTES = 256;

/** Whose request it is. */
export interface RecordedOrigin {
  /** The service that it is for. */
  readonly target: LocalTarget;
  /** The visitor's address and port. */
  readonly address: string;
  /** The public name, if the request does not tell it. */
  readonly host?: string | undefined;
  /** The exchange that it repeats; undefined for a visitor's own. */
  readonly replayOf?: number | undefined;
}

/** Of a WebSocket, or an event of a server. */
export interface RecordedMessage {
  /** `received` from the visitor, or `sent` by the service. */
  readonly direction: 'received' | 'sent';
  readonly kind: WebSocketMessageKind | 'event';
  readonly isCompressed: boolean;
  /** Since the exchange began. */
  readonly atMs: number;
  /** Of the whole payload. */
  readonly bytes: number;
  /** Its beginning. An event's as it travels: lines of fields. */
  readonly payload: Uint8Array;
}

/** A message's body as it travels: in chunks, where its head says so. */
export interface RecordedBody {
  readonly framed: RecordedBytes;
  readonly isChunked: boolean;
}

/**
 * - `open`: it goes on.
 * - `whole`: the answer came to its end.
 * - `cut`: the connection ended before that.
 * - `unread`: what passed could not be read as HTTP/1.1 any more.
 */
export type RecordedState = 'open' | 'whole' | 'cut' | 'unread';

/** What an exchange tells the ring that it is in. */
export interface RecordedExchangeHandlers {
  /** It takes this much more memory, or less. False: it is not kept any more. */
  grew(exchange: RecordedExchange, bytes: number): boolean;
  changed(exchange: RecordedExchange): void;
}

/** One request, and what became of it, as far as there is room. Times are in ms since it began. */
export class RecordedExchange implements ExchangeRecording {
  readonly id: number;
  readonly origin: RecordedOrigin;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly requestBody: RecordedBody;
  readonly isUpgrade: boolean;
  readonly #handlers: RecordedExchangeHandlers;
  readonly #beganAt: number;
  #requestHead: string;
  #messages: RecordedMessage[] = [];
  #messageBytes = 0;
  #messageCount = 0;
  #answer: { readonly head: AnswerHead; readonly text: string; readonly body: RecordedBody } | undefined;
  #state: RecordedState = 'open';
  #kind: 'http' | 'websocket' | 'upgraded' | 'events' = 'http';
  #requestEndMs: number | undefined;
  #firstByteMs: number | undefined;
  #endMs: number | undefined;
  #receivedBytes = 0;
  #sentBytes = 0;
  #isForgotten = false;
  #events: EventStreamReader | undefined;
  #sockets: { readonly received: WebSocketReader; readonly sent: WebSocketReader } | undefined;
  #now: number;

  constructor(
    id: number,
    origin: RecordedOrigin,
    { head, text, now, wallMs }: { head: RequestHead; text: string; now: number; wallMs: number },
    handlers: RecordedExchangeHandlers,
  ) {
    this.id = id;
    this.origin = origin;
    this.startedAtMs = wallMs;
    this.method = head.method;
    this.path = head.target;
    this.host = origin.host ?? head.host;
    this.#requestHead = text;
    this.requestBody = { framed: new RecordedBytes(), isChunked: head.length.kind === 'chunked' };
    this.isUpgrade = head.wantsUpgrade;
    this.#handlers = handlers;
    this.#beganAt = now;
    this.#now = now;
  }

  /** Of the request, up to its empty line, as it travelled; bytes as Latin-1. */
  get requestHead(): string {
    return this.#requestHead;
  }

  get state(): RecordedState {
    return this.#state;
  }

  get kind(): 'http' | 'websocket' | 'upgraded' | 'events' {
    return this.#kind;
  }

  /** Undefined before there is an answer. */
  get status(): number | undefined {
    return this.#answer?.head.status;
  }

  get answerHead(): string | undefined {
    return this.#answer?.text;
  }

  get answerBody(): RecordedBody | undefined {
    return this.#answer?.body;
  }

  /** When the request's body was here. */
  get requestEndMs(): number | undefined {
    return this.#requestEndMs;
  }

  /** When the head of the answer was here. */
  get firstByteMs(): number | undefined {
    return this.#firstByteMs;
  }

  get endMs(): number | undefined {
    return this.#endMs;
  }

  /** Of the request's body without its framing; behind an upgrade all that came. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Of the answer, in the same way. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  get messages(): readonly RecordedMessage[] {
    return this.#messages;
  }

  /** Of all, kept or not. */
  get messageCount(): number {
    return this.#messageCount;
  }

  requestFramed(data: Uint8Array): void {
    if (!this.#isForgotten) this.#grow(this.requestBody.framed.add(data));
  }

  requestData(data: Uint8Array): void {
    this.#receivedBytes += data.length;
  }

  requestEnded(now: number): void {
    this.#requestEndMs = now - this.#beganAt;
  }

  answered(head: AnswerHead, text: string, now: number): void {
    if (this.#isForgotten) return;
    this.#firstByteMs = now - this.#beganAt;
    this.#answer = { head, text, body: { framed: new RecordedBytes(), isChunked: head.length.kind === 'chunked' } };
    this.#grow(text.length);
    if (head.status === 101) {
      this.#beginUpgrade(headerLines(text));
    } else if (!head.isEncoded && isEventStream(headerLines(text))) {
      this.#kind = 'events';
      this.#events = new EventStreamReader((block) => this.#tellMessage('sent', 'event', false, block));
    }
    this.#handlers.changed(this);
  }

  answerFramed(data: Uint8Array): void {
    const body = this.#answer?.body.framed;
    if (body && !this.#isForgotten) this.#grow(body.add(data));
  }

  answerData(data: Uint8Array, now: number): void {
    this.#sentBytes += data.length;
    this.#now = now;
    if (!this.#isForgotten) this.#events?.push(data);
  }

  upgradedReceived(data: Uint8Array, now: number): void {
    this.#receivedBytes += data.length;
    this.#now = now;
    if (!this.#isForgotten) this.#sockets?.received.push(data);
  }

  upgradedSent(data: Uint8Array, now: number): void {
    this.#sentBytes += data.length;
    this.#now = now;
    if (!this.#isForgotten) this.#sockets?.sent.push(data);
  }

  ended(how: 'whole' | 'cut' | 'unread', now: number): void {
    if (this.#state !== 'open') return;
    this.#state = how;
    this.#endMs = now - this.#beganAt;
    this.#handlers.changed(this);
  }

  /** It was dropped. Its connection may go on for days, so that what was kept goes at once. */
  forget(): void {
    this.#isForgotten = true;
    this.requestBody.framed.drop();
    this.#requestHead = '';
    this.#answer = undefined;
    this.#messages = [];
    this.#events = undefined;
    this.#sockets = undefined;
  }

  #beginUpgrade(lines: readonly HeaderLine[]): void {
    const protocol = lines.find(({ name }) => name.toLowerCase() === 'upgrade')?.value.toLowerCase();
    this.#kind = protocol === 'websocket' ? 'websocket' : 'upgraded';
    if (this.#kind !== 'websocket') return;
    const readerOf = (direction: RecordedMessage['direction']): WebSocketReader =>
      new WebSocketReader(({ kind, isCompressed, payload }) =>
        this.#tellMessage(direction, kind, isCompressed, payload),
      );
    this.#sockets = { received: readerOf('received'), sent: readerOf('sent') };
  }

  #tellMessage(
    direction: RecordedMessage['direction'],
    kind: RecordedMessage['kind'],
    isCompressed: boolean,
    { bytes: payload, totalBytes: bytes }: RecordedBytes,
  ): void {
    const message = { direction, kind, isCompressed, bytes, payload, atMs: this.#now - this.#beganAt };
    let grownBytes = sizeOf(message);
    this.#messages.push(message);
    this.#messageCount += 1;
    this.#messageBytes += grownBytes;
    while (this.#messages.length > MESSAGE_LIMIT || this.#messageBytes > MESSAGES_LIMIT_BYTES) {
      const [oldest] = this.#messages.splice(0, 1);
      if (!oldest) break;
      this.#messageBytes -= sizeOf(oldest);
      grownBytes -= sizeOf(oldest);
    }
    this.#grow(grownBytes);
    this.#handlers.changed(this);
  }

  #grow(bytes: number): void {
    if (bytes !== 0 && !this.#handlers.grew(this, bytes)) this.forget();
  }
}

/** A payload's buffer may be up to twice as large as what is in it. */
function sizeOf({ payload }: RecordedMessage): number {
  return MESSAGE_OVERHEAD_BYTES + Math.min(MESSAGE_LIMIT_BYTES, payload.buffer.byteLength);
}

function isEventStream(lines: readonly HeaderLine[]): boolean {
  const type = lines.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? '';
  return /^text\/event-stream\b/i.test(type);
}
