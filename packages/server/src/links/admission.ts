import { Holdings } from '../shares/holdings.ts';
import { WaitingLine } from './waiting-line.ts';

/** The most concurrent handshakes. */
export const HANDSHAKE_LIMIT = 256;

/** The most requests waiting for one of those places. */
export const HANDSHAKE_QUEUE_LIMIT = 4096;

/**
 * While others wait, a handshake may hold its place for this long, in ms: less the more of them wait, down to the
 * least.
 */
const CROWDED_HANDSHAKE_MS = 3_000;
const LEAST_HOLD_MS = 500;

/** The hold is shortened so that a crowd that only occupies places is through within this time, in ms. */
const QUEUE_PASSES_MS = 1_000;

/**
 * In a storm of honest clients the server itself is the bottleneck. So the hold is not shortened below this multiple of
 * what recent successful handshakes took, in ms; until there is one, the second figure is assumed.
 */
const HOLD_PER_USUAL = 3;
const ASSUMED_HANDSHAKE_MS = 200;

/**
 * Once the oldest request of an address has waited this long, in ms, only one place in this many goes to it and the
 * others go to the newest: their clients are certainly still there, and a crowd that keeps coming does not bury them.
 */
const STALE_WAIT_MS = 500;
const PLACES_PER_OLDEST = 4;

/** Addresses with authenticated clients, and all others. */
type Lane = 'known' | 'strangers';

interface Source<T> {
  readonly key: string;
  lane: Lane;
  /** Those inside, in order of entry, and since when. */
  readonly inside: Map<Entered<T>, number>;
  readonly waiting: WaitingLine<Entered<T>>;
  /** How many places it was given while some of its requests waited. */
  servedCount: number;
}

interface Entered<T> {
  readonly entry: T;
  readonly source: Source<T>;
  readonly cameAt: number;
}

export type AdmissionAnswer<T> =
  | { readonly kind: 'admitted' }
  /** `displaced` was waiting, too, and no longer is: the queue is full. */
  | { readonly kind: 'waiting'; readonly displaced?: T | undefined };

/**
 * Decides who may begin a handshake now: a few hundred at a time, while the rest wait. Places are shared by the source
 * of requests, so that a crowd at one address costs other addresses nothing:
 *
 * - the next place goes alternately to an address with a known client and to a stranger's; among several, to the one
 *   with the fewest places, then in rotation;
 * - an address with more than its share of places gives up those it has held longest as soon as someone with less
 *   than a share waits, but none before there was time for a round trip;
 * - if too many wait, the oldest request of the most crowded address is dropped, never the newcomer;
 * - within an address the oldest request is next; once that has waited for long, mostly the newest.
 *
 * Whether a request resumes a live session shows only at the end of its handshake, in a message that answers the
 * server's. So it is the address that counts: one with live sessions does not queue behind strangers.
 */
export class Admission<T> {
  readonly #sources = new Map<string, Source<T>>();
  readonly #entered = new Map<T, Entered<T>>();
  /** Addresses with waiting requests, in rotation. */
  readonly #rotations: Readonly<Record<Lane, Set<Source<T>>>> = { known: new Set(), strangers: new Set() };
  #laneInTurn: Lane = 'known';
  readonly #waiting = new Holdings<Source<T>>();
  #insideCount = 0;
  /** How long successful handshakes take. Slower ones count at once, faster ones gradually. */
  #usualMs = ASSUMED_HANDSHAKE_MS;

  get waitingCount(): number {
    return this.#entered.size - this.#insideCount;
  }

  get count(): number {
    return this.#entered.size;
  }

  /** `isKnown`: authenticated clients have sessions from that source. */
  request(entry: T, sourceKey: string, isKnown: boolean, now: number): AdmissionAnswer<T> {
    const source = this.#sourceAt(sourceKey, isKnown ? 'known' : 'strangers');
    const entered = { entry, source, cameAt: now };
    this.#entered.set(entry, entered);
    if (this.#insideCount < HANDSHAKE_LIMIT) {
      this.#enter(entered, now);
      return { kind: 'admitted' };
    }
    source.waiting.add(entered);
    this.#waiting.add(source);
    this.#rotations[source.lane].add(source);
    if (this.waitingCount <= HANDSHAKE_QUEUE_LIMIT) return { kind: 'waiting' };
    const displaced = this.#waiting.most?.waiting.oldest;
    if (displaced) this.#forget(displaced);
    return { kind: 'waiting', displaced: displaced?.entry };
  }

  /** The entry is done (`isProven`: its client is authenticated) or gone. Returns the one admitted in its place. */
  leave(entry: T, now: number, isProven = false): T | undefined {
    const entered = this.#entered.get(entry);
    if (!entered) return undefined;
    const since = entered.source.inside.get(entered);
    if (isProven && since !== undefined) {
      const differenceMs = now - since - this.#usualMs;
      this.#usualMs += differenceMs / (differenceMs > 0 ? 4 : 16);
    }
    this.#forget(entered);
    if (this.#insideCount >= HANDSHAKE_LIMIT) return undefined;
    const next = this.#takeNext(now);
    if (!next) return undefined;
    this.#enter(next, now);
    return next.entry;
  }

  /** Entries that have held their place for too long while others wait. The caller ends them and calls `leave`. */
  overdue(now: number): T[] {
    const { waitingCount } = this;
    if (waitingCount === 0) return [];
    const share = Math.floor(HANDSHAKE_LIMIT / this.#sources.size);
    let claims = 0;
    const yielding: { readonly entered: Entered<T>; readonly since: number; readonly isLate: boolean }[] = [];
    for (const source of this.#sources.values()) {
      claims += this.#rightfulClaims(source, share);
      const surplus = source.inside.size - share;
      const isBeyondShare = source.inside.size * this.#sources.size > HANDSHAKE_LIMIT;
      // An address within its share is hurried only by its own crowd.
      const holdMs = this.#holdMs(isBeyondShare ? waitingCount : source.waiting.size);
      let index = 0;
      for (const [entered, since] of source.inside) {
        const heldMs = now - since;
        const isLate = heldMs >= holdMs;
        if (!isLate && (index >= surplus || heldMs < LEAST_HOLD_MS)) break;
        yielding.push({ entered, since, isLate });
        index += 1;
      }
    }
    yielding.sort((a, b) => a.since - b.since);
    const overdue: T[] = [];
    for (const { entered, isLate } of yielding) {
      if (overdue.length >= waitingCount) break;
      if (!isLate && claims <= 0) continue;
      claims -= 1;
      overdue.push(entered.entry);
    }
    return overdue;
  }

  #holdMs(waitingCount: number): number {
    const cutMs = Math.max(
      LEAST_HOLD_MS,
      HOLD_PER_USUAL * this.#usualMs,
      (QUEUE_PASSES_MS * HANDSHAKE_LIMIT) / waitingCount,
    );
    return Math.min(CROWDED_HANDSHAKE_MS, cutMs);
  }

  /** How many of those waiting would be inside with a fair share: at least one for an address with a known client. */
  #rightfulClaims({ lane, inside, waiting }: Source<T>, share: number): number {
    return Math.max(0, Math.min(waiting.size, Math.max(share, lane === 'known' ? 1 : 0) - inside.size));
  }

  #sourceAt(key: string, lane: Lane): Source<T> {
    const present = this.#sources.get(key);
    if (!present) {
      const source: Source<T> = { key, lane, inside: new Map(), waiting: new WaitingLine(), servedCount: 0 };
      this.#sources.set(key, source);
      return source;
    }
    if (present.lane !== lane) {
      const waits = this.#rotations[present.lane].delete(present);
      present.lane = lane;
      if (waits) this.#rotations[lane].add(present);
    }
    return present;
  }

  #enter(entered: Entered<T>, now: number): void {
    entered.source.inside.set(entered, now);
    this.#insideCount += 1;
  }

  /** Takes the next one out of the lines: still entered, but neither waiting nor inside. */
  #takeNext(now: number): Entered<T> | undefined {
    const source = this.#nextOf(this.#laneInTurn) ?? this.#nextOf(otherLane(this.#laneInTurn));
    if (!source) return undefined;
    this.#laneInTurn = otherLane(source.lane);
    const { oldest } = source.waiting;
    const isStale = oldest !== undefined && now - oldest.cameAt >= STALE_WAIT_MS;
    const taken = isStale && source.servedCount % PLACES_PER_OLDEST !== 0 ? source.waiting.newest : oldest;
    source.servedCount += 1;
    if (!taken) return undefined;
    this.#stopWaiting(taken);
    // To the end of its rotation.
    const rotation = this.#rotations[source.lane];
    if (rotation.delete(source)) rotation.add(source);
    return taken;
  }

  #nextOf(lane: Lane): Source<T> | undefined {
    let next: Source<T> | undefined;
    for (const source of this.#rotations[lane]) {
      if (next === undefined || source.inside.size < next.inside.size) next = source;
      if (next.inside.size === 0) break;
    }
    return next;
  }

  #stopWaiting(entered: Entered<T>): boolean {
    const { source } = entered;
    if (!source.waiting.delete(entered)) return false;
    this.#waiting.remove(source);
    if (source.waiting.size === 0) this.#rotations[source.lane].delete(source);
    return true;
  }

  #forget(entered: Entered<T>): void {
    const { source, entry } = entered;
    this.#entered.delete(entry);
    if (!this.#stopWaiting(entered) && source.inside.delete(entered)) this.#insideCount -= 1;
    if (source.inside.size === 0 && source.waiting.size === 0) this.#sources.delete(source.key);
  }
}

function otherLane(lane: Lane): Lane {
  return lane === 'known' ? 'strangers' : 'known';
}
