/** Waits until the last of something is gone, without polling. */
export class Ends {
  readonly #waiting = new Set<() => void>();

  /** Resolves when the end is reached, at once if it already is, and after `timeoutMs` at the latest. */
  wait(isReached: boolean, timeoutMs: number): Promise<void> {
    if (isReached) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, timeoutMs);
      this.#waiting.add(settle);
    });
  }

  reached(): void {
    for (const settle of this.#waiting) settle();
  }
}
