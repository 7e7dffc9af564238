import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import type { OpenUpstream, Upstream } from './messages/upstream.ts';

/**
 * Connections to the service that requests of one visitor's connection open for one host before they wait for each other. The
 * page of a development server asks for some hundred files at once.
 */
const EAGER_LIMIT = 16;

/** A request that waited so long opens another one, in ms: what it waits for may be event streams that never end. */
const PATIENCE_MS = 1_000;

interface Waiting {
  readonly run: (upstream: Upstream) => void;
  readonly attributes: VisitorAttributes;
  readonly timer: NodeJS.Timeout;
}

/** Gives the upstream back, or stops waiting for one. */
export type GiveBack = () => void;

/** Upstreams of one visitor's connection for one host. */
export interface Upstreams {
  /** Calls `run` with one that the request may use until it is given back, at once or later. */
  take(attributes: VisitorAttributes, run: (upstream: Upstream) => void): GiveBack;
  /** The visitor's connection is over. */
  close(): void;
}

/** One for all requests at once. */
export class SharedUpstream implements Upstreams {
  readonly #open: OpenUpstream;
  #upstream: Upstream | undefined;
  #users = 0;
  #isClosed = false;

  constructor(open: OpenUpstream) {
    this.#open = open;
  }

  take(attributes: VisitorAttributes, run: (upstream: Upstream) => void): GiveBack {
    let isGivenBack = false;
    this.#users += 1;
    run((this.#upstream ??= this.#open(attributes)));
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#users -= 1;
      this.#closeIfDue();
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#closeIfDue();
  }

  /** Requests that run when somebody else gets the host end as they are. */
  #closeIfDue(): void {
    if (this.#isClosed && this.#users === 0) this.#upstream?.close();
  }
}

/** As many as there are requests at once, up to a limit. */
export class UpstreamPool implements Upstreams {
  readonly #open: OpenUpstream;
  /** The last one was used last. */
  readonly #idle: Upstream[] = [];
  readonly #busy = new Set<Upstream>();
  readonly #waiting = new Set<Waiting>();
  #isClosed = false;

  constructor(open: OpenUpstream) {
    this.#open = open;
  }

  take(attributes: VisitorAttributes, run: (upstream: Upstream) => void): GiveBack {
    let taken: Upstream | undefined;
    const use = (upstream: Upstream): void => {
      taken = upstream;
      this.#busy.add(upstream);
      run(upstream);
    };
    const idle = this.#idle.pop();
    if (idle || this.#busy.size < EAGER_LIMIT) {
      use(idle ?? this.#open(attributes));
      return () => this.#giveBack(taken);
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(waiting);
      use(this.#open(attributes));
    }, PATIENCE_MS);
    const waiting: Waiting = { run: use, attributes, timer };
    this.#waiting.add(waiting);
    return () => {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
      this.#giveBack(taken);
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const upstream of this.#idle.splice(0)) upstream.close();
    for (const upstream of this.#busy) upstream.close();
  }

  #giveBack(upstream: Upstream | undefined): void {
    if (!upstream || !this.#busy.delete(upstream)) return;
    if (this.#isClosed) {
      upstream.close();
      return;
    }
    const [next] = this.#waiting;
    if (next) {
      clearTimeout(next.timer);
      this.#waiting.delete(next);
      next.run(upstream);
    } else if (this.#idle.length < EAGER_LIMIT) {
      this.#idle.push(upstream);
    } else {
      upstream.close();
    }
  }
}
