import { freeMemory } from '@tunnel/shared/node';
import type { Visit } from '../endpoints/endpoint.ts';
import { forwardResponseHeaders, forwardTrailers } from './messages/forwarded-headers.ts';
import { sendAnswer } from './messages/own-answer.ts';
import { BAD_ANSWER, badGateway, type Refusal, refusalOf } from './messages/refusals.ts';
import type { HttpTerms } from './messages/terms.ts';
import type { OutgoingRequest, ServiceAnswer, ServiceError, ServiceRequest, Upstream } from './messages/upstream.ts';
import type { VisitorRequest } from './messages/visitor-request.ts';

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export interface ExchangeOptions {
  readonly visitor: VisitorRequest;
  readonly upstream: Upstream;
  readonly visit: Visit;
  readonly request: OutgoingRequest;
  readonly terms: HttpTerms;
}

/**
 * One request of a visitor and its answer, as it comes: nothing is collected, each side waits for the other. Bodies pass in both
 * directions at once, so that an answer may come before the request is whole.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  /** Bytes of the request's body that were read. Nobody can send those again. */
  #bodyBytes = 0;
  #answer: ServiceAnswer | undefined;
  #serviceRequest: ServiceRequest | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    // The service learns it.
    options.visitor.whenLeft(() => this.#serviceRequest?.destroy());
  }

  start(): void {
    const { upstream, visit, request, visitor, terms } = this.#options;
    const isReused = upstream.isUsed;
    const { body } = visitor;
    const onData = (chunk: Buffer): void => {
      this.#bodyBytes += chunk.length;
      if (this.#serviceRequest?.write(chunk) === false) body.pause();
    };
    const onEnd = (): void => {
      if (!visitor.isBodyWhole) return;
      this.#serviceRequest?.end(forwardTrailers(visitor.trailers, terms.removed));
    };
    const stopBody = (): void => {
      if (request.hasBody) body.off('data', onData).off('end', onEnd);
    };
    const serviceRequest = upstream.request(visit, request, {
      onInformation: (status, reason, rawHeaders) => {
        visitor.sendInformation(status, reason, rawHeaders);
        this.#serviceRequest?.waitFor(visitor.socket);
      },
      onAnswer: (answer) => this.#onAnswer(answer),
      onDrain: () => body.resume(),
      onError: (error) => {
        stopBody();
        this.#onError(error, isReused);
      },
      onClose: () => {
        // It was answered, or broke: what is left of the body goes nowhere.
        stopBody();
        const isLast = this.#serviceRequest === serviceRequest;
        if (isLast && request.hasBody && !body.readableEnded && this.#answer) body.resume();
      },
    });
    if (typeof serviceRequest === 'string') {
      sendAnswer(visitor, refusalOf(serviceRequest));
      return;
    }
    this.#serviceRequest = serviceRequest;
    if (!request.hasBody) return;
    // It ended already if this is not the first try.
    if (body.readableEnded) onEnd();
    else body.on('data', onData).once('end', onEnd);
  }

  #onAnswer(answer: ServiceAnswer): void {
    const { visitor, request, terms } = this.#options;
    const { status, reason, rawHeaders, endsWithHead, body } = answer;
    this.#answer = answer;
    const mayHaveTrailers =
      answer.mayHaveTrailers && visitor.httpVersion !== '1.0' && !isBodiless(request.method, status);
    visitor.sendHead(status, reason, forwardResponseHeaders(rawHeaders, terms, mayHaveTrailers), endsWithHead);
    // The stream's end of the connection made a copy, which nobody else has.
    const isFreed = visitor.httpVersion !== '2';
    body.on('data', (chunk: Buffer) => {
      const isTaken = isFreed ? visitor.answer.write(chunk, () => freeMemory(chunk)) : visitor.answer.write(chunk);
      if (!isTaken) body.pause();
    });
    visitor.answer.on('drain', () => body.resume());
    body.once('end', () => {
      if (answer.isWhole) visitor.endAnswer(forwardTrailers(answer.trailers, terms.removedFromResponse));
    });
    body.once('close', () => {
      if (!answer.isWhole) visitor.reset(answer.http2Code);
    });
    body.on('error', () => {});
  }

  #onError(error: ServiceError, isReused: boolean): void {
    const { visitor } = this.#options;
    const { answer } = visitor;
    if (this.#answer) {
      // A service may answer early, and close before it read the whole body, or send more than its answer.
      if (answer.writableEnded || this.#answer.isWhole) visitor.refuseBody();
      else visitor.reset(error.http2Code);
      return;
    }
    if (answer.destroyed) return;
    if (this.#mayRepeat(error, isReused)) {
      this.#serviceRequest = undefined;
      this.start();
      return;
    }
    sendAnswer(visitor, refusalFor(error));
  }

  /**
   * The service closed a connection that it had kept, and cannot have done anything: a request may be sent once more if it could
   * be done twice, or did not arrive as a whole.
   */
  #mayRepeat({ resetCode, isUntouched = false, isBadAnswer = false }: ServiceError, isReused: boolean): boolean {
    const { method, hasBody } = this.#options.request;
    if (this.#bodyBytes > 0 || !isReused || isBadAnswer) return false;
    const isHangUp = resetCode === undefined || resetCode === 'stream-reset';
    return isUntouched || (isHangUp && (IDEMPOTENT.has(method) || hasBody));
  }
}

function refusalFor(error: ServiceError): Refusal {
  if (error.isBadAnswer === true) return BAD_ANSWER;
  return error.resetCode === undefined ? badGateway(error) : refusalOf(error.resetCode);
}

function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}
