import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Trailers, VisitorRequest } from '../messages/visitor-request.ts';
import { answerHead } from './answer-head.ts';
import { gatherSmallChunks } from './small-chunks.ts';

/** A visitor's request in HTTP/1.1 or 1.0. */
export class Http1VisitorRequest implements VisitorRequest {
  readonly body: IncomingMessage;
  readonly answer: ServerResponse;
  readonly #resetConnection: (socket: Socket) => void;

  /** `resetConnection`: so that the visitor sees a reset, and not an end, also where TLS is between. */
  constructor(request: IncomingMessage, response: ServerResponse, resetConnection: (socket: Socket) => void) {
    gatherSmallChunks(request);
    this.body = request;
    this.answer = response;
    this.#resetConnection = resetConnection;
  }

  get method(): string {
    return this.body.method ?? 'GET';
  }

  get url(): string | undefined {
    return this.body.url;
  }

  get httpVersion(): string {
    return this.body.httpVersion;
  }

  get rawHeaders(): readonly string[] {
    return this.body.rawHeaders;
  }

  get headers(): IncomingHttpHeaders {
    return this.body.headers;
  }

  get socket(): Socket {
    return this.body.socket;
  }

  get hasBody(): boolean {
    const { 'content-length': length, 'transfer-encoding': coding } = this.body.headers;
    return coding !== undefined || (length !== undefined && length !== '0');
  }

  get isBodyWhole(): boolean {
    return this.body.complete;
  }

  get trailers(): readonly string[] {
    return this.body.rawTrailers;
  }

  whenLeft(onLeft: () => void): void {
    const { body, answer } = this;
    answer.once('close', () => {
      if (!answer.writableFinished) {
        onLeft();
        return;
      }
      if (body.complete) return;
      // The answer is given, and the body still on its way: Node tells no more if the visitor leaves.
      const { socket } = body;
      socket.once('close', onLeft);
      body.once('close', () => socket.off('close', onLeft));
    });
  }

  sendInformation(status: number, reason: string, rawHeaders: readonly string[]): void {
    // HTTP/1.0 knows no answers that are not final (RFC 9110, section 15.2).
    if (this.body.httpVersion === '1.0') return;
    if (status === 100) this.answer.writeContinue();
    else this.answer.socket?.write(answerHead(status, reason, rawHeaders), 'latin1');
  }

  sendHead(status: number, reason: string, rawHeaders: readonly string[]): void {
    const { answer } = this;
    answer.sendDate = false;
    answer.writeHead(status, reason, rawHeaders as never);
    // Together with what came behind it; but an answer whose body takes its time must not hold its head back.
    const { socket } = answer;
    socket?.cork();
    // `flushHeaders` would send the head as UTF-8, and so each of its bytes beyond ASCII as two.
    answer.write('', 'latin1');
    setImmediate(() => socket?.uncork());
  }

  endAnswer(trailers: Trailers): void {
    if (trailers.length > 0) this.answer.addTrailers(trailers as never);
    this.answer.end();
  }

  sendOwn(status: number, headers: Readonly<Record<string, string>>, body: string, closes: boolean): void {
    const { answer } = this;
    answer.writeHead(status, { ...headers, ...(closes && { Connection: 'close' }) });
    answer.end(body);
  }

  refuseBody(): void {
    this.answer.once('finish', () => this.socket.destroySoon());
  }

  reset(): void {
    this.#resetConnection(this.socket);
  }
}
