import { TunnelError } from '@tunnel/shared';
import type { Access } from './access.ts';
import type { KeyBounds } from './authorized-keys.ts';
import type { AuthorizedKeySource } from './authorized-keys-file.ts';

/**
 * How often the clock is checked while a key is going to expire, in ms: it may be set, and timers stop during sleep.
 */
const EXPIRY_LOOK_MS = 1_000;

export interface AccessUpdateHandlers {
  /** The source was reread: who is admitted, and what for, may have changed. */
  onRead(count: number): void;
  /** A key expired. */
  onExpiry(): void;
  /** The source is unusable at the moment: what was read before stays in force. */
  onError(error: TunnelError): void;
}

/** Keeps admissions in sync with the source of keys and with the clock. */
export class AccessUpdates implements Disposable {
  readonly #access: Access;
  readonly #source: AuthorizedKeySource;
  readonly #bounds: KeyBounds;
  readonly #handlers: AccessUpdateHandlers;
  #watch: Disposable | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isDueAgain = false;
  #isDisposed = false;

  constructor(access: Access, source: AuthorizedKeySource, bounds: KeyBounds, handlers: AccessUpdateHandlers) {
    this.#access = access;
    this.#source = source;
    this.#bounds = bounds;
    this.#handlers = handlers;
  }

  /** The first reading. Rejects with `keys-unusable`. */
  async start(): Promise<void> {
    this.#access.keys = await this.#source.read(this.#bounds);
    this.#watch = this.#source.watch(() => this.reread());
    this.#armExpiry();
  }

  /** Rereads the source, and once more if requested in the meantime. */
  reread(): void {
    this.#isDueAgain = true;
    if (!this.#isReading) void this.#readWhileDue();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#watch?.[Symbol.dispose]();
    clearInterval(this.#expiryTimer);
  }

  async #readWhileDue(): Promise<void> {
    this.#isReading = true;
    while (this.#isDueAgain) {
      this.#isDueAgain = false;
      try {
        this.#access.keys = await this.#source.read(this.#bounds);
      } catch (error) {
        this.#handlers.onError(error instanceof TunnelError ? error : new TunnelError('internal', { cause: error }));
        continue;
      }
      if (this.#isDisposed) return;
      this.#handlers.onRead(this.#access.keys.count);
      this.#armExpiry();
    }
    this.#isReading = false;
  }

  #armExpiry(): void {
    clearInterval(this.#expiryTimer);
    const expiresAt = this.#access.keys.nextExpiry(Date.now());
    if (expiresAt === undefined) return;
    this.#expiryTimer = setInterval(() => {
      if (Date.now() < expiresAt) return;
      this.#handlers.onExpiry();
      this.#armExpiry();
    }, EXPIRY_LOOK_MS).unref();
  }
}
