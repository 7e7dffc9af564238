import { Claims, formatRecord, MemoryRegistry } from '@tunnel/shared';
import { randomBytes } from '@tunnel/shared/node';
import type { Lease, LeaseStore } from './lease-file.ts';
import { LeaseWriter } from './lease-writer.ts';

/** How often held names are written again, in ms: well within their life. */
const REFRESH_MS = 24 * 60 * 60 * 1000;

export interface LocalClaimsOptions {
  /** The prefixes of names, one for each kind of endpoint. */
  readonly kinds: readonly string[];
  /** Undefined: names are remembered only for the life of the server. */
  readonly store: LeaseStore | undefined;
  /** The content of the store is unusable. */
  readonly onDamaged: (error: Error) => void;
  /** The store could not be written. */
  readonly onWriteFailed: (error: unknown) => void;
}

/** The names of a standalone server: claims in memory, and remembered names in a store. */
export class LocalClaims implements Disposable {
  readonly claims: Claims;
  readonly #writer: LeaseWriter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  /** The content of the store becomes remembered names: nobody holds them any more. */
  static async open(options: LocalClaimsOptions): Promise<LocalClaims> {
    const stored = await options.store?.read();
    if (stored?.damage) options.onDamaged(stored.damage);
    return new LocalClaims(options, stored?.value ?? []);
  }

  private constructor({ kinds, store, onWriteFailed }: LocalClaimsOptions, leases: readonly Lease[]) {
    const registry = new MemoryRegistry(leases.map(toEntry), () => {
      // Another server may own the store by then.
      if (!this.#isDisposed) this.#writer?.changed();
    });
    this.claims = new Claims({
      registry,
      kinds,
      nonce: () => Buffer.from(randomBytes(8)).toString('base64url'),
      // An in-memory registry is never lost.
      onLost: () => {},
    });
    this.#writer = store && new LeaseWriter(() => leasesOf(this.claims), store, onWriteFailed);
  }

  /** Keeps held names from ageing, until disposed. */
  keepFresh(): void {
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS).unref();
  }

  /** Writes anything not written yet. */
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

/** Addresses are not stored in files: after a start, a remembered name counts towards its key. */
function toEntry({ name, clientKey, label, usedAt }: Lease): readonly [key: string, value: string] {
  return [name, formatRecord({ clientKey, label, share: clientKey, holder: undefined, usedAt, nonce: '' })];
}

function leasesOf(claims: Claims): readonly Lease[] {
  return Array.from(claims.records, ([name, { clientKey, label, usedAt }]) => ({ name, clientKey, label, usedAt }));
}
