import type { Socket } from 'node:net';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import { Http1Upstream } from './http1/http1-upstream.ts';
import type { Upstream } from './messages/upstream.ts';
import { type GiveBack, UpstreamPool } from './upstream-pool.ts';
import type { VisitorRequest } from './messages/visitor-request.ts';

/** Hosts that one connection has streams for: a proxy may bring requests for several. Beyond it those of the oldest are closed. */
const HOST_LIMIT = 8;

/** Requests that wait for their turn. A connection with more is reset: Node cannot be kept from reading on. */
const PIPELINE_LIMIT = 128;

interface HostUpstreams {
  /** Who had the host when they were opened. */
  readonly owner: object;
  readonly pool: UpstreamPool;
}

/** A visitor's connection to the front door. Each host has streams of its own. */
export class VisitorConnection {
  readonly #hosts = new Map<string, HostUpstreams>();
  readonly #socket: Socket;
  #isBusy = false;
  readonly #waiting: (() => void)[] = [];
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
  inTurn(run: () => void, request?: Pick<VisitorRequest, 'isBodyWhole'>): void {
    if (this.#socket.destroyed) return;
    this.#last = request ?? this.#last;
    if (this.#isBusy) {
      this.#waiting.push(run);
      if (this.#waiting.length > PIPELINE_LIMIT) this.#socket.destroy();
      return;
    }
    this.#isBusy = true;
    run();
  }

  /** The exchange whose turn it was is over. */
  next(): void {
    const run = this.#waiting.shift();
    if (run) run();
    else this.#isBusy = false;
  }

  /**
   * Calls `run` with an upstream to a host that is the request's alone until it is given back, at once or later. `owner`: who
   * has the host now. Streams to another one, who had it before, are not used any more.
   */
  withUpstream(
    host: string,
    owner: object,
    attributes: VisitorAttributes,
    run: (upstream: Upstream) => void,
  ): GiveBack {
    return this.#poolOf(host, owner).take(attributes, run);
  }

  #poolOf(host: string, owner: object): UpstreamPool {
    const known = this.#hosts.get(host);
    if (known?.owner === owner) return known.pool;
    if (known) this.#close(host, known);
    const pool = new UpstreamPool((attributes) => new Http1Upstream(attributes));
    this.#hosts.set(host, { owner, pool });
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
