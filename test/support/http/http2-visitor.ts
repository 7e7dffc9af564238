import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

/** An answer over HTTP/2, whole or not. */
export interface Http2Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly information: readonly IncomingHttpHeaders[];
  readonly body: string;
  /** Of RST_STREAM; 0 for an answer that ended. */
  readonly resetCode: number;
  /** The last frame of the head said that there is no more. */
  readonly endedWithHead: boolean;
}

/** A visitor that speaks HTTP/2 over TLS with a loopback port, and believes any certificate. */
export class Http2Visitor implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly #authority: string;

  constructor(port: number, host: string, options: ClientSessionOptions | SecureClientSessionOptions = {}) {
    this.#authority = `${host}:${port}`;
    this.session = connect(`https://${host}:${port}`, {
      host: '127.0.0.1',
      servername: host,
      rejectUnauthorized: false,
      maxSendHeaderBlockLength: 1024 * 1024,
      ...options,
    } as SecureClientSessionOptions);
    this.session.on('error', () => {});
  }

  /** Begins a request. Without `body` it ends with its head. */
  begin(headers: OutgoingHttpHeaders, hasBody = false): ClientHttp2Stream {
    const stream = this.session.request(
      { ':authority': this.#authority, ...headers },
      { endStream: !hasBody, waitForTrailers: false },
    );
    stream.on('error', () => {});
    return stream;
  }

  async request(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Answer> {
    const stream = this.begin(headers, body !== undefined);
    const answer = readAnswer(stream);
    if (body !== undefined) stream.end(body);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

/** Reads an answer until its stream is closed, in whatever way. */
export async function readAnswer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  let headers: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
  let trailers: IncomingHttpHeaders = {};
  let endedWithHead = false;
  const information: IncomingHttpHeaders[] = [];
  const chunks: Buffer[] = [];
  stream.on('headers', (each) => void information.push(each));
  stream.on('response', (each, flags) => {
    headers = each;
    endedWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on('trailers', (each) => (trailers = each));
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return {
    status: headers[':status'],
    headers,
    trailers,
    information,
    body: Buffer.concat(chunks).toString('latin1'),
    resetCode: stream.rstCode,
    endedWithHead,
  };
}
