import { CacheFile } from '@tunnel/shared/node';

/** The public name that a client had for a tunnel. */
export interface Lease {
  /** Kind and name of the endpoint: `port/8001`. */
  readonly name: string;
  /** Public key, base64url. */
  readonly clientKey: string;
  /** Name of the tunnel, or its target. */
  readonly label: string;
  /** Wall-clock ms. */
  readonly usedAt: number;
}

/** Keeps leases across restarts of the server. */
export interface LeaseStore {
  read(): Promise<{ readonly value: readonly Lease[] | undefined; readonly damage?: Error }>;
  /** May be called again before it is done; the newest leases must then be kept. */
  write(leases: readonly Lease[]): Promise<void>;
}

/** Leases in a file of the state directory. */
export function leaseFile(path: string): LeaseStore {
  return new CacheFile<readonly Lease[]>(path, parseLeases);
}

const NAME = /^[a-z]+\/./;

function parseLeases(value: unknown): readonly Lease[] {
  if (!Array.isArray(value)) throw new Error('it is not a list');
  return value.map((entry: unknown, index) => {
    const { name, clientKey, label, usedAt } = (entry ?? {}) as Record<string, unknown>;
    const isName = typeof name === 'string' && NAME.test(name);
    if (!isName || typeof clientKey !== 'string' || typeof label !== 'string' || typeof usedAt !== 'number') {
      throw new Error(`entry ${index + 1} is not a lease`);
    }
    return { name, clientKey, label, usedAt };
  });
}
