import { type NameRecord, parseRecord, type PublicName } from './name-record.ts';
import type { Change, Entry } from './registry.ts';
import { RememberedShares } from './remembered-shares.ts';

/** What a registry holds under a name. Without a record it is unreadable here, but the name is still taken. */
interface Known {
  readonly record: NameRecord | undefined;
  readonly revision: number;
}

const NONE: ReadonlySet<PublicName> = new Set();

/**
 * A copy of the names in a registry, indexed for lookups. Our own writes are in it before the registry reports them;
 * later reports count only if their revision is higher.
 */
export class NameView {
  readonly #kinds: ReadonlySet<string>;
  readonly #known = new Map<PublicName, Known>();
  /** Names that this process deleted, with the revision, until the registry reports the deletion. */
  readonly #deleted = new Map<PublicName, number>();
  readonly #byOwner = new Map<string, Set<PublicName>>();
  /** Names that nobody holds. */
  readonly #remembered = new RememberedShares<PublicName>();

  /** `kinds`: the prefixes of names. Other keys in the registry are ignored. */
  constructor(kinds: Iterable<string>) {
    this.#kinds = new Set(kinds);
  }

  get(name: PublicName): Known | undefined {
    return this.#known.get(name);
  }

  get all(): Iterable<readonly [name: PublicName, record: NameRecord]> {
    return this.#records();
  }

  get rememberedCount(): number {
    return this.#remembered.count;
  }

  namesOf(clientKey: string, label: string): ReadonlySet<PublicName> {
    return this.#byOwner.get(ownerOf(clientKey, label)) ?? NONE;
  }

  /** The longest unused name of the share with the most remembered names. */
  get oldestOfLargest(): PublicName | undefined {
    return this.#remembered.oldestOfGreatest;
  }

  replace(entries: readonly Entry[]): void {
    this.#known.clear();
    this.#deleted.clear();
    this.#byOwner.clear();
    this.#remembered.clear();
    const names = entries.filter(({ key }) => this.#isName(key));
    const usedAt = new Map(names.map((entry) => [entry, parseRecord(entry.value)?.usedAt ?? 0]));
    for (const entry of names.toSorted((a, b) => usedAt.get(a)! - usedAt.get(b)!)) this.#apply(entry);
  }

  /** This process wrote it, or found it when trying to. */
  written(change: Change): void {
    if (change.value === undefined && this.#isName(change.key)) this.#deleted.set(change.key, change.revision);
    this.#apply(change);
  }

  /** The registry reported it. Changes come in the order of revisions. */
  changed(change: Change): void {
    this.#apply(change);
    for (const [name, revision] of this.#deleted) if (revision <= change.revision) this.#deleted.delete(name);
  }

  #apply({ key, value, revision }: Change): void {
    if (!this.#isName(key)) return;
    const before = this.#known.get(key);
    if (revision <= (before?.revision ?? 0) || revision < (this.#deleted.get(key) ?? 0)) return;
    if (before?.record) this.#forget(key, before.record);
    const record = value === undefined ? undefined : parseRecord(value);
    if (value === undefined) this.#known.delete(key);
    else this.#known.set(key, { record, revision });
    if (record) this.#remember(key, record);
  }

  #isName(key: string): key is PublicName {
    const end = key.indexOf('/');
    return end > 0 && this.#kinds.has(key.slice(0, end));
  }

  *#records(): Generator<readonly [PublicName, NameRecord], undefined> {
    for (const [name, { record }] of this.#known) if (record) yield [name, record];
  }

  #remember(name: PublicName, record: NameRecord): void {
    setOf(this.#byOwner, ownerOf(record.clientKey, record.label)).add(name);
    if (record.holder === undefined) this.#remembered.add(record.share, name);
  }

  #forget(name: PublicName, record: NameRecord): void {
    removeFrom(this.#byOwner, ownerOf(record.clientKey, record.label), name);
    if (record.holder === undefined) this.#remembered.remove(record.share, name);
  }
}

function ownerOf(clientKey: string, label: string): string {
  return `${clientKey} ${label}`;
}

function setOf(sets: Map<string, Set<PublicName>>, key: string): Set<PublicName> {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
}

function removeFrom(sets: Map<string, Set<PublicName>>, key: string, name: PublicName): void {
  const set = sets.get(key);
  set?.delete(name);
  if (set?.size === 0) sets.delete(key);
}
