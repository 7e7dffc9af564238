import type { TunnelError } from '../errors/errors.ts';

/** One key of a registry and what is stored under it. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Rises with every write to the registry, so it also orders writes to different keys. */
  readonly revision: number;
}

/** What changed: a new value, or that the key was deleted. */
export type Change = Entry | { readonly key: string; readonly value: undefined; readonly revision: number };

/** The outcome of a write: applied, or what stands there instead. */
export type Written =
  { readonly ok: true; readonly revision: number } | { readonly ok: false; readonly current: Entry | undefined };

export interface Watcher {
  /**
   * Replaces everything known so far. Comes first, and again after every loss of continuity. Another `generation` than before:
   * acknowledged writes may be lost.
   */
  snapshot(entries: readonly Entry[], generation: string): void;
  /** In the order of revisions. */
  changed(change: Change): void;
  /** Nothing is heard of changes until the next `snapshot`. */
  lost(error: TunnelError): void;
}

/**
 * Where several servers agree on who has which public name: a small map with compare-and-set. It only stores; `Claims`
 * decides. Adapters pass the suite in `testing/registry-suite.ts`.
 */
export interface Registry extends AsyncDisposable {
  /**
   * Writes if the key's revision is `expected`; 0: if the key does not exist. `value` undefined deletes it. Rejects if
   * the registry did not answer in time; then it is not known whether the write was applied.
   */
  write(key: string, value: string | undefined, expected: number): Promise<Written>;
  /** Follows all keys until it is disposed of. */
  watch(watcher: Watcher): Disposable;
}
