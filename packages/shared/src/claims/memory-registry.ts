import type { Change, Entry, Registry, Watcher, Written } from './registry.ts';

/**
 * An in-process registry, for a server on its own. `onChange` says when there is something new to persist; what should
 * outlive the process goes to a file.
 */
export class MemoryRegistry implements Registry {
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<Watcher>();
  readonly #onChange: (() => void) | undefined;
  #revision = 0;

  constructor(values: Iterable<readonly [key: string, value: string]> = [], onChange?: () => void) {
    for (const [key, value] of values) this.#put(key, value);
    this.#onChange = onChange;
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  write(key: string, value: string | undefined, expected: number): Promise<Written> {
    const current = this.#entries.get(key);
    if ((current?.revision ?? 0) !== expected) return Promise.resolve({ ok: false, current });
    const change = value === undefined ? this.#delete(key) : this.#put(key, value);
    for (const watcher of this.#watchers) watcher.changed(change);
    this.#onChange?.();
    return Promise.resolve({ ok: true, revision: change.revision });
  }

  watch(watcher: Watcher): Disposable {
    this.#watchers.add(watcher);
    watcher.snapshot([...this.#entries.values()], 'memory');
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#watchers.clear();
    return Promise.resolve();
  }

  #put(key: string, value: string): Entry {
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision };
    this.#entries.set(key, entry);
    return entry;
  }

  #delete(key: string): Change {
    this.#revision += 1;
    this.#entries.delete(key);
    return { key, value: undefined, revision: this.#revision };
  }
}
