import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServiceAnswer, ServiceError, ServiceHandlers, ServiceRequest } from '../messages/upstream.ts';
import type { Trailers } from '../messages/visitor-request.ts';
import { isStatusLine } from './answer-head.ts';
import { holdBack } from './hold-back.ts';
import { gatherSmallChunks } from './small-chunks.ts';

/** A request to a service that speaks HTTP/1.1. */
export class Http1ServiceRequest implements ServiceRequest {
  readonly #request: ClientRequest;
  readonly #handlers: ServiceHandlers;
  #isAnswered = false;
  #isFailed = false;

  constructor(request: ClientRequest, hasBody: boolean, handlers: ServiceHandlers) {
    this.#request = request;
    this.#handlers = handlers;
    request.on('response', (message) => {
      this.#isAnswered = true;
      if (!isPassable(message)) {
        message.on('error', () => {}).destroy();
        this.#fail(Object.assign(new Error('bad answer'), { isBadAnswer: true }));
        return;
      }
      handlers.onAnswer(new Http1Answer(message));
    });
    request.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      if (isStatusLine({ statusCode, statusMessage })) handlers.onInformation(statusCode, statusMessage, rawHeaders);
    });
    request.on('error', (error) => this.#fail(error));
    const onDrain = (): void => handlers.onDrain();
    if (hasBody) {
      request.on('drain', onDrain);
      // Once the answer is whole Node no longer tells, and more of the body may be on its way.
      request.once('socket', (stream) => stream.on('drain', onDrain));
    } else {
      request.end();
    }
    request.once('close', () => {
      if (hasBody) request.socket?.off('drain', onDrain);
      // A 101 that nobody asked for closes the connection without an error.
      if (!this.#isAnswered) this.#fail(new Error('closed without an answer'));
      handlers.onClose();
    });
  }

  get isOver(): boolean {
    return this.#request.destroyed;
  }

  write(chunk: Buffer): boolean {
    return this.#request.write(chunk);
  }

  end(trailers: Trailers): void {
    if (trailers.length > 0) this.#request.addTrailers(trailers as never);
    this.#request.end();
  }

  waitFor(visitor: Duplex): void {
    holdBack(this.#request.socket, visitor);
  }

  destroy(): void {
    if (!this.#request.destroyed) this.#request.destroy();
  }

  #fail(error: ServiceError): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#handlers.onError(error);
  }
}

/** Node reads statuses and reasons that it throws at when it writes them, and takes codings off that it cannot undo. */
function isPassable(message: IncomingMessage): boolean {
  const { 'transfer-encoding': coding = 'identity' } = message.headers;
  const isDecoded = /^(chunked|identity)$/i.test(coding);
  return isDecoded && (message.statusCode ?? 0) >= 200 && isStatusLine(message);
}

class Http1Answer implements ServiceAnswer {
  readonly body: IncomingMessage;
  readonly endsWithHead = false;
  readonly http2Code = undefined;

  constructor(message: IncomingMessage) {
    gatherSmallChunks(message);
    this.body = message;
  }

  get status(): number {
    return this.body.statusCode ?? 502;
  }

  get reason(): string {
    return this.body.statusMessage ?? '';
  }

  get rawHeaders(): readonly string[] {
    return this.body.rawHeaders;
  }

  get mayHaveTrailers(): boolean {
    return this.body.headers['transfer-encoding'] !== undefined;
  }

  get isWhole(): boolean {
    return this.body.complete;
  }

  get trailers(): readonly string[] {
    return this.body.rawTrailers;
  }
}
