import { TUNNEL_LIMIT, type Term } from '@tunnel/shared';

/** Requests of a session that wait for their answer, and what they may take up. A client that sends more breaks the protocol. */
const REQUEST_LIMIT = 2 * TUNNEL_LIMIT;
const REQUEST_QUEUE_BYTES = 8 * 1024 * 1024;

/** So many are answered as fast as turns allow, so that a client is back soon after a restart; then so many a second. */
const REQUEST_BURST = TUNNEL_LIMIT;
const REQUESTS_PER_SECOND = 64;

/** What a request and each of its terms take up besides their text, in bytes: about as much as in memory. */
const REQUEST_OVERHEAD_BYTES = 256;
const TERM_OVERHEAD_BYTES = 32;

/** What a tunnel asks for. */
export interface TunnelRequest {
  readonly tunnelId: number;
  /** Of the endpoint, by its number. */
  readonly kind: number;
  /** Its name; empty: any. */
  readonly wanted: string;
  /** What the server remembers it under. */
  readonly label: string;
  readonly terms: readonly Term[];
}

interface Waiting {
  readonly request: TunnelRequest;
  readonly bytes: number;
}

/**
 * What a client asked for and has no answer to, in order, and how fast it is worked off. No clock: `now` is monotonic ms.
 */
export class TunnelRequests {
  readonly #waiting = new Set<Waiting>();
  readonly #byTunnel = new Map<number, Set<Waiting>>();
  #bytes = 0;
  /** Requests that may be answered now; below 0 where the last one took more work than it was expected to. */
  #allowance = REQUEST_BURST;
  #allowedAt = 0;

  get count(): number {
    return this.#waiting.size;
  }

  get first(): TunnelRequest | undefined {
    return this.#waiting.values().next().value?.request;
  }

  /** False where there is no room for it. */
  add(request: TunnelRequest): boolean {
    const waiting = { request, bytes: sizeOf(request) };
    if (this.#waiting.size >= REQUEST_LIMIT || this.#bytes + waiting.bytes > REQUEST_QUEUE_BYTES) return false;
    this.#waiting.add(waiting);
    this.#bytes += waiting.bytes;
    const others = this.#byTunnel.get(request.tunnelId);
    if (others) others.add(waiting);
    else this.#byTunnel.set(request.tunnelId, new Set([waiting]));
    return true;
  }

  /** How long the first one has to wait, in ms. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#allowance >= 1 ? 0 : Math.ceil(((1 - this.#allowance) / REQUESTS_PER_SECOND) * 1000);
  }

  /** The first one is worked on now. */
  takeFirst(now: number): void {
    const [first] = this.#waiting;
    if (!first) return;
    this.#remove(first);
    this.spend(1, now);
  }

  /** It took as much work as so many requests. */
  spend(requests: number, now: number): void {
    this.#refill(now);
    this.#allowance -= requests;
  }

  /** The tunnel was given back: those of it that wait count for nothing. */
  cancel(tunnelId: number): void {
    for (const waiting of this.#byTunnel.get(tunnelId) ?? []) this.#remove(waiting);
  }

  clear(): void {
    this.#waiting.clear();
    this.#byTunnel.clear();
    this.#bytes = 0;
  }

  #remove(waiting: Waiting): void {
    const { tunnelId } = waiting.request;
    const ofTunnel = this.#byTunnel.get(tunnelId);
    ofTunnel?.delete(waiting);
    if (ofTunnel?.size === 0) this.#byTunnel.delete(tunnelId);
    this.#waiting.delete(waiting);
    this.#bytes -= waiting.bytes;
  }

  #refill(now: number): void {
    const earned = ((now - this.#allowedAt) / 1000) * REQUESTS_PER_SECOND;
    this.#allowance = Math.min(REQUEST_BURST, this.#allowance + earned);
    this.#allowedAt = now;
  }
}

function sizeOf({ wanted, label, terms }: TunnelRequest): number {
  let bytes = REQUEST_OVERHEAD_BYTES + wanted.length + label.length;
  for (const { term: _, ...values } of terms) {
    bytes += TERM_OVERHEAD_BYTES;
    for (const value of Object.values(values)) {
      if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length;
    }
  }
  return bytes;
}
