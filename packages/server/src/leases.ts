import { CacheFile } from '@tunnel/shared/node';

/** A lease that nobody used for this long is forgotten, in ms. */
const LEASE_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

/** Leases that are kept; beyond it the longest unused ones go. Those of open tunnels stay: there are no more than ports. */
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

/** Where leases outlive the server. */
export interface LeaseStore {
  read(): Promise<{ readonly value: readonly Lease[] | undefined; readonly damage?: Error }>;
  write(leases: readonly Lease[]): Promise<void>;
}

/** Remembers who had which port, so that "any port" is the same one again. Blocks nobody by itself. */
export class Leases {
  /** Of tunnels that are open. */
  readonly #inUse = new Map<string, Lease>();
  /** The others, in the order in which they were last used. */
  readonly #unused = new Map<string, Lease>();
  readonly #ownerOf = new Map<number, string>();

  /** A use that is still to come is as good as one just now: where the clock is behind, it may yet be put right. */
  constructor(leases: readonly Lease[], now: number) {
    const alive = leases.filter(({ usedAt }) => now - usedAt < LEASE_LIFE_MS);
    for (const lease of alive.toSorted((a, b) => a.usedAt - b.usedAt)) this.#put(lease, this.#unused);
  }

  get all(): readonly Lease[] {
    return [...this.#unused.values(), ...this.#inUse.values()];
  }

  portOf(clientKey: string, name: string): number | undefined {
    return this.#leaseOf(ownerId(clientKey, name))?.port;
  }

  /** The key of the client that had this port last. */
  clientOf(port: number): string | undefined {
    const owner = this.#ownerOf.get(port);
    return owner === undefined ? undefined : this.#leaseOf(owner)?.clientKey;
  }

  /** A tunnel was opened; its lease is in use until `release`. */
  record(clientKey: string, name: string, port: number, now: number): void {
    this.#put({ clientKey, name, port, usedAt: now }, this.#inUse);
    for (const [owner, { usedAt }] of this.#unused) {
      if (this.#unused.size + this.#inUse.size <= LEASE_LIMIT && now - usedAt < LEASE_LIFE_MS) break;
      this.#remove(owner);
    }
  }

  /** The tunnel on this port was closed. */
  release(port: number, now: number): void {
    const owner = this.#ownerOf.get(port);
    const lease = owner === undefined ? undefined : this.#inUse.get(owner);
    if (lease) this.#put({ ...lease, usedAt: now }, this.#unused);
  }

  /** The tunnels that are open are in use until now: what is written down does not become too old under them. */
  refresh(now: number): void {
    for (const [owner, lease] of this.#inUse) this.#inUse.set(owner, { ...lease, usedAt: now });
  }

  #leaseOf(owner: string): Lease | undefined {
    return this.#inUse.get(owner) ?? this.#unused.get(owner);
  }

  #put(lease: Lease, leases: Map<string, Lease>): void {
    const owner = ownerId(lease.clientKey, lease.name);
    this.#remove(owner);
    const before = this.#ownerOf.get(lease.port);
    if (before !== undefined) this.#remove(before);
    leases.set(owner, lease);
    this.#ownerOf.set(lease.port, owner);
  }

  #remove(owner: string): void {
    const lease = this.#leaseOf(owner);
    if (!lease) return;
    this.#inUse.delete(owner);
    this.#unused.delete(owner);
    this.#ownerOf.delete(lease.port);
  }
}

/** Leases in a file of the state directory. */
export function leaseFile(path: string): LeaseStore {
  return new CacheFile<readonly Lease[]>(path, parseLeases);
}

function parseLeases(value: unknown): readonly Lease[] {
  if (!Array.isArray(value)) throw new Error('it is no list');
  return value.map((entry: unknown, index) => {
    const { clientKey, name, port, usedAt } = (entry ?? {}) as Record<string, unknown>;
    const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
    if (typeof clientKey !== 'string' || typeof name !== 'string' || !isPort || typeof usedAt !== 'number') {
      throw new Error(`entry ${index + 1} is no lease`);
    }
    return { clientKey, name, port, usedAt };
  });
}

function ownerId(clientKey: string, name: string): string {
  return `${clientKey} ${name}`;
}
