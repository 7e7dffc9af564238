import type { ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { Http2Connection } from './http2-connection.ts';

/**
 * Bytes of bodies that HTTP/2 visitors sent and nobody has read, of one listener. Node holds them, a window for each request.
 * Beyond it the connection that holds most is closed.
 */
const UNREAD_BYTES_LIMIT = 256 * 1024 * 1024;

/** How often they are added up, in ms. */
const LOOK_MS = 1_000;

export type OnHttp2Request = (
  stream: ServerHttp2Stream,
  rawHeaders: readonly string[],
  endsWithHead: boolean,
  socket: TLSSocket,
) => void;

/** The connections of visitors that speak HTTP/2. */
export class Http2Connections {
  readonly #onRequest: OnHttp2Request;
  readonly #all = new Set<Http2Connection>();
  #timer: NodeJS.Timeout | undefined;

  constructor(onRequest: OnHttp2Request) {
    this.#onRequest = onRequest;
  }

  /** `socket`: has agreed to HTTP/2. */
  add(socket: TLSSocket): void {
    const connection = new Http2Connection(socket, {
      onStream: (stream, rawHeaders, endsWithHead) => this.#onRequest(stream, rawHeaders, endsWithHead, socket),
      onClosed: () => this.#forget(connection),
    });
    this.#all.add(connection);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** They take no more requests, and close after those that run. */
  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #forget(connection: Http2Connection): void {
    this.#all.delete(connection);
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    let sum = 0;
    let most = 0;
    let heaviest: Http2Connection | undefined;
    for (const connection of this.#all) {
      const { unreadBytes } = connection;
      sum += unreadBytes;
      if (unreadBytes > most) {
        most = unreadBytes;
        heaviest = connection;
      }
    }
    if (sum > UNREAD_BYTES_LIMIT) heaviest?.destroyForFlood();
  }
}
