import type { IncomingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Trailers, VisitorRequest } from '../messages/visitor-request.ts';
import { toHttp2 } from './fields.ts';
import type { Http2Head } from './http2-head.ts';
import { resetStream, watchEnd } from './stream-endings.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** Answers without a body (RFC 9110, section 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** A visitor's request in HTTP/2: one stream of a connection that has many. */
export class Http2VisitorRequest implements VisitorRequest {
  readonly httpVersion = '2';
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
  readonly hasBody: boolean;
  readonly body: ServerHttp2Stream;
  readonly answer: ServerHttp2Stream;
  readonly #isEndSaid: () => boolean;
  #trailers: readonly string[] = [];
  /** All of the answer was handed over. */
  #isAnswered = false;

  constructor(stream: ServerHttp2Stream, head: Http2Head, socket: Socket) {
    const { method, url, rawHeaders, hasBody } = head;
    this.method = method;
    this.url = url;
    this.rawHeaders = rawHeaders;
    this.hasBody = hasBody;
    this.headers = headersOf(rawHeaders);
    this.socket = socket;
    this.body = stream;
    this.answer = stream;
    this.#isEndSaid = watchEnd(stream, !hasBody || stream.state.remoteClose === 1);
    stream.on('trailers', (_trailers: unknown, _flags: number, raw: unknown) => (this.#trailers = raw as string[]));
    // Unread, it would keep the stream from closing.
    if (!hasBody) stream.resume();
  }

  get isBodyWhole(): boolean {
    return this.#isEndSaid();
  }

  get trailers(): readonly string[] {
    return this.#trailers;
  }

  whenLeft(onLeft: () => void): void {
    const { body } = this;
    body.once('close', () => {
      if (!this.#isAnswered || !this.isBodyWhole) onLeft();
    });
  }

  sendInformation(status: number, _reason: string, rawHeaders: readonly string[]): void {
    if (this.#isGone || this.answer.headersSent || status === constants.HTTP_STATUS_SWITCHING_PROTOCOLS) return;
    this.answer.additionalHeaders({ ':status': status, ...toHttp2(rawHeaders) });
  }

  sendHead(status: number, _reason: string, rawHeaders: readonly string[], isWhole: boolean): void {
    if (this.#isGone) return;
    const headers = toHttp2(rawHeaders);
    const isBodiless = isWhole || this.method === 'HEAD' || BODILESS.has(status) || headers['content-length'] === '0';
    if (isBodiless) this.#isAnswered = true;
    // Who says how long the body is has no trailers.
    const waitForTrailers = !isBodiless && headers['content-length'] === undefined;
    // The types do not know `sendDate`: a service that says no date has none.
    const options = { endStream: isBodiless, waitForTrailers, sendDate: false };
    this.answer.respond({ ...headers, ':status': status }, options);
  }

  endAnswer(trailers: Trailers): void {
    this.#isAnswered = true;
    const { answer } = this;
    if (this.#isGone || answer.writableEnded) return;
    if (trailers.length > 0) answer.once('wantTrailers', () => answer.sendTrailers(toHttp2(trailers.flat())));
    answer.end();
  }

  sendOwn(status: number, headers: Readonly<Record<string, string>>, body: string): void {
    if (this.#isGone) return;
    const isBodiless = this.method === 'HEAD' || body === '';
    this.#isAnswered = true;
    this.answer.respond({ ...toHttp2(Object.entries(headers).flat()), ':status': status }, { endStream: isBodiless });
    if (!isBodiless) this.answer.end(body);
    if (this.hasBody) this.refuseBody();
  }

  refuseBody(): void {
    const { answer } = this;
    const close = (): void => {
      if (!answer.closed) answer.close(NGHTTP2_NO_ERROR);
    };
    // RFC 9113, section 8.1.
    if (answer.writableFinished) setImmediate(close);
    else answer.once('finish', () => setImmediate(close));
    this.body.resume();
  }

  reset(code: number | undefined): void {
    resetStream(this.answer, code === undefined || code === NGHTTP2_NO_ERROR ? NGHTTP2_INTERNAL_ERROR : code);
  }

  get #isGone(): boolean {
    return this.answer.destroyed || this.answer.closed;
  }
}

function headersOf(rawHeaders: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string> = { __proto__: null } as never;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}
