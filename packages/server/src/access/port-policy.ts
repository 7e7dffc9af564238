import { TunnelError } from '@tunnel/shared';
import type { Access } from './access.ts';
import { clipRanges, formatRanges, includesPort, mergeRanges, type PortRange } from './port-ranges.ts';

/**
 * The ports that a key may have according to the authorized keys and the server's range. Who holds a port right now is
 * not considered.
 */
export class PortPolicy {
  readonly #access: Access;
  readonly #bounds: PortRange;

  /** `bounds`: all the ports that the server may open. */
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

  /** Whether the port is reserved for this key. */
  isReserved(port: number, clientKey: string): boolean {
    return this.reservedFor(clientKey).includes(port);
  }

  reservedFor(clientKey: string): readonly number[] {
    return this.#access.entryOf(clientKey)?.reserved ?? [];
  }

  /** The ranges of a key, besides its reserved ports. */
  rangesOf(clientKey: string): readonly PortRange[] {
    return clipRanges(this.#listedFor(clientKey) ?? [this.#bounds], this.#bounds);
  }

  /** All ports that a key may have, in readable form. */
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
