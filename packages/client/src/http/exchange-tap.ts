import { type AnswerHead, readAnswerHead, readRequestHead, type RequestHead } from './message-head.ts';
import { type Framing, MessageReader } from './message-reader.ts';

/** Requests that one connection may have without an answer; with more of them nobody looks on any more. */
const UNANSWERED_LIMIT = 16;

/** A request and what became of it. */
export interface Exchange {
  readonly method: string;
  /** As it stands in the request, mostly path and query. */
  readonly target: string;
  /** As the visitor asked for it. */
  readonly host: string;
  /** Undefined: the connection ended before an answer came. */
  readonly status: number | undefined;
  /** From the request's head to the end of the answer. */
  readonly durationMs: number;
  /** Of the request's body. */
  readonly receivedBytes: number;
  /** Of the answer's body, as it travels. */
  readonly sentBytes: number;
}

/** Is told all of an exchange while it passes. Data is valid during the call only. */
export interface ExchangeRecording {
  /** Of the request's body, as it travels. */
  requestFramed(data: Uint8Array): void;
  /** The same without its framing. */
  requestData(data: Uint8Array): void;
  requestEnded(now: number): void;
  /** `text` is the head as it travels. Not told of interim answers. */
  answered(head: AnswerHead, text: string, now: number): void;
  answerFramed(data: Uint8Array): void;
  answerData(data: Uint8Array, now: number): void;
  upgradedReceived(data: Uint8Array, now: number): void;
  upgradedSent(data: Uint8Array, now: number): void;
  ended(how: 'whole' | 'cut' | 'unread', now: number): void;
}

export interface ExchangeHandlers {
  /** A request begins. Undefined: nobody records it. */
  onRequest?(head: RequestHead, text: string, now: number): ExchangeRecording | undefined;

  /** It came to its end; an upgraded one is told when that begins. */
  onExchange(exchange: Exchange): void;
  /** Whether the body of this answer is to be told by `onBody`. */
  wantsBody?(answer: AnswerHead): boolean;
  onBody?(data: Uint8Array): void;
}

type OpenExchange = { -readonly [K in keyof Omit<Exchange, 'durationMs'>]: Exchange[K] } & {
  readonly beganAt: number;
  readonly wantsUpgrade: boolean;
  readonly recording: ExchangeRecording | undefined;
  answer: AnswerHead | undefined;
};

/**
 * Looks on while HTTP/1.1 passes in both directions of a connection, and tells the exchanges. Pure: bytes and times (monotonic
 * ms) come in. What it cannot read ends the looking on, silently: it is no judge of what passes.
 */
export class ExchangeTap {
  readonly #handlers: ExchangeHandlers;
  readonly #requests: MessageReader;
  readonly #answers: MessageReader;
  /** Without a whole answer, the first is answered next. */
  #open: OpenExchange[] = [];
  /** Whose body comes. */
  #receiving: OpenExchange | undefined;
  #tellsBody = false;
  /** Of the exchange that ended with another protocol. */
  #upgraded: ExchangeRecording | undefined;
  #now = 0;

  constructor(handlers: ExchangeHandlers) {
    this.#handlers = handlers;
    const isRecorded = handlers.onRequest !== undefined;
    this.#requests = new MessageReader({
      onHead: (text) => this.#onRequest(readRequestHead(text), text),
      onBody: (data) => this.#onRequestBody(data),
      onEnd: () => this.#onRequestEnd(),
      ...(isRecorded && {
        onFramed: (data) => this.#receiving?.recording?.requestFramed(data),
        onOpaque: (data) => this.#upgraded?.upgradedReceived(data, this.#now),
      }),
    });
    this.#answers = new MessageReader({
      onHead: (text) => this.#onAnswer(readAnswerHead(text), text),
      onBody: (data) => this.#onAnswerBody(data),
      onEnd: () => this.#onAnswerEnd(),
      ...(isRecorded && {
        onFramed: (data) => this.#open[0]?.recording?.answerFramed(data),
        onOpaque: (data) => this.#upgraded?.upgradedSent(data, this.#now),
      }),
    });
  }

  /** Of the visitor's. */
  received(data: Uint8Array, now: number): void {
    this.#now = now;
    if (!this.#answers.hasFailed) this.#requests.push(data);
  }

  /** Of the service's. */
  sent(data: Uint8Array, now: number): void {
    this.#now = now;
    if (!this.#requests.hasFailed) this.#answers.push(data);
  }

  /** The service sends no more. */
  sentEnded(now: number): void {
    this.#now = now;
    this.#answers.end();
  }

  /** The connection is gone, however. */
  closed(now: number): void {
    this.sentEnded(now);
    const isRead = !this.#requests.hasFailed && !this.#answers.hasFailed;
    const open = this.#open;
    this.#open = [];
    for (const exchange of open) {
      exchange.recording?.ended(isRead ? 'cut' : 'unread', now);
      if (isRead) this.#tell(exchange);
    }
    this.#upgraded?.ended('whole', now);
  }

  #onRequest(head: RequestHead | undefined, text: string): Framing | undefined {
    if (!head || this.#open.length >= UNANSWERED_LIMIT) return undefined;
    const { method, target, host, length, wantsUpgrade } = head;
    const exchange: OpenExchange = {
      method,
      target,
      host,
      status: undefined,
      receivedBytes: 0,
      sentBytes: 0,
      beganAt: this.#now,
      wantsUpgrade,
      recording: this.#handlers.onRequest?.(head, text, this.#now),
      answer: undefined,
    };
    this.#open.push(exchange);
    this.#receiving = exchange;
    if (length.kind !== 'unsaid') return length;
    return wantsUpgrade ? { kind: 'held' } : { kind: 'none' };
  }

  #onRequestBody(data: Buffer): void {
    if (!this.#receiving) return;
    this.#receiving.receivedBytes += data.length;
    this.#receiving.recording?.requestData(data);
  }

  #onRequestEnd(): void {
    this.#receiving?.recording?.requestEnded(this.#now);
    this.#receiving = undefined;
  }

  #onAnswer(head: AnswerHead | undefined, text: string): Framing | undefined {
    const exchange = this.#open[0];
    if (!head || !exchange) return undefined;
    const { status, length } = head;
    if (status >= 200 || status === 101) exchange.recording?.answered(head, text, this.#now);
    const isUpgrade = status === 101 || (exchange.method === 'CONNECT' && status >= 200 && status < 300);
    if (isUpgrade) {
      exchange.status = status;
      this.#open.shift();
      this.#tell(exchange);
      this.#upgraded = exchange.recording;
      this.#requests.becomeOpaque();
      return { kind: 'opaque' };
    }
    if (status < 200) return { kind: 'none' };
    exchange.status = status;
    exchange.answer = head;
    if (exchange.wantsUpgrade) this.#requests.release();
    if (exchange.method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' };
    this.#tellsBody = this.#handlers.wantsBody?.(head) ?? false;
    return length.kind === 'unsaid' ? { kind: 'until-close' } : length;
  }

  #onAnswerBody(data: Uint8Array): void {
    const exchange = this.#open[0];
    if (exchange) {
      exchange.sentBytes += data.length;
      exchange.recording?.answerData(data, this.#now);
    }
    if (this.#tellsBody) this.#handlers.onBody?.(data);
  }

  #onAnswerEnd(): void {
    // Behind an interim answer the real one follows.
    if (this.#open[0]?.answer === undefined) return;
    const exchange = this.#open.shift();
    this.#tellsBody = false;
    exchange?.recording?.ended('whole', this.#now);
    if (exchange) this.#tell(exchange);
  }

  #tell(exchange: OpenExchange): void {
    const { method, target, host, status, receivedBytes, sentBytes, beganAt } = exchange;
    const durationMs = this.#now - beganAt;
    this.#handlers.onExchange({ method, target, host, status, durationMs, receivedBytes, sentBytes });
  }
}
