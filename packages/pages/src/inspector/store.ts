import type { ExchangeList, ExchangeSummary, InspectorEvent } from '../api/inspector.ts';
import { type Connection, Refused } from '../parts/connection.ts';

const RETRY_MS = 2_000;

/**
 * - `live`: what happens is shown at once.
 * - `away`: the program does not answer, and is asked again and again.
 * - `refused`: the token is not of this program.
 */
export type Liveness = { readonly kind: 'live' | 'away' } | { readonly kind: 'refused'; readonly reason: string };

/** The exchanges as the program has them, kept up to date. */
export class Store {
  readonly #connection: Connection;
  readonly #onChange: () => void;
  readonly #exchanges = new Map<number, ExchangeSummary>();
  #liveness: Liveness = { kind: 'away' };
  #skipped = 0;

  constructor(connection: Connection, onChange: () => void) {
    this.#connection = connection;
    this.#onChange = onChange;
  }

  /** The newest first. */
  get exchanges(): readonly ExchangeSummary[] {
    return [...this.#exchanges.values()].toSorted((a, b) => b.id - a.id);
  }

  get liveness(): Liveness {
    return this.#liveness;
  }

  /** Requests that came too fast to be recorded. */
  get skipped(): number {
    return this.#skipped;
  }

  find(id: number): ExchangeSummary | undefined {
    return this.#exchanges.get(id);
  }

  /** Goes on until the token is refused. */
  async run(): Promise<void> {
    for (;;) {
      try {
        await this.#connection.events(
          () => void this.#load().catch(() => {}),
          (event) => this.#take(event as InspectorEvent),
        );
      } catch (error) {
        if (error instanceof Refused && error.status !== 503) {
          this.#become({ kind: 'refused', reason: error.message });
          return;
        }
      }
      this.#become({ kind: 'away' });
      await new Promise((resolve) => {
        setTimeout(resolve, RETRY_MS);
      });
    }
  }

  /** After the stream of events began, so that nothing is missed in between. */
  async #load(): Promise<void> {
    const { exchanges, skipped } = await this.#connection.json<ExchangeList>('exchanges');
    const ids = new Set(exchanges.map(({ id }) => id));
    const newest = Math.max(0, ...ids);
    for (const id of this.#exchanges.keys()) if (!ids.has(id) && id <= newest) this.#exchanges.delete(id);
    for (const exchange of exchanges) {
      // An event that overtook the list knows more.
      if ((this.#exchanges.get(exchange.id)?.endMs ?? null) === null) this.#exchanges.set(exchange.id, exchange);
    }
    this.#skipped = skipped;
    this.#become({ kind: 'live' });
  }

  #take(event: InspectorEvent): void {
    switch (event.type) {
      case 'changed':
        for (const exchange of event.exchanges) this.#exchanges.set(exchange.id, exchange);
        break;
      case 'dropped':
        for (const id of event.ids) this.#exchanges.delete(id);
        break;
      case 'skipped':
        this.#skipped = event.count;
    }
    this.#onChange();
  }

  #become(liveness: Liveness): void {
    this.#liveness = liveness;
    this.#onChange();
  }
}
