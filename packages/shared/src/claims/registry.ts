import type { TunnelError } from '../errors/errors.ts';

/** One key of a registry and what is stored under it. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Rises with every write to the registry, so it also orders writes to different keys. */
  readonly revision: number;
}

/** A change: a new value, or the deletion of a key. */
export type Change = Entry | { readonly key: string; readonly value: undefined; readonly revision: number };

/** The outcome of a write: applied, or the entry that is there instead. */
export type Written =
  { readonly ok: true; readonly revision: number } | { readonly ok: false; readonly current: Entry | undefined };

export interface Watcher {
  /**
   * Replaces everything known so far. Comes first, and again after any gap. If `generation` differs from the previous
   * one, acknowledged writes may have been lost.
   */
  snapshot(entries: readonly Entry[], generation: string): void;
  /** In the order of revisions. */
  changed(change: Change): void;
  /** No changes arrive until the next `snapshot`. */
  lost(error: TunnelError): void;
}

/**
 * Where several servers agree on who has which public name: a small map with compare-and-set. It only stores; `Claims`
 * decides. Adapters must pass the suite in `testing/registry-suite.ts`.
 */
export interface Registry extends AsyncDisposable {
  /**
   * Writes if the key's revision is `expected`, where 0 means that the key does not exist. An undefined `value` deletes
   * it. Rejects if the registry did not answer in time; the write may or may not have been applied.
   */
  write(key: string, value: string | undefined, expected: number): Promise<Written>;
  /** Watches all keys until disposed. */
  watch(watcher: Watcher): Disposable;
}
