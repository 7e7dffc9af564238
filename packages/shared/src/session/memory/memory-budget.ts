import { FIRST_CREDIT_BYTES, FIRST_CREDIT_PARTS, LEAST_WINDOW_BYTES } from './constants.ts';

/** The sums over all shares, which each share keeps up to date itself: bytes are counted for every chunk that moves. */
interface Totals {
  readonly limitBytes: number;
  waitingBytes: number;
  promisedBytes: number;
  /** Those that use anything. */
  readonly sharesInUse: Set<MemoryShare>;
}

/**
 * What all sessions of a process may keep waiting together, and promise to take in.
 *
 * Bytes *wait* where the next one does not take them: they arrived and no socket took them, or were read from a socket and the
 * link did not take them, or are kept until they are acknowledged. Bytes are *promised* where a window of a stream is larger
 * than the smallest one. A session is *crowded* once it uses as much as is left for everybody (the dynamic threshold of Choudhury
 * and Hahne for shared buffers): of n sessions that want all there is each has 1/(n + 1), and whoever comes next still finds
 * as much. Beyond the limit, what waits longest and is most is given up, of the session that has most.
 */
export class MemoryBudget {
  readonly #totals: Totals;

  constructor(limitBytes: number) {
    this.#totals = { limitBytes, waitingBytes: 0, promisedBytes: 0, sharesInUse: new Set() };
  }

  get limitBytes(): number {
    return this.#totals.limitBytes;
  }

  get waitingBytes(): number {
    return this.#totals.waitingBytes;
  }

  get promisedBytes(): number {
    return this.#totals.promisedBytes;
  }

  get usedBytes(): number {
    return this.waitingBytes + this.promisedBytes;
  }

  /** A session's part. `giveUp` is asked to let go of so many bytes or more, and returns how many it let go of. */
  share(giveUp: (bytes: number, now: number) => number = () => 0): MemoryShare {
    return new MemoryShare(this.#totals, giveUp);
  }

  /** To be called where more waits than before. */
  keepWithinLimit(now: number): void {
    if (this.waitingBytes <= this.limitBytes) return;
    const enoughBytes = this.limitBytes - this.limitBytes / ROOM_PARTS;
    while (this.waitingBytes > enoughBytes) {
      let most: MemoryShare | undefined;
      for (const share of this.#totals.sharesInUse) if (!most || share.waitingBytes > most.waitingBytes) most = share;
      if (!most || most.giveUp(this.waitingBytes - enoughBytes, now) === 0) return;
    }
  }
}

/** Beyond the limit this part of it is made free at one go: looking for what to give up costs as much for a little. */
const ROOM_PARTS = 16;

/** What one session uses of the budget. */
export class MemoryShare {
  readonly giveUp: (bytes: number, now: number) => number;
  readonly #totals: Totals;
  #waitingBytes = 0;
  #promisedBytes = 0;
  /** Of what waits, what the log keeps. */
  #keptBytes = 0;

  constructor(totals: Totals, giveUp: (bytes: number, now: number) => number) {
    this.#totals = totals;
    this.giveUp = giveUp;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get usedBytes(): number {
    return this.#waitingBytes + this.#promisedBytes;
  }

  /** This session has its share: it takes no more than what keeps its streams moving. */
  get isCrowded(): boolean {
    return this.usedBytes >= this.#leftBytes;
  }

  /** So many bytes more wait, or less. */
  wait(bytes: number): void {
    const usedBefore = this.usedBytes;
    this.#waitingBytes += bytes;
    this.#totals.waitingBytes += bytes;
    if (usedBefore === 0 || this.usedBytes === 0) this.#list();
  }

  /** So much waits in the log until it is acknowledged, all in all. */
  keep(logBytes: number): void {
    this.wait(logBytes - this.#keptBytes);
    this.#keptBytes = logBytes;
  }

  /** As much of `bytes` as this session may still promise. */
  promise(bytes: number): number {
    const granted = Math.max(0, Math.min(bytes, Math.floor((this.#leftBytes - this.usedBytes) / 2)));
    this.charge(granted);
    return granted;
  }

  /** What a new stream may be promised before anything is known of it, beyond the smallest window. */
  get firstPromiseBytes(): number {
    const spareBytes = this.#leftBytes - this.usedBytes - this.#totals.limitBytes / 2;
    return Math.max(0, Math.min(FIRST_CREDIT_BYTES - LEAST_WINDOW_BYTES, Math.floor(spareBytes / FIRST_CREDIT_PARTS)));
  }

  /** So much was promised, within what was offered before. */
  charge(promisedBytes: number): void {
    const usedBefore = this.usedBytes;
    this.#promisedBytes += promisedBytes;
    this.#totals.promisedBytes += promisedBytes;
    if (usedBefore === 0 || this.usedBytes === 0) this.#list();
  }

  takeBack(promisedBytes: number): void {
    this.charge(-promisedBytes);
  }

  get #leftBytes(): number {
    const { limitBytes, waitingBytes, promisedBytes } = this.#totals;
    return limitBytes - waitingBytes - promisedBytes;
  }

  /** Only for usage that starts or stops being zero. */
  #list(): void {
    if (this.usedBytes === 0) this.#totals.sharesInUse.delete(this);
    else this.#totals.sharesInUse.add(this);
  }
}
