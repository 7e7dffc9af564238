import { Claims, formatRecord, MemoryRegistry } from '@tunnel/shared';
import { randomBytes } from '@tunnel/shared/node';
import type { Lease, LeaseStore } from './lease-file.ts';
import { LeaseWriter } from './lease-writer.ts';

/** How often names that are held are written down again, in ms: well within their life. */
const REFRESH_MS = 24 * 60 * 60 * 1000;

export interface LocalClaimsOptions {
  /** What names begin with: the prefixes of all kinds of endpoint. */
  readonly kinds: readonly string[];
  /** Undefined: what is remembered lasts as long as the server. */
  readonly store: LeaseStore | undefined;
  /** What the store holds cannot be used. */
  readonly onDamaged: (error: Error) => void;
  /** It could not be written. */
  readonly onWriteFailed: (error: unknown) => void;
}

/** The names of a server by itself: claims in memory, and what is remembered in a store. */
export class LocalClaims implements Disposable {
  readonly claims: Claims;
  readonly #writer: LeaseWriter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  /** What the store holds becomes remembered names: whoever held them, holds them no more. */
  static async open(options: LocalClaimsOptions): Promise<LocalClaims> {
    const stored = await options.store?.read();
    if (stored?.damage) options.onDamaged(stored.damage);
    return new LocalClaims(options, stored?.value ?? []);
  }

  private constructor({ kinds, store, onWriteFailed }: LocalClaimsOptions, leases: readonly Lease[]) {
    const registry = new MemoryRegistry(leases.map(toEntry), () => {
      // Another server may have the store by then.
      if (!this.#isDisposed) this.#writer?.changed();
    });
    this.claims = new Claims({
      registry,
      kinds,
      nonce: () => Buffer.from(randomBytes(8)).toString('base64url'),
      // A registry in memory is never lost.
      onLost: () => {},
    });
    this.#writer = store && new LeaseWriter(() => leasesOf(this.claims), store, onWriteFailed);
  }

  /** From now on until it is disposed of, names that are held do not grow old. */
  keepFresh(): void {
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS).unref();
  }

  /** Writes what is not written yet. */
  async flush(): Promise<void> {
    await this.#writer?.flush();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    clearInterval(this.#timer);
    this.claims[Symbol.dispose]();
    void this.#writer?.flush();
  }

  async #refresh(): Promise<void> {
    await this.claims.refresh(Date.now());
    await this.flush();
  }
}

/** Addresses are not kept in files: after a start, a name that is remembered counts for its key. */
function toEntry({ name, clientKey, label, usedAt }: Lease): readonly [key: string, value: string] {
  return [name, formatRecord({ clientKey, label, share: clientKey, holder: undefined, usedAt, nonce: '' })];
}

function leasesOf(claims: Claims): readonly Lease[] {
  return Array.from(claims.records, ([name, { clientKey, label, usedAt }]) => ({ name, clientKey, label, usedAt }));
}
