import { TunnelError } from '@tunnel/shared';
import { matchesHost, wildcardParent } from '@tunnel/shared/node';
import type { Access } from './access.ts';
import type { HostBounds } from './host-bounds.ts';

/** The host names that a key may have, by the authorized keys and what the server grants. Who has one now is not asked here. */
export class HostPolicy {
  readonly #access: Access;
  readonly #bounds: HostBounds;

  /** `bounds`: the names that the server grants at all. */
  constructor(access: Access, bounds: HostBounds) {
    this.#access = access;
    this.#bounds = bounds;
  }

  /** What a label alone is below. */
  get domain(): string | undefined {
    return this.#bounds.domain;
  }

  permits(host: string, clientKey: string): boolean {
    if (!this.#bounds.includes(host)) return false;
    if (this.isReserved(host, clientKey)) return true;
    const isListed = this.#patternsFor(clientKey).some((pattern) => matchesHost(pattern, host));
    return isListed && !this.#access.isHostReservedFromOthers(host, clientKey);
  }

  /** For this key alone. */
  isReserved(host: string, clientKey: string): boolean {
    return this.reservedFor(clientKey).includes(host);
  }

  reservedFor(clientKey: string): readonly string[] {
    return this.#access.entryOf(clientKey)?.reservedHosts ?? [];
  }

  /** Single names that are listed for this key, besides those that are reserved for it. */
  listedFor(clientKey: string): readonly string[] {
    return (this.#listOf(clientKey) ?? []).filter((pattern) => wildcardParent(pattern) === undefined);
  }

  /** The names below which it may have any. */
  parentsFor(clientKey: string): readonly string[] {
    return this.#patternsFor(clientKey)
      .map(wildcardParent)
      .filter((parent) => parent !== undefined);
  }

  /** All that a key may have, as people write it; empty: nothing. */
  describe(clientKey: string): string {
    return [...new Set([...this.#patternsFor(clientKey), ...this.reservedFor(clientKey)])].join(', ');
  }

  /** Why `permits` says no. */
  refusalOf(host: string, clientKey: string): TunnelError {
    const detail = this.#access.isHostReservedFromOthers(host, clientKey)
      ? `${host} is reserved for another client`
      : this.#listOf(clientKey) === undefined || !this.#bounds.includes(host)
        ? this.#bounds.explain(host)
        : `${host}; this key may have ${this.describe(clientKey)}`;
    return new TunnelError('host-not-allowed', { detail });
  }

  #patternsFor(clientKey: string): readonly string[] {
    return this.#listOf(clientKey) ?? this.#bounds.patternsForAll;
  }

  #listOf(clientKey: string): readonly string[] | undefined {
    return this.#access.entryOf(clientKey)?.hosts;
  }
}
