interface Waiter {
  isMet(): boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** Default for every wait of the test support, in milliseconds. */
export const defaultTimeoutMs = 10_000;

/** Lets tests wait until a state holds, without polling: whoever changes the state says so with `changed()`. */
export class Condition {
  readonly #describe: () => string;
  readonly #waiters = new Set<Waiter>();
  #closedBecause: string | undefined;

  /** `describe` tells the present state, for the error of a wait that was in vain. */
  constructor(describe: () => string) {
    this.#describe = describe;
  }

  changed(): void {
    for (const waiter of this.#waiters) if (waiter.isMet()) waiter.resolve();
  }

  /** Rejects all present and future waits whose predicate does not hold already. */
  close(because: string): void {
    this.#closedBecause ??= because;
    for (const waiter of this.#waiters) waiter.reject(new Error(because));
  }

  /** Resolves once `predicate` holds; rejects after `timeoutMs`, and at `close()`. */
  async until(what: string, predicate: () => boolean, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    if (predicate()) return;
    const fail = (reason: string): Error => new Error(`waited in vain for ${what}: ${reason}; ${this.#describe()}`);
    if (this.#closedBecause !== undefined) throw fail(this.#closedBecause);
    let waiter: Waiter | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { isMet: predicate, resolve, reject: (error) => reject(fail(error.message)) };
        this.#waiters.add(waiter);
        timer = setTimeout(() => reject(fail(`not within ${timeoutMs} ms`)), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }
}
