import type { ServerResponse } from 'node:http';
import type { ExchangeRecorder, RecordedExchange } from '@tunnel/client/internal';
import type { InspectorEvent } from '@tunnel/pages';
import { summaryOf } from './shown.ts';

/** What changes within this time is told together, in ms. */
const GATHER_MS = 100;

/** Pages that are told at once. */
const FEED_LIMIT = 16;

/** Tells pages what changes, as server-sent events. Costs nothing while there is no page. */
export class EventFeed implements Disposable {
  readonly #recorder: ExchangeRecorder;
  readonly #pages = new Set<ServerResponse>();
  readonly #changed = new Set<RecordedExchange>();
  readonly #dropped = new Set<number>();
  #isSkippedNew = false;
  #timer: NodeJS.Timeout | undefined;
  #stopWatching: (() => void) | undefined;

  constructor(recorder: ExchangeRecorder) {
    this.#recorder = recorder;
  }

  /** False: there are enough already. */
  add(page: ServerResponse): boolean {
    if (this.#pages.size >= FEED_LIMIT) return false;
    this.#pages.add(page);
    page.once('close', () => this.#remove(page));
    page.writeHead(200, { 'Content-Type': 'text/event-stream' });
    page.write(': here\n\n');
    this.#stopWatching ??= this.#recorder.watch({
      onChanged: (exchange) => {
        this.#changed.add(exchange);
        this.#tellSoon();
      },
      onDropped: (ids) => {
        for (const id of ids) this.#dropped.add(id);
        this.#tellSoon();
      },
      onSkipped: () => {
        this.#isSkippedNew = true;
        this.#tellSoon();
      },
    });
    return true;
  }

  [Symbol.dispose](): void {
    for (const page of this.#pages) page.destroy();
  }

  #remove(page: ServerResponse): void {
    this.#pages.delete(page);
    if (this.#pages.size > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed.clear();
    this.#dropped.clear();
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => this.#tellNow(), GATHER_MS).unref();
  }

  #tellNow(): void {
    this.#timer = undefined;
    const changed = [...this.#changed].filter(({ id }) => !this.#dropped.has(id));
    const events: InspectorEvent[] = [];
    if (changed.length > 0) events.push({ type: 'changed', exchanges: changed.map(summaryOf) });
    if (this.#dropped.size > 0) events.push({ type: 'dropped', ids: [...this.#dropped] });
    if (this.#isSkippedNew) events.push({ type: 'skipped', count: this.#recorder.skipped });
    this.#tell(events);
    this.#changed.clear();
    this.#dropped.clear();
    this.#isSkippedNew = false;
  }

  #tell(events: readonly InspectorEvent[]): void {
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    for (const page of this.#pages) {
      // One that does not read asks for the list again once it is back.
      if (page.writableNeedDrain) page.destroy();
      else page.write(text);
    }
  }
}
