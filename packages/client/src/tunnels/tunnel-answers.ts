interface Asked {
  /** Requests without an answer. */
  requests: number;
  /** The server said that it is open, and not that it was taken away. */
  isGranted: boolean;
}

/**
 * What a server may still say of the tunnels of a session: one answer to each request, and one close of each tunnel that it
 * granted. Whatever else it says was not asked for.
 */
export class TunnelAnswers {
  readonly #asked = new Map<number, Asked>();
  /** So much may still come of tunnels that were given back: it crossed with that. */
  #lateLimit = 0;

  requested(tunnelId: number): void {
    const asked = this.#asked.get(tunnelId);
    if (asked) asked.requests += 1;
    else this.#asked.set(tunnelId, { requests: 1, isGranted: false });
  }

  /** The client gives it back, and does not use its id again in this session. */
  givenBack(tunnelId: number): void {
    const asked = this.#asked.get(tunnelId);
    if (!asked) return;
    this.#asked.delete(tunnelId);
    const mayBeOpen = asked.isGranted || asked.requests > 0;
    this.#lateLimit += asked.requests + (mayBeOpen ? 1 : 0);
  }

  /** The server said so. False where it may not. */
  take(type: 'tunnel-granted' | 'tunnel-refused' | 'tunnel-close', tunnelId: number): boolean {
    const asked = this.#asked.get(tunnelId);
    if (!asked) {
      this.#lateLimit -= 1;
      return this.#lateLimit >= 0;
    }
    if (type === 'tunnel-close' ? !asked.isGranted : asked.requests === 0) return false;
    if (type !== 'tunnel-close') asked.requests -= 1;
    asked.isGranted = type === 'tunnel-granted';
    return true;
  }

  /** The session is over. */
  clear(): void {
    this.#asked.clear();
    this.#lateLimit = 0;
  }
}
