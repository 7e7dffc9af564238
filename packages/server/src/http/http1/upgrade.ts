import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Visit } from '../../endpoints/endpoint.ts';
import { answerHead, isStatusLine } from './answer-head.ts';
import { forwardResponseHeaders } from '../messages/forwarded-headers.ts';
import { rawAnswer } from '../messages/own-answer.ts';
import { BAD_ANSWER, badGateway, type Refusal, refusalOf } from '../messages/refusals.ts';
import { holdBack } from './hold-back.ts';
import { gatherSmallChunks } from './small-chunks.ts';
import { splice } from './splice.ts';
import type { HttpTerms } from '../messages/terms.ts';
import type { Http1Upstream } from './http1-upstream.ts';

/** What a visitor may send before the service agreed, in bytes; more waits until then. */
const EARLY_BYTES_LIMIT = 64 * 1024;

export interface UpgradeOptions {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request's head. */
  readonly rest: Buffer;
  /** Of its own: it becomes the WebSocket's. */
  readonly upstream: Http1Upstream;
  readonly visit: Visit;
  readonly target: string;
  readonly headers: readonly string[];
  readonly terms: HttpTerms;
  readonly reset: () => void;
}

/** A visitor's request for a WebSocket. If the service agrees, the two connections are one from then on. */
export class Upgrade {
  readonly #options: UpgradeOptions;
  #isAnswered = false;
  /** What the visitor sent without waiting for the answer. */
  readonly #earlyData: Buffer[] = [];
  #earlyBytes = 0;

  constructor(options: UpgradeOptions) {
    this.#options = options;
    if (options.rest.length > 0) this.#onEarlyData(options.rest);
  }

  start(): void {
    const { socket, upstream, visit, target, headers } = this.#options;
    const upstreamRequest = upstream.begin(visit, { method: 'GET', target, headers });
    if (typeof upstreamRequest === 'string') {
      this.#refuse(refusalOf(upstreamRequest));
      return;
    }
    socket.once('close', () => {
      if (!this.#isAnswered) upstreamRequest.destroy();
    });
    // Nobody else reads any more, and only who reads learns that the visitor leaves.
    socket.on('data', this.#onEarlyData).once('end', this.#onEarlyEnd);
    upstreamRequest.on('upgrade', (answer, stream, first) => this.#join(answer, stream, first));
    upstreamRequest.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      if (!isStatusLine({ statusCode, statusMessage })) return;
      socket.write(answerHead(statusCode, statusMessage, rawHeaders), 'latin1');
      holdBack(upstreamRequest.socket, socket);
    });
    upstreamRequest.on('response', (answer) => this.#passAnswer(answer));
    upstreamRequest.on('error', (error: Error & { readonly resetCode?: string }) => {
      if (this.#isAnswered) this.#options.reset();
      else this.#refuse(error.resetCode === undefined ? badGateway(error) : refusalOf(error.resetCode));
    });
    upstreamRequest.end();
  }

  readonly #onEarlyData = (data: Buffer): void => {
    this.#earlyData.push(data);
    this.#earlyBytes += data.length;
    if (this.#earlyBytes >= EARLY_BYTES_LIMIT) this.#options.socket.pause();
  };

  readonly #onEarlyEnd = (): void => void this.#options.socket.destroy();

  #join(answer: IncomingMessage, stream: Duplex, first: Buffer): void {
    const { socket, terms, reset } = this.#options;
    if (!isStatusLine(answer)) {
      this.#refuse(BAD_ANSWER);
      stream.destroy();
      return;
    }
    this.#isAnswered = true;
    const { statusCode, statusMessage, rawHeaders } = answer;
    const headers = forwardResponseHeaders(rawHeaders, terms, false);
    socket.write(
      answerHead(statusCode, statusMessage, [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket']),
      'latin1',
    );
    // As with any TCP connection, one side may have said all, and the other not.
    stream.allowHalfOpen = true;
    if (first.length > 0) socket.write(first);
    socket.off('data', this.#onEarlyData).off('end', this.#onEarlyEnd);
    for (const data of this.#earlyData) stream.write(data);
    splice(stream, socket, (end) => {
      if (end === socket) reset();
      else (end as Duplex & { resetAndDestroy(): void }).resetAndDestroy();
    });
  }

  /** The service wants no WebSocket. Its answer is the last that this connection carries. */
  #passAnswer(answer: IncomingMessage): void {
    const { socket, terms, reset } = this.#options;
    if (!isStatusLine(answer)) {
      this.#refuse(BAD_ANSWER);
      answer.destroy();
      return;
    }
    this.#isAnswered = true;
    const { statusCode, statusMessage, rawHeaders } = answer;
    const headers = [...forwardResponseHeaders(rawHeaders, terms, false), 'Connection', 'close'];
    socket.write(answerHead(statusCode, statusMessage, headers), 'latin1');
    gatherSmallChunks(answer);
    answer.pipe(socket);
    socket.off('data', this.#onEarlyData).resume();
    socket.once('finish', () => socket.destroySoon());
    socket.once('close', () => void answer.destroy());
    answer.once('close', () => {
      if (!answer.complete) reset();
    });
  }

  #refuse(refusal: Refusal): void {
    const { socket, request } = this.#options;
    if (socket.destroyed) return;
    this.#isAnswered = true;
    socket.end(rawAnswer(request, refusal), () => socket.destroySoon());
  }
}
