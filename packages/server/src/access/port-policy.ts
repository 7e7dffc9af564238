import { TunnelError } from '@tunnel/shared';
import type { Access } from './access.ts';
import { clipRanges, formatRanges, includesPort, mergeRanges, type PortRange } from './port-ranges.ts';

/** The ports that a key may have, by the authorized keys and the server's range. Who has one now is not asked here. */
export class PortPolicy {
  readonly #access: Access;
  readonly #bounds: PortRange;

  /** `bounds`: the ports that the server opens at all. */
  constructor(access: Access, bounds: PortRange) {
    this.#access = access;
    this.#bounds = bounds;
  }

  permits(port: number, clientKey: string): boolean {
    return (
      this.isReserved(port, clientKey) ||
      (includesPort(this.rangesOf(clientKey), port) && !this.#access.isReservedFromOthers(port, clientKey))
    );
  }

  /** For this key alone. */
  isReserved(port: number, clientKey: string): boolean {
    return this.reservedFor(clientKey).includes(port);
  }

  reservedFor(clientKey: string): readonly number[] {
    return this.#access.entryOf(clientKey)?.reserved ?? [];
  }

  /** Besides those that are reserved for it. */
  rangesOf(clientKey: string): readonly PortRange[] {
    return clipRanges(this.#listedFor(clientKey) ?? [this.#bounds], this.#bounds);
  }

  /** All that a key may have, as people write it. */
  describe(clientKey: string): string {
    const reserved = this.reservedFor(clientKey).map((port) => ({ first: port, last: port }));
    return formatRanges(mergeRanges([...(this.#listedFor(clientKey) ?? [this.#bounds]), ...reserved]));
  }

  /** Why `permits` says no. */
  refusalOf(port: number, clientKey: string): TunnelError {
    const { first, last } = this.#bounds;
    const detail = this.#access.isReservedFromOthers(port, clientKey)
      ? `${port} is reserved for another client`
      : this.#listedFor(clientKey) === undefined || !includesPort([this.#bounds], port)
        ? `${port}; this server opens ${first} to ${last}`
        : `${port}; this key may have ${this.describe(clientKey)}`;
    return new TunnelError('port-not-allowed', { detail });
  }

  #listedFor(clientKey: string): readonly PortRange[] | undefined {
    return this.#access.entryOf(clientKey)?.ports;
  }
}
