import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Http1VisitorRequest } from './http1/http1-visitor-request.ts';
import { isCovered } from './http2/certificate-cover.ts';
import { readHttp2Head } from './http2/http2-head.ts';
import { Http2VisitorRequest } from './http2/http2-visitor-request.ts';
import type { HttpVisitors } from './http-visitors.ts';
import { rawAnswer, sendAnswer } from './messages/own-answer.ts';
import { MISDIRECTED, type Refusal, redirectTo, unreadableRequest } from './messages/refusals.ts';
import { readRequestHead, type RequestHead } from './messages/request-head.ts';
import { Unanswered } from './unanswered.ts';
import type { VisitorRequest } from './messages/visitor-request.ts';

export interface FrontDoorOptions {
  /** Takes the links of clients. */
  readonly acceptor: { upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void };
  readonly visitors: Pick<HttpVisitors, 'request' | 'upgrade' | 'unreadable'>;
  /** Ends a visitor's connection with a reset. */
  readonly reset: (socket: Socket) => void;
  /** Whether requests for a host are for visitors' services: somebody has it, or it is below the domain. */
  readonly isVisited: (host: string) => boolean;
  /** What an authority is answered that looks whether a host leads here. */
  readonly challengeText: (host: string, target: string) => string | undefined;
  /** Where a visitor's request is to be sent again, if not here. */
  readonly redirectOf: (request: IncomingMessage, head: RequestHead) => string | undefined;
}

/** What every HTTP listener of the server does with a request: the host alone decides whom it is for. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #unanswered = new Unanswered();
  /** Connections whose last answer is on its way: Node goes on with requests that came together with the one before. */
  readonly #ending = new WeakSet<Socket>();

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (this.#ending.has(socket)) return;
    this.#unanswered.add(socket, response);
    const visitor = new Http1VisitorRequest(request, response, this.#options.reset);
    const head = readRequestHead(visitor);
    const answer = this.#ownAnswer(visitor, head, request);
    if (answer) {
      this.#ending.add(socket);
      answer();
    } else if (!('status' in head)) this.#options.visitors.request(visitor, head);
  }

  /** Undefined for a request that is for a visitor's service. */
  #ownAnswer(visitor: VisitorRequest, head: RequestHead | Refusal, request: IncomingMessage): (() => void) | undefined {
    if ('status' in head) return () => sendAnswer(visitor, head);
    const { isVisited, challengeText, redirectOf } = this.#options;
    const text = challengeText(head.host, head.target);
    if (text !== undefined) return () => sendText(visitor, text);
    if (!isVisited(head.host)) return () => answerItself(visitor, head);
    const location = redirectOf(request, head);
    return location === undefined ? undefined : () => sendAnswer(visitor, redirectTo(location));
  }

  stream(stream: ServerHttp2Stream, rawFields: readonly string[], endsWithHead: boolean, socket: TLSSocket): void {
    const http2Head = readHttp2Head(rawFields, endsWithHead);
    const visitor = new Http2VisitorRequest(stream, http2Head, socket);
    const head = http2Head.refusal ?? readRequestHead(visitor);
    if ('status' in head) sendAnswer(visitor, head);
    else if (!isCovered(socket, head.host)) sendAnswer(visitor, MISDIRECTED);
    else if (this.#options.isVisited(head.host)) this.#options.visitors.request(visitor, head);
    else answerItself(visitor, head);
  }

  /** What came is not HTTP, too long, or not there in time. */
  unreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    if (socket.writable && error.code !== 'ECONNRESET') {
      if (this.#ending.has(socket)) return;
      this.#options.visitors.unreadable(socket, unreadableRequest(error.code));
    } else socket.destroy();
  }

  /** `again`: hands a connection back to the HTTP server, as new. */
  upgrade(request: IncomingMessage, socket: Socket, rest: Buffer, again: (socket: Socket) => void): void {
    if (this.#ending.has(socket)) return;
    // Node takes the connection away from the answers that are still to come on it.
    this.#unanswered.whenNone(socket, () => this.#upgrade(request, socket, rest, again));
  }

  #upgrade(request: IncomingMessage, socket: Socket, rest: Buffer, again: (socket: Socket) => void): void {
    const head = readRequestHead(request);
    if ('status' in head) {
      socket.on('error', () => {});
      socket.end(rawAnswer(request, head), () => socket.destroySoon());
      return;
    }
    const { acceptor, visitors, isVisited } = this.#options;
    if (!isVisited(head.host)) acceptor.upgrade(request, socket, rest);
    else if (isWebSocket(request)) visitors.upgrade(request, socket, rest, head);
    else {
      // Node takes every upgrade out of its hands. Other kinds may be ignored (RFC 9110, section 7.8): then it is a request.
      socket.unshift(Buffer.concat([Buffer.from(withoutUpgrade(request), 'latin1'), rest]));
      again(socket);
    }
  }
}

/** With a body it is a request: where that ends, a service that wants no WebSocket might see another way. */
function isWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding, upgrade } = headers;
  const isBodiless = length === '0' && coding === undefined;
  return method === 'GET' && httpVersion !== '1.0' && isBodiless && upgrade?.toLowerCase() === 'websocket';
}

function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const key = name.toLowerCase();
    if (key === 'upgrade' || key === 'http2-settings') continue;
    if (key !== 'connection') {
      head += `${name}: ${value}\r\n`;
      continue;
    }
    const kept = value.split(',').filter((part) => !/^\s*(upgrade|http2-settings)\s*$/i.test(part));
    if (kept.length > 0) head += `${name}: ${kept.join(',')}\r\n`;
  }
  return `${head}\r\n`;
}

/** To an authority that looks whether a name leads here (RFC 8555, section 8.3). */
function sendText(visitor: VisitorRequest, text: string): void {
  const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(text.length) };
  visitor.sendOwn(200, headers, text, true);
}

const HEALTHY = 'ok\n';

const WORDS = 'This is a tunnel server. Reach it with: tunnel local <port> --to <this address>\n';

/** `/healthz` says that the process answers, also while it drains: links are resumed here then. */
function answerItself(visitor: VisitorRequest, { target }: RequestHead): void {
  const { method, httpVersion } = visitor;
  const headers = { 'Content-Type': 'text/plain' };
  if ((method === 'GET' || method === 'HEAD') && target.split('?', 1)[0] === '/healthz') {
    const length = String(HEALTHY.length);
    visitor.sendOwn(200, { ...headers, 'Cache-Control': 'no-store', 'Content-Length': length }, HEALTHY, true);
  } else if (httpVersion === '2') {
    // 426 has to say what to upgrade to, and HTTP/2 has no header for that.
    visitor.sendOwn(404, headers, WORDS, true);
  } else {
    visitor.sendOwn(426, { ...headers, Upgrade: 'websocket' }, WORDS, true);
  }
}
