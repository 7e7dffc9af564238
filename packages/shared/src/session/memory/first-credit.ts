import { malformed } from '../../wire/byte-reader.ts';
import { FIRST_CREDIT_TAKEN_PARTS, FIRST_CREDIT_TOTAL_PARTS, LEAST_WINDOW_BYTES } from './constants.ts';
import type { MemoryBudget, MemoryShare } from './memory-budget.ts';

/** What a client offers at the start of a session: how much its streams may carry before any CREDIT. */
export interface FirstCredit {
  /** For each stream. */
  readonly firstCreditBytes: number;
  /** For all open streams together. */
  readonly firstCreditTotalBytes: number;
}

const MAX_U32 = 0xffff_ffff;

/** A client's offer, and what the open streams have taken of it. Both sides keep one; only the client's side offers. */
export class FirstCreditLedger {
  /** Whether this side made the offer, so that the peer's streams may draw on it. */
  readonly #isOwn: boolean;
  /** On a server, unknown until the first hello. */
  #offer: FirstCredit | undefined;
  #takenBytes = 0;

  constructor(own?: FirstCredit) {
    this.#isOwn = own !== undefined;
    this.#offer = own;
  }

  /** The offer, valid for the whole session. */
  get offer(): FirstCredit {
    if (!this.#offer) throw new Error('a session that no hello began');
    return this.#offer;
  }

  /** A hello makes this offer; only the first one counts. */
  agree({ firstCreditBytes, firstCreditTotalBytes }: FirstCredit): void {
    this.#offer ??= { firstCreditBytes, firstCreditTotalBytes };
  }

  /** How much a server's next stream takes of the offer. */
  get nextBytes(): number {
    if (!this.#offer) return 0;
    const { firstCreditBytes, firstCreditTotalBytes } = this.#offer;
    const leftBytes = firstCreditTotalBytes - this.#takenBytes;
    const shareBytes = Math.max(LEAST_WINDOW_BYTES, Math.floor(leftBytes / FIRST_CREDIT_TAKEN_PARTS));
    return Math.min(firstCreditBytes, shareBytes, leftBytes);
  }

  /** Throws `protocol-error` if the peer's stream takes more than it may. */
  requireOffered(takenBytes: number): void {
    const streamLimitBytes = this.#isOwn ? this.offer.firstCreditBytes : 0;
    if (takenBytes > streamLimitBytes) throw malformed('more first credit than a stream may take');
    // The peer may not know yet that some streams are over here.
    if (this.#isOwn && this.#takenBytes + takenBytes > 2 * this.offer.firstCreditTotalBytes) {
      throw malformed('more first credit than all streams may take');
    }
  }

  /** A stream takes this for as long as it is open. */
  take(bytes: number): void {
    this.#takenBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}

/** What a client offers when its session begins. */
export function firstCreditOffer(budget: MemoryBudget, memory: MemoryShare): FirstCredit {
  const totalBytes = Math.floor((budget.limitBytes - budget.usedBytes) / FIRST_CREDIT_TOTAL_PARTS);
  return {
    firstCreditBytes: LEAST_WINDOW_BYTES + memory.firstPromiseBytes,
    firstCreditTotalBytes: Math.max(0, Math.min(totalBytes, MAX_U32)),
  };
}
