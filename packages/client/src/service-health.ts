/** The first summary of refused visitors follows after this, in ms; each further one after twice the time … */
const FIRST_SUMMARY_MS = 10_000;
/** … up to this. */
const GREATEST_SUMMARY_MS = 60_000;

export type HealthReport =
  | {
      readonly state: 'down' | 'still-down';
      readonly reason: string;
      readonly refused: number;
      readonly downMs: number;
    }
  | { readonly state: 'up'; readonly reason: ''; readonly refused: number; readonly downMs: number };

/** Whether a local service answers, and what is worth saying about it: the first failure, changes, sums, the recovery. */
export class ServiceHealth {
  #down: { readonly since: number; reason: string; refused: number; summaryAt: number; summaryMs: number } | undefined;

  /** A visitor could not be served. Returns what to say, if anything. */
  failed(reason: string, now: number): HealthReport | undefined {
    const down = this.#down;
    if (!down) {
      this.#down = { since: now, reason, refused: 1, summaryAt: now + FIRST_SUMMARY_MS, summaryMs: FIRST_SUMMARY_MS };
      return { state: 'down', reason, refused: 1, downMs: 0 };
    }
    down.refused += 1;
    const report = { reason, refused: down.refused, downMs: now - down.since };
    if (reason !== down.reason) {
      down.reason = reason;
      return { state: 'down', ...report };
    }
    if (now < down.summaryAt) return undefined;
    down.summaryMs = Math.min(down.summaryMs * 2, GREATEST_SUMMARY_MS);
    down.summaryAt = now + down.summaryMs;
    return { state: 'still-down', ...report };
  }

  /** A visitor was served. */
  succeeded(now: number): HealthReport | undefined {
    const down = this.#down;
    if (!down) return undefined;
    this.#down = undefined;
    return { state: 'up', reason: '', refused: down.refused, downMs: now - down.since };
  }
}
