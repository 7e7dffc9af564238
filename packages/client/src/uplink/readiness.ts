/** What the next `ready` has to tell about how it came to be. */
export interface ReadyTold {
  readonly lostStreams: number;
  readonly pinnedAt: string | undefined;
}

/**
 * Whether `ready` was said and still holds, and what the next one has to say. It waits until the server's key is pinned: a
 * program that is told of a public address may rely on the server being the right one.
 */
export class Readiness {
  #isReady = false;
  #isPinning = false;
  #pinnedAt: string | undefined;
  #lostStreams = 0;

  get isReady(): boolean {
    return this.#isReady;
  }

  get isPinning(): boolean {
    return this.#isPinning;
  }

  pinning(): void {
    this.#isPinning = true;
  }

  /** `path`: where the key is kept; undefined where it could not be, or is not. */
  pinned(path: string | undefined): void {
    this.#isPinning = false;
    this.#pinnedAt = path;
  }

  streamsLost(count: number): void {
    this.#lostStreams += count;
  }

  /** It is said now. */
  take(): ReadyTold {
    const told = { lostStreams: this.#lostStreams, pinnedAt: this.#pinnedAt };
    this.#isReady = true;
    this.#lostStreams = 0;
    this.#pinnedAt = undefined;
    return told;
  }

  /** It does not hold any more. False where it did not before. */
  withdraw(): boolean {
    const wasReady = this.#isReady;
    this.#isReady = false;
    return wasReady;
  }
}
