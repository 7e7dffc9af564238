import type { ErrorCode } from '@tunnel/shared';
import type { Duplex, Readable } from 'node:stream';
import type { Visit, VisitorAttributes } from '../../endpoints/endpoint.ts';
import type { Trailers } from './visitor-request.ts';

/** A request as the service gets it. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  /** Raw, as HTTP/1.1 has them. */
  readonly headers: readonly string[];
  readonly hasBody: boolean;
}

/** What a service answers. */
export interface ServiceAnswer {
  readonly status: number;
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  readonly mayHaveTrailers: boolean;
  /** It has no body and no trailers, and said so in its head. */
  readonly endsWithHead: boolean;
  readonly body: Readable;
  /** Whether all of the body arrived. It may end or close without that. */
  readonly isWhole: boolean;
  /** Raw, once it is whole. */
  readonly trailers: readonly string[];
  /** Of HTTP/2, with which the service broke it off. */
  readonly http2Code: number | undefined;
}

export interface ServiceError extends Error {
  /** Of Node. */
  readonly code?: string;
  /** Why the client reset the stream: one of the product's codes. */
  readonly resetCode?: string | undefined;
  /** Of HTTP/2, with which the service broke the request off. */
  readonly http2Code?: number | undefined;
  /** What came is no answer, or not one that can be passed on. */
  readonly isBadAnswer?: boolean;
  /** The service says that it did not begin with the request. */
  readonly isUntouched?: boolean;
}

export interface ServiceHandlers {
  onInformation(status: number, reason: string, rawHeaders: readonly string[]): void;
  onAnswer(answer: ServiceAnswer): void;
  /** There is room for more of the body. */
  onDrain(): void;
  /** Before the answer, or behind it while the body was still on its way. Called once. */
  onError(error: ServiceError): void;
  /** The request is over, in whatever way. */
  onClose(): void;
}

/** A request that is on its way to the service. */
export interface ServiceRequest {
  readonly isOver: boolean;
  /** Whether there is room for more. */
  write(chunk: Buffer): boolean;
  end(trailers: Trailers): void;
  /** Reads nothing more of the service while a visitor's connection has no room. */
  waitFor(visitor: Duplex): void;
  /** Gives it up: nobody waits for the answer any more. */
  destroy(): void;
}

/** Where the requests of one visitor's connection for one host go. No other connection shares it. */
export interface Upstream {
  /** Whether the next request would go out on a stream that served one before: the service may be about to close it. */
  readonly isUsed: boolean;
  /** Begins a request. Returns why there is no stream for it. */
  request(visit: Visit, request: OutgoingRequest, handlers: ServiceHandlers): ServiceRequest | ErrorCode;
  /** The visitor's connection is over. */
  close(): void;
}

export type OpenUpstream = (attributes: VisitorAttributes) => Upstream;
