import type { ErrorCode } from '../errors/errors.ts';
import { ERRORS } from '../errors/errors.ts';
import { Backoff, DEFAULT_MAX_RECONNECT_DELAY_MS, FLOOR_DELAY_MS } from './backoff.ts';
import { QUICK_RETRY_REFILL_MS, RetryBucket } from './retry-bucket.ts';

/** The longest wait that an authenticated server can ask for. */
const GREATEST_RETRY_AFTER_MS = 300_000;

/**
 * A requested wait is extended by up to this fraction at random, so that clients told the same do not all return at
 * once.
 */
const RETRY_AFTER_SPREAD = 0.25;

export interface RetryPolicyOptions {
  /** Cap of the backoff, in ms; at least 50. */
  readonly maxReconnectDelayMs?: number;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
}

/** Why an attempt or a link ended; a `TunnelError` is one. */
export interface LinkFailure {
  readonly code: ErrorCode;
  /** When to come back, in ms. */
  readonly retryAfterMs?: number | undefined;
  /** Whether `retryAfterMs` comes from an authenticated server. */
  readonly authenticated?: boolean;
}

export type RetryDecision =
  | { readonly kind: 'stop'; readonly code: ErrorCode }
  | {
      readonly kind: 'wait';
      readonly delayMs: number;
      /** The number of the next retry since the last established link, or since the first attempt: 1, 2, … */
      readonly attempt: number;
    };

type Link =
  | { readonly state: 'none' }
  /** Accepted, and the server has answered; `since` in ms. */
  | { readonly state: 'established'; readonly since: number };

/**
 * Decides after each failure whether and when to try again. It sets no timer: its driver waits, and asks again for the
 * rest of the wait when the machine wakes, the network changes or the user asks. All times are ms of one monotonic
 * clock.
 */
export class RetryPolicy {
  readonly #random: () => number;
  #link: Link = { state: 'none' };
  #wasEverEstablished = false;
  #attempt = 0;
  #backoff: Backoff;
  /** Where the exponential backoff continues if a link died young and the bucket is empty. */
  #heldBackoff: Backoff;
  #bucket: RetryBucket = new RetryBucket();
  /** Only one `retry-now` per established link; otherwise a server could force a hot loop. */
  #retryNowIsSpent = false;
  /** When the current wait ends. */
  #waitEndsAt = Number.NEGATIVE_INFINITY;
  /** Only the user can end the current wait before this. */
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: RetryPolicyOptions) {
    this.#random = options.random;
    this.#backoff = new Backoff(options.maxReconnectDelayMs ?? DEFAULT_MAX_RECONNECT_DELAY_MS);
    this.#heldBackoff = this.#backoff;
  }

  /** Whether this process ever had an established link: after that, `fatal-at-start` failures are retried. */
  get wasEverEstablished(): boolean {
    return this.#wasEverEstablished;
  }

  /**
   * The link was accepted, and a numbered frame or a heartbeat was answered on it. Call it on the first answer; further
   * calls for the same link change nothing.
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
      // An attacker on the path cannot make us retry faster than this, and clients do not retry in step.
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
    // Waking up does not make a full server any less full.
    if (error.code === 'at-capacity') this.#notBefore = now + delayMs;

    this.#waitEndsAt = now + delayMs;
    this.#attempt = Math.min(this.#attempt + 1, Number.MAX_SAFE_INTEGER);
    return { kind: 'wait', delayMs, attempt: this.#attempt };
  }

  /** The machine woke from sleep. Returns the rest of the current wait, in ms; meaningless if there is none. */
  woke(now: number): number {
    return this.#comeSooner(now);
  }

  /** The set of network addresses changed. Returns the rest of the current wait, in ms. */
  networkChanged(now: number): number {
    return this.#comeSooner(now);
  }

  /** The user wants to retry now, whatever anyone requested. Returns the rest of the current wait: 0 ms. */
  requestedByUser(now: number): number {
    this.#backoff = this.#backoff.start();
    this.#heldBackoff = this.#backoff;
    this.#bucket = new RetryBucket();
    this.#notBefore = Number.NEGATIVE_INFINITY;
    this.#waitEndsAt = now;
    return 0;
  }

  /**
   * An established link ended: the backoff starts over, unless links keep dying young and the bucket is empty; then it
   * continues where it was. True if it started over.
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
   * A requested wait: the hint plus up to a quarter, but never longer than `limitMs`. A hint beyond the limit counts as
   * the limit, with the spread below it.
   */
  #spread(hintMs: number, limitMs: number): number {
    const leastMs = hintMs <= limitMs ? hintMs : limitMs / (1 + RETRY_AFTER_SPREAD);
    return Math.min(limitMs, Math.ceil(leastMs * (1 + RETRY_AFTER_SPREAD * this.#random())));
  }
}
