import type { ClientEvents } from '@tunnel/client';
import { monotonicNow } from '@tunnel/shared/node';
import { formatSize } from '../output/byte-count.ts';
import { formatDuration } from '../values/duration.ts';
import { RequestFold, type RequestSum } from './request-fold.ts';

type RequestEvent = ClientEvents['request'];

/** Of a path on a line, in characters. */
const MAX_PATH = 100;
/** Statuses that a sum names; the others are put together. */
const MAX_STATUSES = 4;

/** A line for each request on a terminal, or for each second where there are many. */
export class RequestLines {
  readonly #tell: (text: string) => void;
  readonly #now: () => number;
  readonly #fold = new RequestFold<RequestEvent & { readonly text: string }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (text: string) => void, now: () => number = monotonicNow) {
    this.#tell = tell;
    this.#now = now;
  }

  /** `isOneOfSeveral`: the path alone does not say which tunnel it came through. */
  add(event: RequestEvent, isOneOfSeveral: boolean): void {
    const text = isOneOfSeveral ? `${describe(event)}  ${event.host}` : describe(event);
    if (this.#fold.add({ ...event, text }, this.#now())) this.#tell(text);
    this.#arm();
  }

  /** Tells what was not told yet. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tellTaken(this.#fold.takeAll());
  }

  #arm(): void {
    const { deadline } = this.#fold;
    if (this.#timer || deadline === Infinity) return;
    const delayMs = Math.max(0, Math.ceil(deadline - this.#now()));
    this.#timer = setTimeout(() => this.#onTimer(), delayMs).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#tellTaken(this.#fold.take(this.#now()));
    this.#arm();
  }

  #tellTaken(taken: ReturnType<RequestFold<RequestEvent & { readonly text: string }>['take']>): void {
    if (taken === undefined) return;
    if ('each' in taken) for (const { text } of taken.each) this.#tell(text);
    else if (taken.sum.count > 0) this.#tell(describeSum(taken.sum));
  }
}

/** `POST /hook  200  14ms  2.1 kB` */
function describe({ method, path, status, durationMs, sentBytes }: RequestEvent): string {
  const shown = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path;
  return [`${method} ${shown}`, describeStatus(status), formatDuration(durationMs), formatSize(sentBytes)].join('  ');
}

/** `312 more requests: 300 × 200, 12 × 404; slowest 93ms; 1.2 MB` */
function describeSum({ count, byStatus, slowestMs, sentBytes }: RequestSum): string {
  const statuses = [...byStatus].toSorted(([, a], [, b]) => b - a);
  const named = statuses.slice(0, MAX_STATUSES).map(([status, times]) => `${times} × ${describeStatus(status)}`);
  const others = statuses.slice(MAX_STATUSES).reduce((sum, [, times]) => sum + times, 0);
  const parts = [...named, ...(others === 0 ? [] : [`${others} × others`])].join(', ');
  const noun = count === 1 ? 'request' : 'requests';
  return `${count} more ${noun}: ${parts}; slowest ${formatDuration(slowestMs)}; ${formatSize(sentBytes)}`;
}

function describeStatus(status: number | undefined): string {
  return status === undefined ? 'no answer' : String(status);
}
