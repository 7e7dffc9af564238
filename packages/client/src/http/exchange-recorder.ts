import type { RequestHead } from './message-head.ts';
import { RecordedExchange, type RecordedExchangeHandlers, type RecordedOrigin } from './recorded-exchange.ts';

/** Exchanges that are kept, and memory that they may take; beyond either the oldest are dropped. */
export const EXCHANGE_LIMIT = 500;
export const RECORD_LIMIT_BYTES = 64 * 1024 * 1024;

/** What an exchange takes beside heads and bodies, roughly. */
const EXCHANGE_OVERHEAD_BYTES = 2_048;

/**
 * Under load recording goes first: what comes within a second beyond what the ring holds is not looked at. It would drop the
 * rest of that same second anyway, and nobody could have read it.
 */
const WINDOW_MS = 1_000;

export interface RecorderWatcher {
  /** One was begun, or goes on. */
  onChanged(exchange: RecordedExchange): void;
  /** They are not kept any more. */
  onDropped(ids: readonly number[]): void;
  /** So many were not recorded so far. */
  onSkipped(count: number): void;
}

/** The newest exchanges of the tunnels of a process, in memory. Pure: bytes and times (monotonic ms) come in. */
export class ExchangeRecorder {
  readonly #wallOffsetMs: number;
  readonly #exchanges = new Map<number, RecordedExchange>();
  readonly #sizes = new Map<number, number>();
  readonly #watchers = new Set<RecorderWatcher>();
  readonly #handlers: RecordedExchangeHandlers;
  #bytes = 0;
  #lastId = 0;
  #skipped = 0;
  #window = { beganAt: -Infinity, exchanges: 0, bytes: 0 };

  /** `wallOffsetMs`: what the wall clock shows, less what the monotonic clock does. */
  constructor(wallOffsetMs: number) {
    this.#wallOffsetMs = wallOffsetMs;
    this.#handlers = {
      grew: ({ id }, bytes) => this.#grew(id, bytes),
      changed: (exchange) => this.#tellChanged(exchange),
    };
  }

  /** Undefined: it is not recorded. `text` is the head as it travelled. */
  begin(origin: RecordedOrigin, head: RequestHead, text: string, now: number): RecordedExchange | undefined {
    if (this.#isFullAt(now)) {
      this.#skipped += 1;
      for (const watcher of this.#watchers) watcher.onSkipped(this.#skipped);
      return undefined;
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const wallMs = now + this.#wallOffsetMs;
    const exchange = new RecordedExchange(id, origin, { head, text, now, wallMs }, this.#handlers);
    this.#window.exchanges += 1;
    this.#exchanges.set(id, exchange);
    this.#sizes.set(id, 0);
    this.#grew(id, EXCHANGE_OVERHEAD_BYTES + text.length);
    this.#tellChanged(exchange);
    return exchange;
  }

  /** The oldest first. */
  get exchanges(): readonly RecordedExchange[] {
    return [...this.#exchanges.values()];
  }

  find(id: number): RecordedExchange | undefined {
    return this.#exchanges.get(id);
  }

  /** What all of them take, in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many were not recorded. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Drops all of them. */
  clear(): void {
    this.#drop([...this.#exchanges.keys()]);
  }

  /** Returns what ends it. */
  watch(watcher: RecorderWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #isFullAt(now: number): boolean {
    if (now - this.#window.beganAt >= WINDOW_MS) this.#window = { beganAt: now, exchanges: 0, bytes: 0 };
    return this.#window.exchanges >= EXCHANGE_LIMIT || this.#window.bytes >= RECORD_LIMIT_BYTES;
  }

  #grew(id: number, bytes: number): boolean {
    const size = this.#sizes.get(id);
    if (size === undefined) return false;
    this.#sizes.set(id, size + bytes);
    this.#bytes += bytes;
    if (bytes > 0) this.#window.bytes += bytes;
    if (this.#exchanges.size > EXCHANGE_LIMIT || this.#bytes > RECORD_LIMIT_BYTES) this.#dropOldest();
    return this.#sizes.has(id);
  }

  #dropOldest(): void {
    const dropped: number[] = [];
    let { bytes } = this;
    for (const [id, size] of this.#sizes) {
      if (this.#sizes.size - dropped.length <= EXCHANGE_LIMIT && bytes <= RECORD_LIMIT_BYTES) break;
      dropped.push(id);
      bytes -= size;
    }
    this.#drop(dropped);
  }

  #drop(ids: readonly number[]): void {
    for (const id of ids) {
      this.#exchanges.get(id)?.forget();
      this.#bytes -= this.#sizes.get(id) ?? 0;
      this.#exchanges.delete(id);
      this.#sizes.delete(id);
    }
    for (const watcher of this.#watchers) watcher.onDropped(ids);
  }

  #tellChanged(exchange: RecordedExchange): void {
    for (const watcher of this.#watchers) watcher.onChanged(exchange);
  }
}
