import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** Each a name and a value. */
export type Trailers = readonly (readonly [name: string, value: string])[];

/** What is read of a request before anybody decides about it. */
export interface RequestFields {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string;
  /** As HTTP/1.1 has them, also those of HTTP/2. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingHttpHeaders;
  /** The visitor's connection. */
  readonly socket: Socket;
}

/** A visitor's request, and the way back for its answer, whatever version of HTTP the visitor speaks. */
export interface VisitorRequest extends RequestFields {
  readonly method: string;
  readonly hasBody: boolean;
  readonly body: Readable;
  /** Whether all of the body arrived. A body may end without that, if the visitor left. */
  readonly isBodyWhole: boolean;
  /** Raw, once the body is whole. */
  readonly trailers: readonly string[];
  /** For the answer's body. It closes when the exchange is over. */
  readonly answer: Writable;
  /** Calls `onLeft` if the visitor leaves before it has the whole answer or has sent the whole body. */
  whenLeft(onLeft: () => void): void;
  /** Sends an answer that is not the final one. */
  sendInformation(status: number, reason: string, rawHeaders: readonly string[]): void;
  /** `isWhole`: there is no body behind it. */
  sendHead(status: number, reason: string, rawHeaders: readonly string[], isWhole: boolean): void;
  endAnswer(trailers: Trailers): void;
  /** An answer of the server's own. `closes`: HTTP/1.1 closes the connection then. */
  sendOwn(status: number, headers: Readonly<Record<string, string>>, body: string, closes: boolean): void;
  /** Nobody reads what is left of the body: once the answer is sent, the visitor need not send it. */
  refuseBody(): void;
  /** Breaks the answer off so that nobody takes what came for whole. `code`: of HTTP/2, if the service gave one. */
  reset(code: number | undefined): void;
}
