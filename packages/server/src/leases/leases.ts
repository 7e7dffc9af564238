import { CacheFile } from '@tunnel/shared/node';
import { LeaseShares } from '../shares/lease-shares.ts';

/** A lease that nobody used for this long is forgotten, in ms. */
const LEASE_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Leases that are kept without a tunnel; beyond it the longest unused one goes of the client that has most of them. Those of
 * open tunnels are kept besides: there are no more of them than ports.
 */
const LEASE_LIMIT = 4096;

/** Which port a client had for a tunnel. */
export interface Lease {
  /** Public key, base64url. */
  readonly clientKey: string;
  /** Name of the tunnel, or its target. */
  readonly name: string;
  readonly port: number;
  /** Wall-clock ms. */
  readonly usedAt: number;
}

/** `share`: who it counts for where the table is full. */
interface KeptLease extends Lease {
  readonly share: string;
}

/** Where leases outlive the server. */
export interface LeaseStore {
  read(): Promise<{ readonly value: readonly Lease[] | undefined; readonly damage?: Error }>;
  /** May be called again before it is done; then the newest leases are to be kept. */
  write(leases: readonly Lease[]): Promise<void>;
}

/** Remembers who had which port, so that "any port" is the same one again. Blocks nobody by itself. */
export class Leases {
  /** Of tunnels that are open. */
  readonly #inUse = new Map<string, KeptLease>();
  /** The others, in the order in which they were last used. */
  readonly #unused = new Map<string, KeptLease>();
  /** Whose those are. */
  readonly #shares = new LeaseShares();
  readonly #ownerOf = new Map<number, string>();

  /** A use that is still to come is as good as one just now: where the clock is behind, it may yet be put right. */
  constructor(leases: readonly Lease[], now: number) {
    const alive = leases.filter(({ usedAt }) => now - usedAt < LEASE_LIFE_MS);
    for (const lease of alive.toSorted((a, b) => a.usedAt - b.usedAt)) {
      this.#putUnused({ ...lease, share: lease.clientKey });
    }
  }

  get all(): readonly Lease[] {
    return [...this.#unused.values(), ...this.#inUse.values()].map(({ share: _share, ...lease }) => lease);
  }

  portOf(clientKey: string, name: string): number | undefined {
    return this.#leaseOf(ownerId(clientKey, name))?.port;
  }

  /** The key of the client that had this port last. */
  clientOf(port: number): string | undefined {
    const owner = this.#ownerOf.get(port);
    return owner === undefined ? undefined : this.#leaseOf(owner)?.clientKey;
  }

  /**
   * A tunnel was opened; its lease is in use until `release`. `share` is who the lease counts for afterwards, where keys cost
   * nothing to make.
   */
  record(clientKey: string, name: string, port: number, now: number, share: string = clientKey): void {
    this.#put({ clientKey, name, port, usedAt: now, share }, this.#inUse);
    for (const [owner, { usedAt }] of this.#unused) {
      if (now - usedAt < LEASE_LIFE_MS) break;
      this.#remove(owner);
    }
  }

  /** The tunnel on this port was closed. */
  release(port: number, now: number): void {
    const owner = this.#ownerOf.get(port);
    const lease = owner === undefined ? undefined : this.#inUse.get(owner);
    if (lease) this.#putUnused({ ...lease, usedAt: now });
  }

  /** The tunnels that are open are in use until now: what is written down does not become too old under them. */
  refresh(now: number): void {
    for (const [owner, lease] of this.#inUse) this.#inUse.set(owner, { ...lease, usedAt: now });
  }

  #leaseOf(owner: string): KeptLease | undefined {
    return this.#inUse.get(owner) ?? this.#unused.get(owner);
  }

  #putUnused(lease: KeptLease): void {
    const owner = this.#put(lease, this.#unused);
    this.#shares.add(lease.share, owner);
    for (let surplus = this.#unused.size - LEASE_LIMIT; surplus > 0; surplus -= 1) {
      this.#remove(this.#shares.oldestOfGreatest ?? owner);
    }
  }

  #put(lease: KeptLease, leases: Map<string, KeptLease>): string {
    const owner = ownerId(lease.clientKey, lease.name);
    this.#remove(owner);
    const before = this.#ownerOf.get(lease.port);
    if (before !== undefined) this.#remove(before);
    leases.set(owner, lease);
    this.#ownerOf.set(lease.port, owner);
    return owner;
  }

  #remove(owner: string): void {
    const lease = this.#leaseOf(owner);
    if (!lease) return;
    this.#inUse.delete(owner);
    if (this.#unused.delete(owner)) this.#shares.remove(lease.share, owner);
    this.#ownerOf.delete(lease.port);
  }
}

/** Leases in a file of the state directory. */
export function leaseFile(path: string): LeaseStore {
  return new CacheFile<readonly Lease[]>(path, parseLeases);
}

function parseLeases(value: unknown): readonly Lease[] {
  if (!Array.isArray(value)) throw new Error('it is not a list');
  return value.map((entry: unknown, index) => {
    const { clientKey, name, port, usedAt } = (entry ?? {}) as Record<string, unknown>;
    const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
    if (typeof clientKey !== 'string' || typeof name !== 'string' || !isPort || typeof usedAt !== 'number') {
      throw new Error(`entry ${index + 1} is not a lease`);
    }
    return { clientKey, name, port, usedAt };
  });
}

function ownerId(clientKey: string, name: string): string {
  return `${clientKey} ${name}`;
}
