import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Visit } from '../endpoints/endpoint.ts';
import { forwardResponseHeaders } from './forwarded-headers.ts';
import { rawAnswer } from './own-answer.ts';
import { badGateway, type Refusal, refusalOf } from './refusals.ts';
import { splice } from './splice.ts';
import type { HttpTerms } from './terms.ts';
import type { Upstream } from './upstream.ts';

export interface UpgradeOptions {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request's head. */
  readonly rest: Buffer;
  /** Of its own: it becomes the WebSocket's. */
  readonly upstream: Upstream;
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

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  start(): void {
    const { socket, upstream, visit, target, headers } = this.#options;
    const upstreamRequest = upstream.request(visit, 'GET', target, headers);
    if (typeof upstreamRequest === 'string') {
      this.#refuse(refusalOf(upstreamRequest));
      return;
    }
    socket.once('close', () => {
      if (!this.#isAnswered) upstreamRequest.destroy();
    });
    upstreamRequest.on('upgrade', (answer, stream, first) => this.#join(answer, stream, first));
    upstreamRequest.on('response', (answer) => this.#passAnswer(answer));
    upstreamRequest.on('error', (error: Error & { readonly resetCode?: string }) => {
      if (this.#isAnswered) this.#options.reset();
      else this.#refuse(error.resetCode === undefined ? badGateway(error) : refusalOf(error.resetCode));
    });
    upstreamRequest.end();
  }

  #join(answer: IncomingMessage, stream: Duplex, first: Buffer): void {
    const { socket, rest, terms, reset } = this.#options;
    this.#isAnswered = true;
    const { statusCode, statusMessage, rawHeaders } = answer;
    const headers = forwardResponseHeaders(rawHeaders, terms);
    socket.write(
      headOf(statusCode, statusMessage, [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket']),
      'latin1',
    );
    if (first.length > 0) socket.write(first);
    if (rest.length > 0) stream.write(rest);
    splice(stream, socket, (end) => {
      if (end === socket) reset();
      else (end as Duplex & { resetAndDestroy(): void }).resetAndDestroy();
    });
  }

  /** The service wants no WebSocket. Its answer is the last that this connection carries. */
  #passAnswer(answer: IncomingMessage): void {
    const { socket, terms, reset } = this.#options;
    this.#isAnswered = true;
    const { statusCode, statusMessage, rawHeaders } = answer;
    const headers = [...forwardResponseHeaders(rawHeaders, terms), 'Connection', 'close'];
    socket.write(headOf(statusCode, statusMessage, headers), 'latin1');
    answer.pipe(socket);
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

function headOf(status = 502, reason = '', headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}
