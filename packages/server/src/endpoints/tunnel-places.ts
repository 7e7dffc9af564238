import { TunnelError } from '@tunnel/shared';

/** What takes a place: the endpoint of a tunnel. */
export interface Occupant {
  /** Who has it now: another process may have taken it over. */
  readonly holder: unknown;
  /** Whether the process that holds it answers, asked just now. */
  answers(): Promise<boolean>;
  /** Its place goes to another process of the same client. */
  giveUp(): void;
}

/** What a client key has. */
interface Share<T> {
  readonly occupants: Set<T>;
  /** Requests without an outcome. */
  requestCount: number;
  /** Those of them that have a place. */
  openingCount: number;
  /** Wakes those for which there is none, unless one that has it comes to nothing. */
  readonly waiting: Set<() => void>;
}

/** How many tunnels a key may have at a time, over all its sessions and all kinds of endpoint. */
export class TunnelPlaces<T extends Occupant> {
  readonly #limitOf: (clientKey: string) => number;
  readonly #shares = new Map<string, Share<T>>();

  constructor(limitOf: (clientKey: string) => number) {
    this.#limitOf = limitOf;
  }

  /** Opens an endpoint once there is a place for it. Rejects with `tunnel-limit`, or as `open` does. */
  async fill(clientKey: string, open: () => Promise<T>): Promise<T> {
    const share = this.#shareOf(clientKey);
    share.requestCount += 1;
    try {
      await this.#takePlace(share, clientKey);
      return await this.#openInPlace(share, open);
    } finally {
      share.requestCount -= 1;
      this.#tidy(share, clientKey);
    }
  }

  leave(clientKey: string, occupant: T): void {
    const share = this.#shares.get(clientKey);
    if (!share) return;
    share.occupants.delete(occupant);
    this.#tidy(share, clientKey);
  }

  async #openInPlace(share: Share<T>, open: () => Promise<T>): Promise<T> {
    try {
      const occupant = await open();
      share.occupants.add(occupant);
      return occupant;
    } finally {
      share.openingCount -= 1;
      for (const wake of share.waiting) wake();
      share.waiting.clear();
    }
  }

  /** Processes of the client that do not answer any more make room. */
  async #takePlace(share: Share<T>, clientKey: string): Promise<void> {
    const isFull = (): boolean => share.occupants.size + share.openingCount >= this.#limitOf(clientKey);
    while (isFull()) {
      if (share.openingCount > 0) {
        await new Promise<void>((resolve) => share.waiting.add(resolve));
        continue;
      }
      const asked = await Promise.all(
        [...share.occupants].map(async (occupant) => {
          const { holder } = occupant;
          return { occupant, holder, answers: await occupant.answers() };
        }),
      );
      for (const { occupant, holder, answers } of asked) {
        const isAsItWas = share.occupants.has(occupant) && occupant.holder === holder;
        if (!answers && isAsItWas && isFull()) occupant.giveUp();
      }
      if (isFull() && share.openingCount === 0) {
        throw new TunnelError('tunnel-limit', { detail: `this key may have ${this.#limitOf(clientKey)} at a time` });
      }
    }
    share.openingCount += 1;
  }

  #shareOf(clientKey: string): Share<T> {
    const known = this.#shares.get(clientKey);
    if (known) return known;
    const share: Share<T> = { occupants: new Set(), requestCount: 0, openingCount: 0, waiting: new Set() };
    this.#shares.set(clientKey, share);
    return share;
  }

  #tidy(share: Share<T>, clientKey: string): void {
    if (share.occupants.size + share.requestCount === 0) this.#shares.delete(clientKey);
  }
}
