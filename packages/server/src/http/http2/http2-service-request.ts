import { STATUS_CODES } from 'node:http';
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import type { ServiceAnswer, ServiceError, ServiceHandlers, ServiceRequest } from '../messages/upstream.ts';
import type { Trailers } from '../messages/visitor-request.ts';
import { fromHttp2, toHttp2 } from './fields.ts';
import { resetStream, watchEnd } from './stream-endings.ts';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** Of a body, that wait for the service. */
const BUFFERED_BYTES = 256 * 1024;

/** Answers to one request that are not the final one. Further ones are dropped: who does not read them must not make them pile up. */
const INFORMATION_LIMIT = 64;

type Headers = IncomingHttpHeaders & { readonly ':status'?: number | undefined };

/** A request to a service that speaks HTTP/2. */
export class Http2ServiceRequest implements ServiceRequest {
  readonly #stream: ClientHttp2Stream;
  readonly #handlers: ServiceHandlers;
  #isAnswered = false;
  #isGivenUp = false;
  #isFailed = false;
  #informationCount = 0;

  constructor(stream: ClientHttp2Stream, hasBody: boolean, handlers: ServiceHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
    const isEndSaid = watchEnd(stream, false);
    stream.on('headers', (headers: Headers, _flags: number, raw: unknown) => {
      this.#informationCount += 1;
      if (this.#informationCount > INFORMATION_LIMIT) return;
      handlers.onInformation(headers[':status'] ?? 100, '', fromHttp2(raw as string[]).rawHeaders);
    });
    stream.once('response', (headers: Headers, flags: number, raw: unknown) => {
      this.#isAnswered = true;
      const endsWithHead = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
      const { rawHeaders } = fromHttp2(raw as string[]);
      handlers.onAnswer(new Http2Answer(stream, headers, rawHeaders, endsWithHead, isEndSaid));
    });
    if (hasBody) stream.on('drain', () => handlers.onDrain());
    stream.on('error', (error) => this.#fail(error));
    stream.once('close', () => {
      if (!this.#isAnswered) this.#fail(new Error('closed without an answer'));
      handlers.onClose();
    });
  }

  get isOver(): boolean {
    return this.#stream.destroyed;
  }

  write(chunk: Buffer): boolean {
    const stream = this.#stream;
    // Node wants to wait from 16 KiB on, and each wait delays the visitor's window.
    return !stream.writable || stream.write(chunk) || stream.writableLength < BUFFERED_BYTES;
  }

  end(trailers: Trailers): void {
    const stream = this.#stream;
    if (trailers.length > 0) stream.once('wantTrailers', () => stream.sendTrailers(toHttp2(trailers.flat())));
    stream.end();
  }

  /** The session is shared, and what could pile up has a bound. */
  waitFor(): void {}

  destroy(): void {
    this.#isGivenUp = true;
    resetStream(this.#stream, NGHTTP2_CANCEL);
  }

  #fail(error: ServiceError): void {
    if (this.#isFailed || this.#isGivenUp) return;
    this.#isFailed = true;
    const isUntouched = this.#stream.rstCode === NGHTTP2_REFUSED_STREAM;
    this.#handlers.onError(Object.assign(error, { http2Code: codeOf(this.#stream), isUntouched }));
  }
}

/** Undefined if the service gave none. Node also has CANCEL for all streams of a session that is lost. */
function codeOf({ rstCode }: ClientHttp2Stream): number | undefined {
  return rstCode === NGHTTP2_NO_ERROR || rstCode === NGHTTP2_CANCEL ? undefined : rstCode;
}

class Http2Answer implements ServiceAnswer {
  readonly status: number;
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  readonly endsWithHead: boolean;
  readonly mayHaveTrailers: boolean;
  readonly body: ClientHttp2Stream;
  readonly #isEndSaid: () => boolean;
  #trailers: readonly string[] = [];

  constructor(
    stream: ClientHttp2Stream,
    headers: Headers,
    rawHeaders: readonly string[],
    endsWithHead: boolean,
    isEndSaid: () => boolean,
  ) {
    this.status = headers[':status'] ?? 502;
    // HTTP/2 has none.
    this.reason = STATUS_CODES[this.status] ?? '';
    this.rawHeaders = rawHeaders;
    this.endsWithHead = endsWithHead;
    this.mayHaveTrailers = !endsWithHead && headers['content-length'] === undefined;
    this.body = stream;
    this.#isEndSaid = isEndSaid;
    stream.on('trailers', (_trailers: unknown, _flags: number, raw: unknown) => (this.#trailers = raw as string[]));
  }

  get isWhole(): boolean {
    return this.#isEndSaid();
  }

  get trailers(): readonly string[] {
    return this.#trailers;
  }

  get http2Code(): number | undefined {
    return codeOf(this.body);
  }
}
