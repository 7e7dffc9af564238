import type { TunnelError } from '@tunnel/shared';
import type { EstablishedLink } from './establish-link.ts';
import type { LiveLink } from './live-link.ts';

export interface ReplacementOptions {
  readonly connectTimeoutMs: number;
  /** `isWanted` is asked right before the server is told: from then on the new link takes over. */
  readonly dial: (live: LiveLink, signal: AbortSignal, isWanted: () => boolean) => Promise<EstablishedLink>;
  /** Whether this is still what carries the session. */
  readonly isLive: (live: LiveLink) => boolean;
  /** The doubt about the old link was justified: it is about to be replaced. */
  readonly onDoubtConfirmed: (doubt: TunnelError) => void;
}

/** Make before break: dials the next link while the present one still carries the session. */
export class Replacement {
  readonly #options: ReplacementOptions;
  readonly #dials = new Set<AbortController>();

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  /** With a `doubt` about the present link, which may still be alive, any sign of life of it calls the replacement off. */
  async begin(live: LiveLink, doubt: TunnelError | undefined): Promise<void> {
    const { dial, isLive, connectTimeoutMs, onDoubtConfirmed } = this.#options;
    const { current: old, session } = live;
    const abort = new AbortController();
    this.#dials.add(abort);
    if (doubt) {
      void session.driver.answersWithin(connectTimeoutMs).then((answers) => {
        if (answers) abort.abort();
      });
    }
    const isWanted = (): boolean => isLive(live) && live.current === old;
    try {
      const next = await dial(live, abort.signal, isWanted);
      if (!isWanted()) {
        next.records.destroy();
        return;
      }
      if (doubt) onDoubtConfirmed(doubt);
      live.replaceBy(next);
    } catch {
      // The present link goes on, or comes to its own end.
      session.driver.withdrawHello();
    } finally {
      this.#dials.delete(abort);
    }
  }

  abort(): void {
    for (const dial of this.#dials) dial.abort();
  }
}
