import type { ErrorCode } from '../errors/errors.ts';
import { ERRORS } from '../errors/errors.ts';
import { Backoff, DEFAULT_MAX_RECONNECT_DELAY_MS, FLOOR_DELAY_MS } from './backoff.ts';
import { QUICK_RETRY_REFILL_MS, RetryBucket } from './retry-bucket.ts';

/** An authenticated server is believed that it wants to be left alone for this long, and no longer. */
const GREATEST_RETRY_AFTER_MS = 300_000;

/** A wait that somebody asked for is up to this part longer, so that those who were told the same do not come together. */
const RETRY_AFTER_SPREAD = 0.25;

export interface RetryPolicyOptions {
  /** Cap of the backoff in ms; at least 50. */
  readonly maxReconnectDelayMs?: number;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
}

/** Why an attempt or a link ended; a `TunnelError` is one. */
export interface LinkFailure {
  readonly code: ErrorCode;
  /** When to come back, in ms. */
  readonly retryAfterMs?: number | undefined;
  /** Whether `retryAfterMs` comes from a server that proved who it is. */
  readonly authenticated?: boolean;
}

export type RetryDecision =
  | { readonly kind: 'stop'; readonly code: ErrorCode }
  | {
      readonly kind: 'wait';
      readonly delayMs: number;
      /** Number of the coming retry since the last established link, or since the first attempt: 1, 2, … */
      readonly attempt: number;
    };

type Link =
  | { readonly state: 'none' }
  /** Accepted, and it has answered; `since` in ms. */
  | { readonly state: 'established'; readonly since: number };

/**
 * Decides after each failure whether to try again and when: the whole of "Reconnecting" in the design. It sets no timer:
 * whoever drives it waits, and asks anew what is left of the wait when the machine woke, the network changed or the
 * user wants it. All times are ms of one monotonic clock.
 */
export class RetryPolicy {
  readonly #random: () => number;
  #link: Link = { state: 'none' };
  #wasEverEstablished = false;
  #attempt = 0;
  #backoff: Backoff;
  /** Where the exponential rule goes on when a link died young and the bucket is empty. */
  #heldBackoff: Backoff;
  #bucket: RetryBucket = new RetryBucket();
  /** One `retry-now` for each established link, or a server could make a hot loop of it. */
  #retryNowIsSpent = false;
  /** When the present wait ends. */
  #waitEndsAt = Number.NEGATIVE_INFINITY;
  /** Nothing but the user's wish makes the present wait end before this. */
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: RetryPolicyOptions) {
    this.#random = options.random;
    this.#backoff = new Backoff(options.maxReconnectDelayMs ?? DEFAULT_MAX_RECONNECT_DELAY_MS);
    this.#heldBackoff = this.#backoff;
  }

  /** Whether this process ever had an established link: from then on `fatal-at-start` failures are retried. */
  get wasEverEstablished(): boolean {
    return this.#wasEverEstablished;
  }

  /**
   * The link was accepted, and a numbered frame or a heartbeat was answered on it. To be called once the first answer
   * came; further calls for the same link change nothing.
   */
  established(now: number): void {
    if (this.#link.state === 'established') return;
    this.#link = { state: 'established', since: now };
    this.#wasEverEstablished = true;
    this.#attempt = 0;
    this.#retryNowIsSpent = false;
  }

  /** An attempt failed, or a link ended. */
  failed({ error, now }: { readonly error: LinkFailure; readonly now: number }): RetryDecision {
    const { disposition } = ERRORS[error.code];
    if (disposition === 'fatal' || (disposition === 'fatal-at-start' && !this.#wasEverEstablished)) {
      return { kind: 'stop', code: error.code };
    }
    const link = this.#link;
    this.#link = { state: 'none' };
    const isHeld = link.state === 'established' && !this.#restart(link.since, now);

    let delayMs: number;
    if (error.code === 'server-key-changed') {
      // Whoever is in the way gets no faster than this, and nobody's attempts fall together.
      delayMs = Math.max(FLOOR_DELAY_MS, this.#spread(Number.POSITIVE_INFINITY, this.#backoff.maxDelayMs));
    } else if (disposition === 'retry-now' && !isHeld && !this.#retryNowIsSpent) {
      this.#retryNowIsSpent = true;
      delayMs = Math.min(this.#backoff.maxDelayMs, Math.floor(FLOOR_DELAY_MS * (1 + this.#random())));
    } else {
      delayMs = this.#backoff.delayMs(this.#random);
      this.#backoff = this.#backoff.next();
      if (isHeld) this.#heldBackoff = this.#backoff;
    }

    this.#notBefore = Number.NEGATIVE_INFINITY;
    const hintMs = error.retryAfterMs ?? 0;
    if (hintMs > 0) {
      const isBelieved = error.authenticated === true;
      delayMs = Math.max(
        delayMs,
        this.#spread(hintMs, isBelieved ? GREATEST_RETRY_AFTER_MS : this.#backoff.maxDelayMs),
      );
      if (isBelieved) this.#notBefore = now + delayMs;
    }
    // A full server is no less full because this machine woke.
    if (error.code === 'at-capacity') this.#notBefore = now + delayMs;

    this.#waitEndsAt = now + delayMs;
    this.#attempt = Math.min(this.#attempt + 1, Number.MAX_SAFE_INTEGER);
    return { kind: 'wait', delayMs, attempt: this.#attempt };
  }

  /** The machine slept and is awake. Returns what is left of the present wait, in ms; without a wait it has no meaning. */
  woke(now: number): number {
    return this.#comeSooner(now);
  }

  /** The set of network addresses is another one. Returns what is left of the present wait, in ms. */
  networkChanged(now: number): number {
    return this.#comeSooner(now);
  }

  /** The user wants it now, whatever anybody asked for. Returns what is left of the present wait: 0 ms. */
  requestedByUser(now: number): number {
    this.#backoff = this.#backoff.start();
    this.#heldBackoff = this.#backoff;
    this.#bucket = new RetryBucket();
    this.#notBefore = Number.NEGATIVE_INFINITY;
    this.#waitEndsAt = now;
    return 0;
  }

  /**
   * An established link ended: the delay goes back to the start, unless links keep dying young and the bucket is empty;
   * then the exponential rule goes on where it was. True if it went back.
   */
  #restart(since: number, now: number): boolean {
    if (now - since >= QUICK_RETRY_REFILL_MS) this.#heldBackoff = this.#backoff.start();
    this.#bucket = this.#bucket.refilled(now);
    const rest = this.#bucket.take();
    if (rest === undefined) {
      if (this.#heldBackoff.count > this.#backoff.count) this.#backoff = this.#heldBackoff;
      return false;
    }
    this.#bucket = rest;
    this.#backoff = this.#backoff.start();
    return true;
  }

  #comeSooner(now: number): number {
    this.#backoff = this.#backoff.start();
    this.#heldBackoff = this.#backoff;
    const soonest = Math.max(this.#notBefore, now + this.#backoff.delayMs(this.#random));
    this.#waitEndsAt = Math.min(this.#waitEndsAt, soonest);
    return Math.max(0, this.#waitEndsAt - now);
  }

  /**
   * A wait that somebody asked for: the hint and up to a quarter more, and never longer than `limitMs`. Of a hint beyond
   * the limit the limit counts, and the spread lies before it.
   */
  #spread(hintMs: number, limitMs: number): number {
    const leastMs = hintMs <= limitMs ? hintMs : limitMs / (1 + RETRY_AFTER_SPREAD);
    return Math.min(limitMs, Math.ceil(leastMs * (1 + RETRY_AFTER_SPREAD * this.#random())));
  }
}
