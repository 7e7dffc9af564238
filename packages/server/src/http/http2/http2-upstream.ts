import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { ErrorCode } from '@tunnel/shared';
import { VisitorSocket } from '@tunnel/shared/node';
import type { Visit, VisitorAttributes } from '../../endpoints/endpoint.ts';
import { HEADER_COUNT_LIMIT, MAX_HEAD_BYTES } from '../../front/http-limits.ts';
import type { OutgoingRequest, ServiceError, ServiceHandlers, ServiceRequest, Upstream } from '../messages/upstream.ts';
import { toHttp2 } from './fields.ts';
import { Http2ServiceRequest } from './http2-service-request.ts';

/** Of an answer's body that may be on its way before the visitor took it; the default is 64 KiB. */
const WINDOW_BYTES = 1024 * 1024;

const OPTIONS = {
  maxHeaderListPairs: HEADER_COUNT_LIMIT,
  settings: { enablePush: false, initialWindowSize: WINDOW_BYTES, maxHeaderListSize: MAX_HEAD_BYTES },
};

/** One session of HTTP/2, and the stream that it is in. */
interface Connection {
  readonly session: ClientHttp2Session;
  /** Why the client reset the stream. */
  resetCode: string | undefined;
  isUsed: boolean;
}

/** The requests of one visitor's connection for one host, at once in one stream, to a service that speaks HTTP/2 without TLS. */
export class Http2Upstream implements Upstream {
  readonly #attributes: VisitorAttributes;
  #connection: Connection | undefined;

  constructor(attributes: VisitorAttributes) {
    this.#attributes = attributes;
  }

  get isUsed(): boolean {
    return this.#usable?.isUsed ?? false;
  }

  request(visit: Visit, request: OutgoingRequest, handlers: ServiceHandlers): ServiceRequest | ErrorCode {
    const connection = this.#usable ?? this.#open(visit);
    if (typeof connection === 'string') return connection;
    const { method, target, headers, hasBody } = request;
    const { host, ...fields } = toHttp2(headers);
    const stream = connection.session.request(
      { ...fields, ':method': method, ':scheme': 'http', ':authority': String(host), ':path': target },
      { endStream: !hasBody, waitForTrailers: hasBody },
    );
    connection.isUsed = true;
    return new Http2ServiceRequest(stream, hasBody, {
      ...handlers,
      onError: (error) => handlers.onError(explain(error, connection)),
    });
  }

  close(): void {
    this.#connection?.session.close();
  }

  get #usable(): Connection | undefined {
    const { session } = this.#connection ?? {};
    return session && !session.closed && !session.destroyed ? this.#connection : undefined;
  }

  #open(visit: Visit): Connection | ErrorCode {
    const { address, port, destination = '', destinationPort } = this.#attributes;
    const { tunnel, program } = VisitorSocket.pair(
      { address, port, destination, destinationPort },
      { allowHalfOpen: false, resetOn: 'destroy' },
    );
    const refusal = visit.open(tunnel, this.#attributes);
    if (refusal !== undefined) {
      program.destroy();
      tunnel.destroy();
      return refusal;
    }
    const session = connect('http://service', { ...OPTIONS, createConnection: () => program });
    const connection: Connection = { session, resetCode: undefined, isUsed: false };
    const forget = (): void => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    program.on('error', ({ resetCode }: ServiceError) => (connection.resetCode = resetCode));
    session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
    // What runs may end; it takes no more.
    session.once('goaway', forget);
    session.once('close', forget);
    session.on('error', forget);
    this.#connection = connection;
    return connection;
  }
}

/** A session that ends says nothing of why. */
function explain(error: ServiceError, { resetCode }: Connection): ServiceError {
  const isBadAnswer = error.code === 'ERR_HTTP2_ERROR' || error.http2Code === constants.NGHTTP2_PROTOCOL_ERROR;
  return Object.assign(error, { resetCode: error.resetCode ?? resetCode, isBadAnswer });
}
