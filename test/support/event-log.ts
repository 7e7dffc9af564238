import type { EventEmitter } from 'node:events';
import { Condition, defaultTimeoutMs } from './condition.ts';

/** An event that was told, and when, by `performance.now()`. */
export interface Logged<Events, Name extends keyof Events = keyof Events> {
  readonly name: Name;
  readonly event: Events[Name];
  readonly atMs: number;
}

/** Keeps every event of an emitter, so that a test can wait for one that may have been told already. */
export class EventLog<Events> {
  readonly #entries: Logged<Events>[] = [];
  readonly #condition = new Condition(() => `told so far: ${JSON.stringify(this.#entries)}`);

  constructor(emitter: Pick<EventEmitter, 'on'>, names: readonly (keyof Events & string)[]) {
    for (const name of names) {
      emitter.on(name, (event: Events[typeof name]) => {
        this.#entries.push({ name, event, atMs: performance.now() });
        this.#condition.changed();
      });
    }
  }

  /** All events, in their order. */
  get names(): readonly (keyof Events)[] {
    return this.#entries.map(({ name }) => name);
  }

  /** All events of this name so far. */
  all<Name extends keyof Events>(name: Name): readonly Logged<Events, Name>[] {
    return this.#entries.filter((entry): entry is Logged<Events, Name> => entry.name === name);
  }

  /** Resolves with the first event, past or to come, of this name that meets the predicate. */
  waitFor<Name extends keyof Events>(
    name: Name,
    predicate: (event: Events[Name]) => boolean = () => true,
    timeoutMs: number = defaultTimeoutMs,
  ): Promise<Logged<Events, Name>> {
    return this.#waitFor(0, name, predicate, timeoutMs);
  }

  /** As `waitFor`, among those that are told after this call. */
  waitForNext<Name extends keyof Events>(
    name: Name,
    predicate: (event: Events[Name]) => boolean = () => true,
    timeoutMs: number = defaultTimeoutMs,
  ): Promise<Logged<Events, Name>> {
    return this.#waitFor(this.#entries.length, name, predicate, timeoutMs);
  }

  /** Resolves with the first event of any of these names. */
  async waitForAny(names: readonly (keyof Events)[], timeoutMs: number = defaultTimeoutMs): Promise<Logged<Events>> {
    const find = (): Logged<Events> | undefined => this.#entries.find(({ name }) => names.includes(name));
    await this.#condition.until(`one of ${names.join(', ')}`, () => find() !== undefined, timeoutMs);
    return find() as Logged<Events>;
  }

  async #waitFor<Name extends keyof Events>(
    from: number,
    name: Name,
    predicate: (event: Events[Name]) => boolean,
    timeoutMs: number,
  ): Promise<Logged<Events, Name>> {
    const find = (): Logged<Events, Name> | undefined =>
      this.#entries
        .slice(from)
        .find((entry): entry is Logged<Events, Name> => entry.name === name && predicate(entry.event as Events[Name]));
    await this.#condition.until(`the event ${String(name)}`, () => find() !== undefined, timeoutMs);
    return find() as Logged<Events, Name>;
  }
}
