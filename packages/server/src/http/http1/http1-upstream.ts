import { type ClientRequest, request as startRequest, type RequestOptions } from 'node:http';
import { type VisitorEnds, VisitorSocket } from '@tunnel/shared/node';
import type { ErrorCode } from '@tunnel/shared';
import type { Visit, VisitorAttributes } from '../../endpoints/endpoint.ts';
import type { OutgoingRequest, ServiceHandlers, ServiceRequest, Upstream } from '../messages/upstream.ts';
import { Http1ServiceRequest } from './http1-service-request.ts';

/** The head of a service's answer, in bytes; a longer one is an answer that nobody understands: 502. */
const MAX_ANSWER_HEAD_BYTES = 64 * 1024;

/** What `node:http` needs of an agent: it is asked for each request, and the request brings its stream along. */
const agent = {
  defaultPort: 80,
  protocol: 'http:',
  keepAlive: true,
  maxSockets: 1,
  addRequest: (request: ClientRequest, { stream }: { readonly stream: VisitorSocket }) =>
    request.onSocket(stream as never),
  destroy: () => {},
};

/**
 * The stream of one visitor's connection to the service behind one host, kept from request to request. No other connection uses
 * it, so that no request can reach into another visitor's.
 */
export class Http1Upstream implements Upstream {
  readonly #attributes: VisitorAttributes;
  #stream: VisitorSocket | undefined;
  #isBusy = false;
  #isClosed = false;

  constructor(attributes: VisitorAttributes) {
    this.#attributes = attributes;
  }

  get isUsed(): boolean {
    return this.#stream !== undefined && !this.#isBusy;
  }

  /**
   * Begins a request. One that was answered before its body was whole may still be on its way: it keeps its stream, and this one
   * gets another. Returns why there is no stream for it.
   */
  request(visit: Visit, request: OutgoingRequest, handlers: ServiceHandlers): ServiceRequest | ErrorCode {
    const clientRequest = this.begin(visit, request);
    if (typeof clientRequest === 'string') return clientRequest;
    return new Http1ServiceRequest(clientRequest, request.hasBody, handlers);
  }

  /** The same, for whoever wants to do the rest itself. */
  begin(visit: Visit, { method, target, headers }: Omit<OutgoingRequest, 'hasBody'>): ClientRequest | ErrorCode {
    const stream = this.#stream && !this.#isBusy ? this.#stream : this.#open(visit);
    if (typeof stream === 'string') return stream;
    this.#isBusy = true;
    stream.off('data', refuseData);
    const options: RequestOptions & { readonly stream: VisitorSocket } = {
      agent: agent as never,
      method,
      path: target,
      headers,
      setHost: false,
      maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      stream,
    };
    const request = startRequest(options);
    // Any number: their size has a bound, and further ones would be dropped without a word.
    request.maxHeadersCount = 0;
    return request;
  }

  /** The visitor's connection is over. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isBusy) this.#stream?.end();
  }

  #open(visit: Visit): VisitorSocket | ErrorCode {
    const { address, port, destination = '', destinationPort } = this.#attributes;
    const ends: VisitorEnds = { address, port, destination, destinationPort };
    const { tunnel, program } = VisitorSocket.pair(ends, { allowHalfOpen: false, resetOn: 'destroy' });
    const refusal = visit.open(tunnel, this.#attributes);
    if (refusal !== undefined) {
      program.destroy();
      tunnel.destroy();
      return refusal;
    }
    const forget = (): void => {
      if (this.#stream !== program) return;
      this.#stream = undefined;
      this.#isBusy = false;
    };
    program.on('free', () => this.#onFree(program));
    program.once('end', forget).once('close', forget);
    this.#stream = program;
    return program;
  }

  #onFree(stream: VisitorSocket): void {
    if (this.#isClosed || this.#stream !== stream) {
      stream.end();
      return;
    }
    this.#isBusy = false;
    stream.on('data', refuseData);
  }
}

/** What a service says without being asked would pass for the answer to the next request. */
function refuseData(this: VisitorSocket): void {
  this.destroy();
}
