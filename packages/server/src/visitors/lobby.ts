/** Visitors of a session that may wait while it has no link, and for how long each, in ms; then they are reset. */
const WAITING_LIMIT = 64;
const WAITING_MS = 30_000;

/** A visitor's stream. */
export interface WaitingVisitor {
  readonly streamId: number;
  reset(code: string): void;
}

/** Visitors of one session, whatever its endpoints, that came while it had no link. */
export class Lobby {
  /** The timers that end their patience, by stream. */
  readonly #waiting = new Map<number, NodeJS.Timeout>();

  get isFull(): boolean {
    return this.#waiting.size >= WAITING_LIMIT;
  }

  add(visitor: WaitingVisitor): void {
    const patience = setTimeout(() => visitor.reset('session-lost'), WAITING_MS);
    this.#waiting.set(visitor.streamId, patience);
  }

  /** Its stream is closed. */
  leave(streamId: number): void {
    clearTimeout(this.#waiting.get(streamId));
    this.#waiting.delete(streamId);
  }

  /** There is a link again, or nothing to wait for. */
  empty(): void {
    for (const patience of this.#waiting.values()) clearTimeout(patience);
    this.#waiting.clear();
  }
}
