import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Visit } from '../endpoints/endpoint.ts';
import { answerHead, isStatusLine } from './answer-head.ts';
import { forwardResponseHeaders, forwardTrailers } from './forwarded-headers.ts';
import { sendAnswer } from './own-answer.ts';
import { BAD_ANSWER, badGateway, refusalOf } from './refusals.ts';
import type { HttpTerms } from './terms.ts';
import type { Upstream } from './upstream.ts';

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export interface ExchangeOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly visit: Visit;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly terms: HttpTerms;
  /** Resets the visitor's connection, so that nobody takes what came for whole. */
  readonly reset: () => void;
}

/**
 * One request of a visitor and its answer, as it comes: nothing is collected, each side waits for the other. Bodies pass in both
 * directions at once, so that an answer may come before the request is whole.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  /** Bytes of the request's body that were read. Nobody can send those again. */
  #bodyBytes = 0;
  #isAnswered = false;
  #answer: IncomingMessage | undefined;
  #upstreamRequest: ClientRequest | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { request, response } = options;
    response.once('close', () => {
      // The visitor left: the service learns it.
      if (!response.writableFinished) this.#upstreamRequest?.destroy();
      else if (!request.complete) this.#watchBody();
    });
  }

  start(): void {
    const { upstream, visit, method, target, headers, request, response } = this.#options;
    const isReused = upstream.isUsed;
    const upstreamRequest = upstream.request(visit, method, target, headers);
    if (typeof upstreamRequest === 'string') {
      sendAnswer(request, response, refusalOf(upstreamRequest));
      return;
    }
    this.#upstreamRequest = upstreamRequest;
    upstreamRequest.on('response', (answer) => this.#onAnswer(answer));
    upstreamRequest.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      // HTTP/1.0 knows no answers that are not final (RFC 9110, section 15.2).
      if (request.httpVersion === '1.0' || !isStatusLine({ statusCode, statusMessage })) return;
      if (statusCode === 100) response.writeContinue();
      else response.socket?.write(answerHead(statusCode, statusMessage, rawHeaders), 'latin1');
    });
    let isOver = false;
    upstreamRequest.on('error', (error) => {
      isOver = true;
      this.#onError(upstreamRequest, error, isReused);
    });
    upstreamRequest.once('close', () => {
      // A 101 that nobody asked for closes the connection without an error.
      if (!isOver && !this.#isAnswered) this.#onError(upstreamRequest, new Error('closed without an answer'), false);
    });
    this.#passBody(upstreamRequest);
  }

  /** The answer is given, and the body still on its way: Node tells no more if the visitor leaves. */
  #watchBody(): void {
    const { socket } = this.#options.request;
    const upstreamRequest = this.#upstreamRequest;
    if (!upstreamRequest || upstreamRequest.destroyed) return;
    const onClose = (): void => void upstreamRequest.destroy();
    socket.once('close', onClose);
    upstreamRequest.once('close', () => socket.off('close', onClose));
  }

  #passBody(upstreamRequest: ClientRequest): void {
    const { request } = this.#options;
    if (!hasBody(request)) {
      upstreamRequest.end();
      return;
    }
    const onData = (chunk: Buffer): void => {
      this.#bodyBytes += chunk.length;
      if (!upstreamRequest.write(chunk)) request.pause();
    };
    const onEnd = (): void => {
      const { rawTrailers } = request;
      if (rawTrailers.length > 0) {
        upstreamRequest.addTrailers(forwardTrailers(rawTrailers, this.#options.terms.removed) as never);
      }
      upstreamRequest.end();
    };
    const onDrain = (): void => void request.resume();
    request.on('data', onData).once('end', onEnd);
    upstreamRequest.on('drain', onDrain);
    // Once the answer is whole Node no longer tells, and more of the body may be on its way.
    upstreamRequest.once('socket', (stream) => stream.on('drain', onDrain));
    upstreamRequest.once('close', () => {
      // It was answered, or broke: what is left of the body goes nowhere.
      request.off('data', onData).off('end', onEnd);
      upstreamRequest.socket?.off('drain', onDrain);
      if (!request.readableEnded && this.#upstreamRequest === upstreamRequest && this.#isAnswered) request.resume();
    });
  }

  #onAnswer(answer: IncomingMessage): void {
    const { request, response, method, terms } = this.#options;
    this.#isAnswered = true;
    const { statusCode = 502, statusMessage = '', rawHeaders, headers } = answer;
    const mayHaveTrailers =
      headers['transfer-encoding'] !== undefined && request.httpVersion !== '1.0' && !isBodiless(method, statusCode);
    if (!isPassable(answer)) {
      answer.on('error', () => {}).destroy();
      sendAnswer(request, response, BAD_ANSWER);
      return;
    }
    this.#answer = answer;
    response.sendDate = false;
    const forwarded = forwardResponseHeaders(rawHeaders, terms, mayHaveTrailers);
    response.writeHead(statusCode, statusMessage, forwarded as never);
    // Together with what came behind it; but an answer whose body takes its time must not hold its head back.
    const { socket } = response;
    socket?.cork();
    // `flushHeaders` would send the head as UTF-8, and so each of its bytes beyond ASCII as two.
    response.write('', 'latin1');
    setImmediate(() => socket?.uncork());
    answer.on('data', (chunk: Buffer) => {
      if (!response.write(chunk)) answer.pause();
    });
    response.on('drain', () => answer.resume());
    answer.once('end', () => {
      if (!answer.complete) return;
      if (answer.rawTrailers.length > 0) {
        response.addTrailers(forwardTrailers(answer.rawTrailers, terms.removedFromResponse) as never);
      }
      response.end();
    });
    answer.once('close', () => {
      if (!answer.complete) this.#options.reset();
    });
    answer.on('error', () => {});
  }

  #onError(
    upstreamRequest: ClientRequest,
    error: Error & { resetCode?: string; code?: string },
    isReused: boolean,
  ): void {
    const { request, response, method, reset } = this.#options;
    if (this.#isAnswered) {
      // A service may answer early, and close before it read the whole body, or send more than its answer.
      if (!response.writableEnded && this.#answer?.complete !== true) reset();
      else response.once('finish', () => request.socket.destroySoon());
      return;
    }
    if (response.destroyed) return;
    // The service closed a connection that it had kept, and cannot have done anything: a request may be sent once more if it
    // could be done twice, or did not arrive as a whole.
    const isHangUp = error.resetCode === undefined || error.resetCode === 'stream-reset';
    const mayRepeat = isReused && isHangUp && this.#bodyBytes === 0;
    if (mayRepeat && (IDEMPOTENT.has(method) || hasBody(request))) {
      this.#upstreamRequest = undefined;
      upstreamRequest.removeAllListeners('drain');
      this.start();
      return;
    }
    sendAnswer(request, response, error.resetCode === undefined ? badGateway(error) : refusalOf(error.resetCode));
  }
}

/** Node reads statuses and reasons that it throws at when it writes them, and takes codings off that it cannot undo. */
function isPassable(answer: IncomingMessage): boolean {
  const { 'transfer-encoding': coding = 'identity' } = answer.headers;
  const isDecoded = /^(chunked|identity)$/i.test(coding);
  return isDecoded && (answer.statusCode ?? 0) >= 200 && isStatusLine(answer);
}

function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length } = headers;
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
