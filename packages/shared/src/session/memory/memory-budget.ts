import { FIRST_CREDIT_BYTES, FIRST_CREDIT_PARTS, LEAST_WINDOW_BYTES } from './constants.ts';

/** Sums over all shares. Each share updates them itself, since bytes are counted for every chunk that moves. */
interface Totals {
  readonly limitBytes: number;
  waitingBytes: number;
  promisedBytes: number;
  /** Those in use. */
  readonly sharesInUse: Set<MemoryShare>;
}

/**
 * How much all sessions of a process together may hold and promise to accept.
 *
 * Bytes *wait* if the next hop does not take them: they arrived and no socket took them, or were read from a socket and
 * the link did not take them, or are kept until they are acknowledged. Bytes are *promised* if a stream's window is
 * larger than the smallest one. A session is *crowded* once it uses as much as is left for everyone (the dynamic
 * threshold of Choudhury and Hahne for shared buffers): each of n sessions that want all they can get has 1/(n + 1),
 * and a newcomer still finds as much. Beyond the limit, the session that holds most gives up the streams that hold most
 * for longest.
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

  /** A session's share. `giveUp` is asked to free at least `bytes`, and returns how many it freed. */
  share(giveUp: (bytes: number, now: number) => number = () => 0): MemoryShare {
    return new MemoryShare(this.#totals, giveUp);
  }

  /** Call this after more bytes started to wait. */
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

/** Beyond the limit, this fraction of it is freed at once: finding what to give up costs as much for a small amount. */
const ROOM_PARTS = 16;

/** What one session uses of the budget. */
export class MemoryShare {
  readonly giveUp: (bytes: number, now: number) => number;
  readonly #totals: Totals;
  #waitingBytes = 0;
  #promisedBytes = 0;
  /** The part of the waiting bytes that the log keeps. */
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

  /** This session has used up its share: it takes only what keeps its streams moving. */
  get isCrowded(): boolean {
    return this.usedBytes >= this.#leftBytes;
  }

  /** This many more bytes wait, or fewer if negative. */
  wait(bytes: number): void {
    const usedBefore = this.usedBytes;
    this.#waitingBytes += bytes;
    this.#totals.waitingBytes += bytes;
    if (usedBefore === 0 || this.usedBytes === 0) this.#list();
  }

  /** The log now keeps this much in total until it is acknowledged. */
  keep(logBytes: number): void {
    this.wait(logBytes - this.#keptBytes);
    this.#keptBytes = logBytes;
  }

  /** Promises as much of `bytes` as this session still may, and returns it. */
  promise(bytes: number): number {
    const granted = Math.max(0, Math.min(bytes, Math.floor((this.#leftBytes - this.usedBytes) / 2)));
    this.charge(granted);
    return granted;
  }

  /** How much a new stream may be promised up front, beyond the smallest window. */
  get firstPromiseBytes(): number {
    const spareBytes = this.#leftBytes - this.usedBytes - this.#totals.limitBytes / 2;
    return Math.max(0, Math.min(FIRST_CREDIT_BYTES - LEAST_WINDOW_BYTES, Math.floor(spareBytes / FIRST_CREDIT_PARTS)));
  }

  /** This much was promised, within an earlier offer. */
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

  /** Only called when usage becomes zero or stops being zero. */
  #list(): void {
    if (this.usedBytes === 0) this.#totals.sharesInUse.delete(this);
    else this.#totals.sharesInUse.add(this);
  }
}
