import type { TunnelError } from '../errors/errors.ts';
import { formatRecord, type NameRecord, parseRecord, type PublicName } from './name-record.ts';
import { NameView } from './name-view.ts';
import type { Registry, Written } from './registry.ts';

/** A name unused for this long is forgotten, in ms. */
export const NAME_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Names remembered for clients that do not hold them at present. Beyond this, the share with the most names loses its
 * oldest.
 */
export const REMEMBERED_LIMIT = 4096;

/** Who asks for a name. */
export interface Claimant {
  /** Public key, base64url. */
  readonly clientKey: string;
  readonly label: string;
  /** Whose share the name counts towards once it is only remembered: a key or an address. */
  readonly share: string;
  /** Identifies the session. */
  readonly holder: string;
}

/**
 * Whether a claimant may have a name, judging by its record. What a key is allowed to have at all is checked elsewhere.
 */
export type Verdict =
  | { readonly kind: 'free'; readonly revision: number }
  /** Another session of the same client holds it. The claimant takes it over if that session no longer answers. */
  | { readonly kind: 'contested'; readonly holder: string; readonly revision: number }
  /**
   * - `held`: another client holds it.
   * - `held-by-itself`: another tunnel of the same session holds it.
   * - `kept`: another client had it and may be about to reconnect.
   */
  | { readonly kind: 'refused'; readonly because: 'held' | 'held-by-itself' | 'kept' };

export interface ClaimsOptions {
  readonly registry: Registry;
  /** Kinds of names: the prefixes of their keys in the registry. */
  readonly kinds: Iterable<string>;
  /** Returns a new random string on each call. */
  readonly nonce: () => string;
  /** The registry is out of reach; no changes arrive until it is back. */
  readonly onLost: (error: TunnelError) => void;
}

/**
 * Decides who may have a public name, over a registry that several servers may share: who holds it, who it is
 * remembered for, and who may take it over. `now` is wall-clock ms.
 */
export class Claims implements Disposable {
  readonly #options: ClaimsOptions;
  readonly #view: NameView;
  readonly #watch: Disposable;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#view = new NameView(options.kinds);
    this.#watch = options.registry.watch({
      snapshot: (entries) => this.#view.replace(entries),
      changed: (change) => this.#view.changed(change),
      lost: (error) => options.onLost(error),
    });
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /** All names, held and remembered. */
  get records(): Iterable<readonly [name: PublicName, record: NameRecord]> {
    return this.#view.all;
  }

  /** Who has this name or had it last; undefined if nobody did in the last 30 days. */
  recordOf(name: PublicName, now: number): NameRecord | undefined {
    const record = this.#view.get(name)?.record;
    return record && isAlive(record, now) ? record : undefined;
  }

  /** The name that this client had for this tunnel, preferably one that nobody holds. */
  nameFor(clientKey: string, label: string, kind: string, now: number): PublicName | undefined {
    const names = [...this.#view.namesOf(clientKey, label)].filter((name) => name.startsWith(`${kind}/`));
    const alive = names.filter((name) => this.recordOf(name, now) !== undefined);
    return alive.find((name) => this.#view.get(name)?.record?.holder === undefined) ?? alive[0];
  }

  /**
   * `isKept`: names are reserved for absent clients, because the server has just started and they may be reconnecting.
   */
  judge(name: PublicName, { clientKey, holder }: Claimant, now: number, isKept: boolean): Verdict {
    const known = this.#view.get(name);
    const record = known?.record;
    const revision = known?.revision ?? 0;
    // An unreadable record was written by a newer version, and the name belongs to someone.
    if (known && !record) return { kind: 'refused', because: 'held' };
    if (!record || !isAlive(record, now)) return { kind: 'free', revision };
    if (record.holder === undefined) {
      return isKept && record.clientKey !== clientKey
        ? { kind: 'refused', because: 'kept' }
        : { kind: 'free', revision };
    }
    if (record.clientKey !== clientKey) return { kind: 'refused', because: 'held' };
    if (record.holder === holder) return { kind: 'refused', because: 'held-by-itself' };
    return { kind: 'contested', holder: record.holder, revision };
  }

  /**
   * Gives the claimant the name if it is still at `revision`, as it was when judged. False if someone else was faster.
   * Rejects if the registry does not answer.
   */
  async take(
    name: PublicName,
    { clientKey, label, share, holder }: Claimant,
    now: number,
    revision: number,
  ): Promise<boolean> {
    const record = { clientKey, label, share, holder, usedAt: now, nonce: this.#options.nonce() };
    if (!(await this.#write(name, record, revision))) return false;
    // Only one name is remembered for each tunnel.
    await Promise.all(
      [...this.#view.namesOf(clientKey, label)]
        .filter((other) => kindOf(other) === kindOf(name) && this.#view.get(other)?.record?.holder === undefined)
        .map((other) => this.#write(other, undefined)),
    );
    return true;
  }

  /** Releases the name. It stays remembered for the claimant unless the tunnel has another one. */
  async release(name: PublicName, { clientKey, holder }: Claimant, now: number): Promise<void> {
    const record = this.#view.get(name)?.record;
    if (record?.clientKey !== clientKey || record.holder !== holder) return;
    const others = [...this.#view.namesOf(clientKey, record.label)];
    if (others.some((other) => other !== name && kindOf(other) === kindOf(name))) {
      await this.#write(name, undefined);
      return;
    }
    await this.#write(name, { ...record, holder: undefined, usedAt: now, nonce: this.#options.nonce() });
    await this.#makeRoom();
  }

  /** Marks held names as just used, and forgets names unused for too long. Call it well within `NAME_LIFE_MS`. */
  async refresh(now: number): Promise<void> {
    for (const [name, record] of this.#view.all) {
      if (record.holder !== undefined) {
        await this.#write(name, { ...record, usedAt: now, nonce: this.#options.nonce() });
      } else if (!isAlive(record, now)) {
        await this.#write(name, undefined);
      }
    }
  }

  async #makeRoom(): Promise<void> {
    while (this.#view.rememberedCount > REMEMBERED_LIMIT) {
      const name = this.#view.oldestOfLargest;
      if (name === undefined || !(await this.#write(name, undefined))) return;
    }
  }

  /**
   * True if applied. The view includes the write at once, however late the registry reports it. A write with an unknown
   * outcome is retried once: if the first one was applied, its nonce is found there.
   */
  async #write(
    name: PublicName,
    record: NameRecord | undefined,
    expected: number = this.#view.get(name)?.revision ?? 0,
  ): Promise<boolean> {
    const { registry } = this.#options;
    const value = record && formatRecord(record);
    const write = (): Promise<Written> => registry.write(name, value, expected);
    const written = await write().catch(write);
    if (written.ok) {
      this.#view.written({ key: name, value, revision: written.revision });
      return true;
    }
    const { current } = written;
    if (current) this.#view.written(current);
    return record ? current !== undefined && parseRecord(current.value)?.nonce === record.nonce : current === undefined;
  }
}

/** A time of use in the future counts as just now: it is our clock that may be behind. */
function isAlive(record: NameRecord, now: number): boolean {
  return record.holder !== undefined || now - record.usedAt < NAME_LIFE_MS;
}

function kindOf(name: PublicName): string {
  return name.slice(0, name.indexOf('/'));
}
