/** Connections of a session that may wait while it has no link: what they say is kept for the next one. */
const WAITING_CONNECTION_LIMIT = 64;

/** Visitors that wait with nothing read but a request's head. */
const WAITING_LIMIT = 1024;

/** How long each waits, in ms. */
const WAITING_MS = 30_000;

/** A connection's stream. */
export interface WaitingConnection {
  readonly streamId: number;
  reset(code: string): void;
}

interface Waiting {
  /** The tunnel that it is for. */
  readonly tunnel: object;
  readonly settle: (isLinked: boolean) => void;
}

/** Visitors of one session, whatever its endpoints, that came while it had no link. */
export class Lobby {
  /** The timers that end their patience, by stream. */
  readonly #connections = new Map<number, NodeJS.Timeout>();
  readonly #waiting = new Set<Waiting>();

  /** Whether no more connections may wait. */
  get isFull(): boolean {
    return this.#connections.size >= WAITING_CONNECTION_LIMIT;
  }

  add(connection: WaitingConnection): void {
    const patience = setTimeout(() => connection.reset('session-lost'), WAITING_MS);
    this.#connections.set(connection.streamId, patience);
  }

  /** Its stream is closed. */
  leave(streamId: number): void {
    clearTimeout(this.#connections.get(streamId));
    this.#connections.delete(streamId);
  }

  /** Waits for the next link. False if it does not come in time, if too many wait, or if the tunnel is closed meanwhile. */
  wait(tunnel: object): Promise<boolean> {
    if (this.#waiting.size >= WAITING_LIMIT) return Promise.resolve(false);
    return new Promise((resolve) => {
      const patience = setTimeout(() => waiting.settle(false), WAITING_MS);
      const waiting = {
        tunnel,
        settle: (isLinked: boolean) => {
          clearTimeout(patience);
          this.#waiting.delete(waiting);
          resolve(isLinked);
        },
      };
      this.#waiting.add(waiting);
    });
  }

  /** The tunnel is closed: those who wait for it wait in vain. */
  leaveAll(tunnel: object): void {
    for (const waiting of this.#waiting) if (waiting.tunnel === tunnel) waiting.settle(false);
  }

  /** There is a link again. */
  linked(): void {
    for (const waiting of this.#waiting) waiting.settle(true);
    this.#stopPatience();
  }

  /** The session is over. */
  close(): void {
    for (const waiting of this.#waiting) waiting.settle(false);
    this.#stopPatience();
  }

  #stopPatience(): void {
    for (const patience of this.#connections.values()) clearTimeout(patience);
    this.#connections.clear();
  }
}
