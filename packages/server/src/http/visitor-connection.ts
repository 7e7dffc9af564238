import type { Socket } from 'node:net';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import { Http1Upstream } from './http1/http1-upstream.ts';
import { Http2Upstream } from './http2/http2-upstream.ts';
import type { Upstream } from './messages/upstream.ts';
import { type GiveBack, SharedUpstream, UpstreamPool, type Upstreams } from './upstream-pool.ts';
import type { VisitorRequest } from './messages/visitor-request.ts';

/** Hosts that one connection has streams for: a proxy may bring requests for several. Beyond it those of the oldest are closed. */
const HOST_LIMIT = 8;

/** Requests that wait for their turn. A connection with more is reset: Node cannot be kept from reading on. */
const PIPELINE_LIMIT = 128;

/** What the heads of those may take up, in bytes. */
const PIPELINE_BYTES = 256 * 1024;

/** Of each header in memory, besides its text. */
const HEADER_OVERHEAD_BYTES = 64;

interface HostUpstreams {
  /** Who had the host when they were opened. */
  readonly owner: object;
  readonly isHttp2: boolean;
  readonly pool: Upstreams;
}

/** A visitor's connection to the front door. Each host has streams of its own. */
export class VisitorConnection {
  readonly #hosts = new Map<string, HostUpstreams>();
  readonly #socket: Socket;
  #isBusy = false;
  readonly #waiting: { readonly run: () => void; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  #last: Pick<VisitorRequest, 'isBodyWhole'> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once('close', () => {
      for (const { pool } of this.#hosts.values()) pool.close();
      this.#hosts.clear();
      this.#waiting.length = 0;
    });
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether the last request came to its end, body and all. */
  get isLastWhole(): boolean {
    return this.#last?.isBodyWhole !== false;
  }

  /** In HTTP/1.1: calls `run` once those that came before are over, also requests that were sent without waiting for an answer. */
  inTurn(run: () => void, request?: Pick<VisitorRequest, 'isBodyWhole' | 'rawHeaders'>): void {
    if (this.#socket.destroyed) return;
    this.#last = request ?? this.#last;
    if (this.#isBusy) {
      const bytes = sizeOf(request?.rawHeaders ?? []);
      this.#waiting.push({ run, bytes });
      this.#waitingBytes += bytes;
      const isTooMuch = this.#waiting.length > PIPELINE_LIMIT || this.#waitingBytes > PIPELINE_BYTES;
      if (isTooMuch) this.#socket.destroy();
      return;
    }
    this.#isBusy = true;
    run();
  }

  /** The exchange whose turn it was is over. */
  next(): void {
    const next = this.#waiting.shift();
    if (!next) {
      this.#isBusy = false;
      return;
    }
    this.#waitingBytes -= next.bytes;
    next.run();
  }

  /**
   * Calls `run` with an upstream to a host for one request, until it is given back, at once or later. `owner`: who
   * has the host now, and `isHttp2` what it speaks. Streams to another one, who had it before, are not used any more.
   */
  withUpstream(
    host: string,
    owner: object,
    isHttp2: boolean,
    attributes: VisitorAttributes,
    run: (upstream: Upstream) => void,
  ): GiveBack {
    return this.#poolOf(host, owner, isHttp2).take(attributes, run);
  }

  #poolOf(host: string, owner: object, isHttp2: boolean): Upstreams {
    const known = this.#hosts.get(host);
    if (known?.owner === owner && known.isHttp2 === isHttp2) return known.pool;
    if (known) this.#close(host, known);
    const pool = isHttp2
      ? new SharedUpstream((attributes) => new Http2Upstream(attributes))
      : new UpstreamPool((attributes) => new Http1Upstream(attributes));
    this.#hosts.set(host, { owner, isHttp2, pool });
    if (this.#hosts.size > HOST_LIMIT) {
      const [oldest] = this.#hosts;
      if (oldest) this.#close(...oldest);
    }
    return pool;
  }

  #close(host: string, { pool }: HostUpstreams): void {
    this.#hosts.delete(host);
    pool.close();
  }
}

function sizeOf(rawHeaders: readonly string[]): number {
  let bytes = (rawHeaders.length / 2) * HEADER_OVERHEAD_BYTES;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}
