import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { monotonicNow } from '@tunnel/shared/node';
import { FloodCount } from './flood-count.ts';
import { HEAD_TIMEOUT_MS, HEADER_COUNT_LIMIT, KEEP_ALIVE_MS, MAX_HEAD_BYTES } from './http-limits.ts';

/** Requests at once. Further ones are refused with REFUSED_STREAM, and the client sends them again later. */
const HTTP2_STREAM_LIMIT = 128;

/**
 * Of a request's body that may be on its way before somebody reads it. At 50 ms that is 80 MB/s at most; with 1 MiB uploads took
 * twice as long there as in HTTP/1.1, and Node's 64 KiB would be 1.3 MB/s.
 */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Floods are counted within windows of this length, in ms. At the limits below the connection is closed with ENHANCE_YOUR_CALM. */
const FLOOD_WINDOW_MS = 10_000;

/** Requests that their sender reset before there was an answer: a page that is left early does so with some dozen. */
const HTTP2_RESET_LIMIT = 200;

/** gRPC measures with one for each round trip while data flows. */
const HTTP2_PING_LIMIT = 20_000;

const HTTP2_SETTINGS_LIMIT = 100;

/** How long a connection that was told to close may take, in ms. */
const CLOSE_GRACE_MS = 1_000;

/** Pseudo-headers of a request. */
const PSEUDO_HEADER_COUNT = 4;

const OPTIONS = {
  // The next so many headers and bytes are read, so that there can be an answer: 431. Beyond that the request is reset.
  maxHeaderListPairs: 2 * HEADER_COUNT_LIMIT + PSEUDO_HEADER_COUNT,
  settings: {
    enablePush: false,
    initialWindowSize: WINDOW_BYTES,
    maxConcurrentStreams: HTTP2_STREAM_LIMIT,
    maxHeaderListSize: 2 * MAX_HEAD_BYTES,
  },
};

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants;

export interface Http2ConnectionHandlers {
  /** `endsWithHead`: the request has no body. */
  readonly onStream: (stream: ServerHttp2Stream, rawHeaders: readonly string[], endsWithHead: boolean) => void;
  readonly onClosed: () => void;
}

/** One visitor's connection that speaks HTTP/2: how long it may be quiet, and what is too much of it. */
export class Http2Connection {
  readonly #session: ServerHttp2Session;
  /** Until the first request; from then on since there is none. */
  #timer: NodeJS.Timeout;
  #isUsed = false;
  readonly #open = new Set<ServerHttp2Stream>();
  readonly #resets = new FloodCount(HTTP2_RESET_LIMIT, FLOOD_WINDOW_MS);
  readonly #pings = new FloodCount(HTTP2_PING_LIMIT, FLOOD_WINDOW_MS);
  readonly #settings = new FloodCount(HTTP2_SETTINGS_LIMIT, FLOOD_WINDOW_MS);

  constructor(socket: TLSSocket, { onStream, onClosed }: Http2ConnectionHandlers) {
    const session = performServerHandshake(socket, OPTIONS);
    this.#session = session;
    this.#timer = setTimeout(() => this.#onQuiet(), HEAD_TIMEOUT_MS);
    session.setLocalWindowSize(WINDOW_BYTES);
    // 'close' follows.
    session.on('error', () => {});
    session.on('close', () => {
      clearTimeout(this.#timer);
      onClosed();
    });
    session.on('ping', () => this.#count(this.#pings));
    session.on('remoteSettings', () => this.#count(this.#settings));
    session.on(
      'stream',
      (stream: ServerHttp2Stream, _headers: unknown, flags: number, rawHeaders: readonly string[]) => {
        this.#watch(stream);
        onStream(stream, rawHeaders, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
      },
    );
  }

  /** Bytes of requests' bodies that nobody has read yet. */
  get unreadBytes(): number {
    let bytes = 0;
    for (const stream of this.#open) bytes += stream.readableLength;
    return bytes;
  }

  /** Takes no more requests, and closes once those that run are answered. */
  close(): void {
    if (!this.#session.closed) this.#session.close();
  }

  /** It takes more than its share. */
  destroyForFlood(): void {
    if (this.#session.destroyed) return;
    // Without an error Node would ignore the code.
    this.#session.destroy(new Error('flood'), NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #watch(stream: ServerHttp2Stream): void {
    if (!this.#isUsed) {
      this.#isUsed = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#onQuiet(), KEEP_ALIVE_MS);
    }
    this.#open.add(stream);
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#open.delete(stream);
      if (this.#session.destroyed) return;
      if (!stream.headersSent) this.#count(this.#resets);
      if (this.#open.size === 0) this.#timer.refresh();
    });
  }

  #count(flood: FloodCount): void {
    if (flood.add(monotonicNow())) this.destroyForFlood();
  }

  /** A minute and more without a request, or none at all within the time that a head may take. */
  #onQuiet(): void {
    if (this.#open.size > 0) return;
    this.close();
    // The other side may not answer that, nor end the head that it has begun.
    setTimeout(() => this.#session.destroy(), CLOSE_GRACE_MS).unref();
  }
}
