import { CacheFile } from '@tunnel/shared/node';

/** A lease that nobody used for this long is forgotten, in ms. */
const LEASE_LIFE_MS = 30 * 24 * 60 * 60 * 1000;

/** Leases that are kept; beyond it the longest unused ones go. */
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
  /** In the order in which they were last used. */
  readonly #byOwner = new Map<string, Lease>();
  readonly #ownerOf = new Map<number, string>();

  constructor(leases: readonly Lease[], now: number) {
    const alive = leases.filter(({ usedAt }) => usedAt <= now && now - usedAt < LEASE_LIFE_MS);
    for (const lease of alive.toSorted((a, b) => a.usedAt - b.usedAt)) this.#put(lease);
  }

  get all(): readonly Lease[] {
    return [...this.#byOwner.values()];
  }

  portOf(clientKey: string, name: string): number | undefined {
    return this.#byOwner.get(ownerId(clientKey, name))?.port;
  }

  /** The key of the client that had this port last. */
  clientOf(port: number): string | undefined {
    const owner = this.#ownerOf.get(port);
    return owner === undefined ? undefined : this.#byOwner.get(owner)?.clientKey;
  }

  record(clientKey: string, name: string, port: number, now: number): void {
    this.#put({ clientKey, name, port, usedAt: now });
    for (const [owner, { usedAt }] of this.#byOwner) {
      if (this.#byOwner.size <= LEASE_LIMIT && now - usedAt < LEASE_LIFE_MS) break;
      this.#remove(owner);
    }
  }

  #put(lease: Lease): void {
    const owner = ownerId(lease.clientKey, lease.name);
    this.#remove(owner);
    const before = this.#ownerOf.get(lease.port);
    if (before !== undefined) this.#remove(before);
    this.#byOwner.set(owner, lease);
    this.#ownerOf.set(lease.port, owner);
  }

  #remove(owner: string): void {
    const lease = this.#byOwner.get(owner);
    if (!lease) return;
    this.#byOwner.delete(owner);
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
