/** Requests that are told one by one within a window. */
const EACH_LIMIT = 20;
const WINDOW_MS = 1_000;

/** What is folded of a request. */
export interface FoldedRequest {
  readonly status: number | undefined;
  readonly durationMs: number;
  readonly sentBytes: number;
}

/** What many requests were, in one. */
export interface RequestSum {
  readonly count: number;
  /** How many there were by status; those without an answer as undefined. */
  readonly byStatus: ReadonlyMap<number | undefined, number>;
  readonly slowestMs: number;
  readonly sentBytes: number;
}

type State =
  | { readonly kind: 'quiet' }
  /** The first ones of this window were told as they came. */
  | { readonly kind: 'telling'; readonly endsAt: number; told: number }
  /** There were too many in the window before: whether they are again is known at its end. */
  | { readonly kind: 'folding'; readonly endsAt: number };

/**
 * Tells requests one by one, unless more than 20 come within a second: then as one sum for each second, until they are fewer.
 * No clock: `now` is monotonic ms.
 */
export class RequestFold<Request extends FoldedRequest> {
  #state: State = { kind: 'quiet' };
  /** Those of the window that were not told: all are summed up, the first are kept. */
  #kept: Request[] = [];
  #count = 0;
  #byStatus = new Map<number | undefined, number>();
  #slowestMs = 0;
  #sentBytes = 0;

  /** True: tell it now. */
  add(request: Request, now: number): boolean {
    if (
      this.#state.kind === 'quiet' ||
      (this.#state.kind === 'telling' && now >= this.#state.endsAt && this.#count === 0)
    ) {
      this.#state = { kind: 'telling', endsAt: now + WINDOW_MS, told: 0 };
    }
    if (this.#state.kind === 'telling' && this.#state.told < EACH_LIMIT) {
      this.#state.told += 1;
      return true;
    }
    this.#count += 1;
    if (this.#kept.length < EACH_LIMIT) this.#kept.push(request);
    this.#byStatus.set(request.status, (this.#byStatus.get(request.status) ?? 0) + 1);
    this.#slowestMs = Math.max(this.#slowestMs, request.durationMs);
    this.#sentBytes += request.sentBytes;
    return false;
  }

  /** When `take` has something to tell, or to end. */
  get deadline(): number {
    if (this.#state.kind === 'quiet') return Infinity;
    return this.#state.kind === 'telling' && this.#count === 0 ? Infinity : this.#state.endsAt;
  }

  /** What the window that is over has to be told of, if one is. */
  take(now: number): { readonly each: readonly Request[] } | { readonly sum: RequestSum } | undefined {
    const state = this.#state;
    if (state.kind === 'quiet' || now < this.deadline) return undefined;
    // Behind a burst the next window begins at once, so that what goes on is folded from its first request on.
    const wasMuch = state.kind === 'telling' || this.#count > EACH_LIMIT;
    this.#state = wasMuch ? { kind: 'folding', endsAt: now + WINDOW_MS } : { kind: 'quiet' };
    return this.takeAll(wasMuch);
  }

  /** What was not told yet: for the end. */
  takeAll(isFolded = this.#count > EACH_LIMIT): { readonly each: readonly Request[] } | { readonly sum: RequestSum } {
    const told = isFolded
      ? {
          sum: {
            count: this.#count,
            byStatus: this.#byStatus,
            slowestMs: this.#slowestMs,
            sentBytes: this.#sentBytes,
          },
        }
      : { each: this.#kept };
    this.#kept = [];
    this.#count = 0;
    this.#byStatus = new Map();
    this.#slowestMs = 0;
    this.#sentBytes = 0;
    return told;
  }
}
