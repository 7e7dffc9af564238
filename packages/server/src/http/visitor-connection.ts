import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import { Upstream } from './upstream.ts';

/** Streams that one connection may have: a proxy may bring requests for several hosts on it. Beyond it the oldest is closed. */
const UPSTREAM_LIMIT = 8;

/** Requests that wait for their turn. A connection with more is reset: Node cannot be kept from reading on. */
const PIPELINE_LIMIT = 128;

interface HostUpstream {
  /** Who had the host when it was opened. */
  readonly owner: object;
  readonly upstream: Upstream;
}

/** A visitor's connection to the front door: its requests come one after another, and each host has a stream of its own. */
export class VisitorConnection {
  readonly #upstreams = new Map<string, HostUpstream>();
  readonly #socket: Socket;
  #isBusy = false;
  readonly #waiting: (() => void)[] = [];
  #last: IncomingMessage | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once('close', () => {
      for (const { upstream } of this.#upstreams.values()) upstream.close();
      this.#upstreams.clear();
      this.#waiting.length = 0;
    });
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether the last request came to its end, body and all. */
  get isLastWhole(): boolean {
    return this.#last?.complete !== false;
  }

  /** Calls `run` once those that came before are over: also requests that were sent without waiting for an answer. */
  inTurn(run: () => void, request?: IncomingMessage): void {
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

  /** `owner`: who has the host now. A stream to another one, who had it before, is not used any more. */
  upstreamTo(host: string, owner: object, attributes: VisitorAttributes): Upstream {
    const known = this.#upstreams.get(host);
    if (known?.owner === owner) return known.upstream;
    if (known) this.#closeUpstream(host, known);
    const upstream = new Upstream(attributes);
    this.#upstreams.set(host, { owner, upstream });
    if (this.#upstreams.size > UPSTREAM_LIMIT) {
      const [oldest] = this.#upstreams;
      if (oldest) this.#closeUpstream(...oldest);
    }
    return upstream;
  }

  #closeUpstream(host: string, { upstream }: HostUpstream): void {
    this.#upstreams.delete(host);
    upstream.close();
  }
}
