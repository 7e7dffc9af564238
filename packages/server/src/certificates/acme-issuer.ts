/** Orders at a time. */
export const ORDERS_AT_ONCE = 4;

/** Certificates for new names within a week. Let's Encrypt allows 50 for all names below one registered domain. */
export const DEFAULT_WEEKLY_LIMIT = 40;

/** Of these, for the names of one client key, or of one address where keys cost nothing. */
export const SHARE_LIMIT = 5;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A certificate counts against the limits for this long. */
const ISSUED_MS = 7 * DAY_MS;

/** A name without a certificate counts as well, this long after the last attempt: failing costs the authority more. */
const TRIED_MS = 3 * HOUR_MS;

/** Pauses after failures: 1, 3, 9, 27 and 81 minutes, 4 and 12 hours, then a day. Let's Encrypt allows 5 failures of a name in an hour. */
const FIRST_PAUSE_MS = 60_000;
const PAUSE_GROWTH = 3;
const GREATEST_PAUSE_MS = DAY_MS;

/** Pauses are up to this much shorter or longer. */
const PAUSE_JITTER = 0.2;

/** Renewal is due after this part of a certificate's life, or up to `RENEWAL_JITTER` of it earlier. */
const RENEWAL_PART = 2 / 3;
const RENEWAL_JITTER = 1 / 30;

/** It is not due earlier than this after the certificate came, whatever its dates say: the two clocks may differ. */
const RENEWAL_LEAST_PART = 1 / 3;
const RENEWAL_LEAST_MS = DAY_MS;

/** Wall-clock ms. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What has to outlast a restart, so that it is no way around pauses and limits. Times are wall-clock ms. */
export interface IssuerRecord {
  readonly host: string;
  readonly share: string;
  /** Missing for one that was only renewed. */
  readonly triedAt?: number | undefined;
  readonly issuedAt?: number | undefined;
  readonly failures: number;
  readonly pauseUntil: number;
}

/** Of all new names within a week, or of those of one client. */
export type Limit = 'week' | 'share';

export interface AcmeIssuerOptions {
  readonly weeklyLimit: number;
  readonly records?: readonly IssuerRecord[];
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
}

interface Pause {
  readonly until: number;
  readonly lengthMs: number;
}

const NO_PAUSE: Pause = { until: 0, lengthMs: 0 };

interface Entry {
  readonly host: string;
  /** Whom it counts for; empty for the server's own names, to which no limit applies. */
  share: string;
  isWanted: boolean;
  isOrdered: boolean;
  validity: (Validity & { readonly renewAt: number }) | undefined;
  failures: number;
  pause: Pause;
  triedAt: number | undefined;
  issuedAt: number | undefined;
}

/** Names that count against a limit, and when the first of them no longer does. */
interface Tally {
  count: number;
  freeAt: number;
}

interface Places {
  readonly all: Tally;
  readonly byShare: ReadonlyMap<string, Tally>;
}

/**
 * Decides which certificates are to be ordered, and when. Holds neither clock nor timer: `now` is wall-clock ms, since
 * certificates end by it, and may jump. Names of which nothing is known any more are forgotten, so that it knows those that
 * are wanted, those that have a certificate, and at most as many more as the weekly limit.
 */
export class AcmeIssuer {
  readonly #options: AcmeIssuerOptions;
  readonly #entries = new Map<string, Entry>();
  /** Of the authority as a whole. */
  #failures = 0;
  #pause = NO_PAUSE;

  constructor(options: AcmeIssuerOptions) {
    this.#options = options;
    for (const { host, share, triedAt, issuedAt, failures, pauseUntil } of options.records ?? []) {
      const pause = { until: pauseUntil, lengthMs: GREATEST_PAUSE_MS * (1 + PAUSE_JITTER) };
      Object.assign(this.#entryOf(host), { share, triedAt, issuedAt, failures, pause });
    }
  }

  /** There is a certificate for it already. */
  known(host: string, validity: Validity): void {
    this.#entryOf(host).validity = { ...validity, renewAt: this.#renewAt(validity) };
  }

  /** A tunnel has it, or, with an empty share, the server itself. */
  want(host: string, share: string): void {
    const entry = this.#entryOf(host);
    entry.isWanted = true;
    entry.share = share;
  }

  /** No tunnel has it any more. A certificate that is there is kept for the next one, but not renewed. */
  drop(host: string): void {
    const entry = this.#entries.get(host);
    if (!entry) return;
    entry.isWanted = false;
    if (!entry.isOrdered && !entry.validity && entry.triedAt === undefined) this.#entries.delete(host);
  }

  /** The name to order a certificate for now, if there is one; its order is under way until it was `issued` or has `failed`. */
  next(now: number): string | undefined {
    const { orderCount } = this;
    if (orderCount >= ORDERS_AT_ONCE || !isOver(this.#pause, now)) return undefined;
    // An authority that was away is asked once, not for every name.
    if (this.#failures > 0 && orderCount > 0) return undefined;
    this.#forget(now);
    const places = this.#places(now);
    const due = [...this.#entries.values()].filter((entry) => this.#dueAt(entry, now) <= now);
    const [first, ...others] = due.filter((entry) => this.#limitOf(entry, now, places) === undefined);
    if (!first) return undefined;
    const entry = others.reduce((best, each) => (rank(each, places) < rank(best, places) ? each : best), first);
    entry.isOrdered = true;
    // Renewals are free.
    if (!entry.validity) entry.triedAt = now;
    return entry.host;
  }

  issued(host: string, validity: Validity, now: number): void {
    const entry = this.#entryOf(host);
    if (!entry.validity) entry.issuedAt = now;
    Object.assign(entry, { isOrdered: false, failures: 0, pause: NO_PAUSE });
    const leastMs = Math.min(RENEWAL_LEAST_MS, (validity.untilMs - validity.fromMs) * RENEWAL_LEAST_PART);
    entry.validity = { ...validity, renewAt: Math.max(this.#renewAt(validity), now + leastMs) };
    this.#failures = 0;
  }

  /**
   * `isAuthoritys`: the failure has nothing to do with the name. `retryAfterMs`: what the authority asks for. Returns how long
   * the pause is, in ms.
   */
  failed(host: string, isAuthoritys: boolean, retryAfterMs: number, now: number): number {
    const entry = this.#entryOf(host);
    entry.isOrdered = false;
    if (!isAuthoritys) {
      entry.failures += 1;
      entry.pause = this.#pauseFrom(now, entry.failures, retryAfterMs);
      this.#failures = 0;
      return entry.pause.lengthMs;
    }
    if (isOver(this.#pause, now)) {
      this.#failures += 1;
      this.#pause = this.#pauseFrom(now, this.#failures, retryAfterMs);
    }
    return Math.max(0, this.#pause.until - now);
  }

  /** When `next` may have something, if nothing happens before; undefined if it has nothing to wait for. */
  dueAt(now: number): number | undefined {
    if (this.orderCount >= ORDERS_AT_ONCE) return undefined;
    const pauseEnd = isOver(this.#pause, now) ? now : this.#pause.until;
    const places = this.#places(now);
    let first = Infinity;
    for (const entry of this.#entries.values()) {
      const dueAt = this.#dueAt(entry, now);
      const limit = dueAt > now ? undefined : this.#limitOf(entry, now, places);
      const full = limit === 'share' ? places.byShare.get(entry.share) : limit === 'week' ? places.all : undefined;
      first = Math.min(first, Math.max(dueAt, full?.freeAt ?? now));
    }
    return first === Infinity ? undefined : Math.max(first, pauseEnd);
  }

  /** Wanted names that a limit keeps waiting, and which. */
  limited(now: number): readonly { readonly host: string; readonly limit: Limit }[] {
    const places = this.#places(now);
    return [...this.#entries.values()].flatMap((entry) => {
      const limit = this.#dueAt(entry, now) <= now ? this.#limitOf(entry, now, places) : undefined;
      return limit === undefined ? [] : [{ host: entry.host, limit }];
    });
  }

  /** In a row, so far. */
  failuresOf(host: string): number {
    return this.#entries.get(host)?.failures ?? 0;
  }

  /** Names whose certificates have ended and that nobody wants: there is nothing left of them to keep. */
  ended(now: number): readonly string[] {
    const entries = [...this.#entries.values()];
    const ended = entries.filter(
      (each) => !each.isWanted && !each.isOrdered && each.validity && each.validity.untilMs < now,
    );
    for (const entry of ended) entry.validity = undefined;
    return ended.map(({ host }) => host);
  }

  get records(): readonly IssuerRecord[] {
    return [...this.#entries.values()].flatMap(({ host, share, triedAt, issuedAt, failures, pause }) =>
      triedAt === undefined && failures === 0
        ? []
        : [{ host, share, triedAt, issuedAt, failures, pauseUntil: pause.until }],
    );
  }

  get orderCount(): number {
    return [...this.#entries.values()].filter(({ isOrdered }) => isOrdered).length;
  }

  #entryOf(host: string): Entry {
    const existing = this.#entries.get(host);
    if (existing) return existing;
    const entry: Entry = {
      host,
      share: '',
      isWanted: false,
      isOrdered: false,
      validity: undefined,
      failures: 0,
      pause: NO_PAUSE,
      triedAt: undefined,
      issuedAt: undefined,
    };
    this.#entries.set(host, entry);
    return entry;
  }

  /** Without regard to the limits; infinity for one that is not wanted. */
  #dueAt({ isWanted, isOrdered, validity, pause }: Entry, now: number): number {
    if (!isWanted || isOrdered) return Infinity;
    return Math.max(validity?.renewAt ?? 0, isOver(pause, now) ? 0 : pause.until);
  }

  #limitOf(entry: Entry, now: number, places: Places): Limit | undefined {
    // It has its place.
    if (entry.share === '' || entry.validity || lapsesAt(entry) > now) return undefined;
    if ((places.byShare.get(entry.share)?.count ?? 0) >= SHARE_LIMIT) return 'share';
    return places.all.count >= this.#options.weeklyLimit ? 'week' : undefined;
  }

  /** Who counts against the limits. */
  #places(now: number): Places {
    const all: Tally = { count: 0, freeAt: Infinity };
    const byShare = new Map<string, Tally>();
    for (const entry of this.#entries.values()) {
      const freeAt = lapsesAt(entry);
      if (entry.share === '' || freeAt <= now) continue;
      const own = byShare.get(entry.share) ?? { count: 0, freeAt: Infinity };
      byShare.set(entry.share, own);
      for (const tally of [all, own]) {
        tally.count += 1;
        tally.freeAt = Math.min(tally.freeAt, freeAt);
      }
    }
    return { all, byShare };
  }

  #forget(now: number): void {
    for (const [host, entry] of this.#entries) {
      // The clock went back: counted from now on.
      if (entry.triedAt !== undefined) entry.triedAt = Math.min(entry.triedAt, now);
      if (entry.issuedAt !== undefined) entry.issuedAt = Math.min(entry.issuedAt, now);
      if (entry.isWanted || entry.isOrdered || entry.validity || lapsesAt(entry) > now) continue;
      this.#entries.delete(host);
    }
  }

  #renewAt({ fromMs, untilMs }: Validity): number {
    return fromMs + (untilMs - fromMs) * (RENEWAL_PART - RENEWAL_JITTER * this.#options.random());
  }

  #pauseFrom(now: number, failures: number, retryAfterMs: number): Pause {
    const jitter = 1 - PAUSE_JITTER + 2 * PAUSE_JITTER * this.#options.random();
    const grownMs = Math.min(GREATEST_PAUSE_MS, FIRST_PAUSE_MS * PAUSE_GROWTH ** (failures - 1)) * jitter;
    const lengthMs = Math.max(grownMs, Math.min(retryAfterMs, GREATEST_PAUSE_MS));
    return { until: now + lengthMs, lengthMs };
  }
}

/** The server's own names first, then those of whoever uses least. */
function rank({ share }: Entry, { byShare }: Places): number {
  return share === '' ? -1 : (byShare.get(share)?.count ?? 0);
}

/** Until when a name counts against the limits. */
function lapsesAt({ isOrdered, validity, triedAt = -Infinity, issuedAt = -Infinity }: Entry): number {
  if (isOrdered && !validity) return Infinity;
  return Math.max(triedAt + TRIED_MS, issuedAt + ISSUED_MS);
}

/** A clock that went back must not make it longer. */
function isOver({ until, lengthMs }: Pause, now: number): boolean {
  return now >= until || until - now > lengthMs;
}
