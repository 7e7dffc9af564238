import type { RefusedCounts } from '../events.ts';

const NONE: RefusedCounts = { denied: 0, overLimit: 0 };

/** Adds up what servers tell of the visitors that they kept out, over sessions. */
export class RefusedTally {
  #before = NONE;
  #current = NONE;

  get total(): RefusedCounts {
    return sum(this.#before, this.#current);
  }

  /** So many since the server opened the tunnel. False where that is nothing new. */
  told(counts: RefusedCounts): boolean {
    const { denied, overLimit } = this.#current;
    if (counts.denied <= denied && counts.overLimit <= overLimit) return false;
    this.#current = { denied: Math.max(counts.denied, denied), overLimit: Math.max(counts.overLimit, overLimit) };
    return true;
  }

  /** The server counts from zero again. */
  tunnelClosed(): void {
    this.#before = this.total;
    this.#current = NONE;
  }
}

function sum(a: RefusedCounts, b: RefusedCounts): RefusedCounts {
  return { denied: a.denied + b.denied, overLimit: a.overLimit + b.overLimit };
}
