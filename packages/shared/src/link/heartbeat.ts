import { MIN_HEARTBEAT_TIMEOUT_MS } from '../wire/constants.ts';
import type { HeartbeatFrame } from '../wire/frame.ts';

/** The longest "next within" accepted from a peer, in ms. */
export const MAX_NEXT_WITHIN_MS = 10 * 60 * 1000;

/** Progress inside an incomplete record counts as a sign of life for at most this many timeouts. */
const PROGRESS_TIMEOUTS = 4;

export interface HeartbeatSettings {
  /** A record is sent at least this often, in ms. */
  readonly intervalMs: number;
  /** After this long without a record the link is dead, in ms. */
  readonly timeoutMs: number;
  /** On an idle link the interval grows up to this, in ms. Absent: it does not grow. */
  readonly idleMaxMs?: number | undefined;
}

export const DEFAULT_HEARTBEAT: HeartbeatSettings = { intervalMs: 2_000, timeoutMs: 8_000 };

/** How long a link that may be dead has to answer a probe, in ms. */
export const PROBE_MS = 1_000;

/** On an idle link each interval is the previous one times this. */
const IDLE_GROWTH = 1.5;

/**
 * Liveness of one link. Times are monotonic ms. This class neither sends nor waits: the owner calls `tick` at the
 * `deadline` and sends `frame()` with the next record once `isDue`.
 */
export class Heartbeat {
  readonly #own: HeartbeatSettings;
  readonly #startedAt: number;
  #intervalMs: number;
  #timeoutMs: number;
  #sentAt: number;
  #recordAt: number;
  #progressAt: number;
  #bytesRead = 0;
  /** How much longer than the timeout the peer may be silent, because it announced a longer pause. */
  #graceMs = 0;
  /** The "next within" last announced by the peer: this side need not send more often either. */
  #peerNextWithinMs = 0;
  /** The current interval, stretched while the link is idle. */
  #stretchedMs: number;
  /** Something other than heartbeats went over the link since the last heartbeat. */
  #wasActive = true;
  /** When an answer was last requested that must come within the timeout, whatever pause the peer announced. */
  #askedAt: number | undefined;
  /**
   * - `later`: the interval is running.
   * - `now`: a heartbeat is due before it ends, as the first one is.
   * - `ticked`: it is due and `tick` has seen that; it waits for the link to take a record, so there is no need to
   *   wake up.
   */
  #due: 'later' | 'now' | 'ticked' = 'now';
  /** The next heartbeat asks for an answer. The first one does, to find out whether the link works both ways. */
  #wantsAnswer = true;
  /** Whether the owner was told that the link is doubtful since something was last heard. */
  #isDoubtTold = false;
  /** When a deadline that was noticed late was extended, if nothing has been heard since. */
  #rearmedAt: number | undefined;
  #heard: { readonly timestamp: number; readonly at: number } | undefined;
  #roundTripMs: number | undefined;
  #leastRoundTripMs: number;
  #answered = false;

  /** `roundTripMs` is an initial estimate from the handshake. */
  constructor(own: HeartbeatSettings, now: number, roundTripMs: number) {
    this.#own = own;
    this.#startedAt = now;
    this.#sentAt = now;
    this.#recordAt = now;
    this.#progressAt = now;
    this.#leastRoundTripMs = roundTripMs;
    this.#timeoutMs = own.timeoutMs;
    this.#intervalMs = Math.min(own.intervalMs, own.timeoutMs / 4);
    this.#stretchedMs = this.#intervalMs;
  }

  /** The peer announced its settings: the smaller timeout applies to both sides. */
  agree(peer: HeartbeatSettings): void {
    this.#timeoutMs = Math.max(MIN_HEARTBEAT_TIMEOUT_MS, Math.min(this.#own.timeoutMs, peer.timeoutMs));
    this.#intervalMs = Math.min(this.#own.intervalMs, this.#timeoutMs / 4);
    this.#stretchedMs = this.#intervalMs;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** The last measured round trip in ms; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** The shortest round trip seen on this link, in ms: the latency of the path without queues. */
  get leastRoundTripMs(): number {
    return this.#leastRoundTripMs;
  }

  /** Whether the peer answered a heartbeat of this link. */
  get isAnswered(): boolean {
    return this.#answered;
  }

  /** A complete record arrived. `bytesRead` is the number of bytes read from the link's socket so far. */
  recordReceived(now: number, bytesRead: number): void {
    this.#recordAt = now;
    this.#progressAt = now;
    this.#bytesRead = bytesRead;
    this.#graceMs = 0;
    this.#askedAt = undefined;
    this.#rearmedAt = undefined;
    this.#isDoubtTold = false;
  }

  /** A heartbeat frame arrived in a record. */
  frameReceived(frame: HeartbeatFrame, now: number): void {
    this.#heard = { timestamp: frame.timestamp, at: now };
    this.#peerNextWithinMs = Math.min(frame.nextWithinMs, MAX_NEXT_WITHIN_MS);
    this.#graceMs = Math.max(0, this.#peerNextWithinMs - this.#timeoutMs / 4);
    if (frame.answerNow) {
      this.#due = 'now';
      this.active();
    }
    if (!frame.echo) return;
    this.#answered = true;
    const awayMs = (this.#timestamp(now) - frame.echo.timestamp) >>> 0;
    if (awayMs > MAX_NEXT_WITHIN_MS) return;
    // Both sides round, so a round trip below a millisecond can come out negative.
    this.#roundTripMs = Math.max(0, awayMs - frame.echo.heldMs);
    this.#leastRoundTripMs = Math.min(this.#leastRoundTripMs, this.#roundTripMs);
  }

  /** Something other than heartbeats was sent or received: the link is not idle. */
  active(): void {
    this.#wasActive = true;
    this.#stretchedMs = this.#intervalMs;
  }

  /** Whether either side sends less often than on a busy link. */
  get isStretched(): boolean {
    return this.#stretchedMs > this.#intervalMs || this.#graceMs > 0;
  }

  /** When `tick` has something to do, unless something is received first. */
  get deadline(): number {
    switch (this.#due) {
      case 'later':
        return Math.min(this.#sentAt + this.#stretchedMs, this.#judgeAt);
      case 'now':
        return this.#sentAt;
      case 'ticked':
        return this.#judgeAt;
    }
  }

  /** Whether the next record should carry a heartbeat. */
  isDue(now: number): boolean {
    return this.#due !== 'later' || now >= this.#sentAt + this.#stretchedMs;
  }

  /** 'doubtful' is returned once: a heartbeat is late by half the timeout. */
  tick(now: number, bytesRead: number): 'alive' | 'doubtful' | 'dead' {
    if (bytesRead > this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.#progressAt = now;
    }
    const deathAt = this.#deathAt;
    if (now >= deathAt) {
      const late = now - deathAt;
      if (late <= this.#intervalMs || this.#rearmedAt !== undefined) return 'dead';
      // This process was suspended, and what the peer sent meanwhile has not been read yet. Probe, and decide after one
      // more timeout.
      this.#rearmedAt = now;
      this.#askedAt = undefined;
      this.probe(now);
    }
    const isDoubtful = !this.#isDoubtTold && now >= this.#doubtAt && now < deathAt;
    if (isDoubtful) {
      this.#isDoubtTold = true;
      this.probe(now);
    }
    if (this.isDue(now)) this.#due = 'ticked';
    return isDoubtful ? 'doubtful' : 'alive';
  }

  /**
   * Makes the next record carry a heartbeat that asks for an immediate answer; without one the link is dead after the
   * timeout.
   */
  probe(now: number): void {
    this.#due = 'now';
    this.#wantsAnswer = true;
    this.#askedAt ??= now;
    this.active();
  }

  /** The heartbeat to send now. */
  frame(now: number): HeartbeatFrame {
    const answerNow = this.#wantsAnswer;
    this.#wantsAnswer = false;
    this.#due = 'later';
    this.#sentAt = now;
    if (!this.#wasActive) this.#stretch();
    this.#wasActive = false;
    return {
      type: 'heartbeat',
      answerNow,
      timestamp: this.#timestamp(now),
      echo: this.#heard && { timestamp: this.#heard.timestamp, heldMs: Math.round(now - this.#heard.at) },
      nextWithinMs: Math.ceil(this.#stretchedMs),
    };
  }

  /**
   * Stretches up to this side's setting or to the peer's interval. A peer that does not stretch stays below a quarter
   * of the timeout.
   */
  #stretch(): void {
    const peerMs = this.#peerNextWithinMs > this.#timeoutMs / 4 ? this.#peerNextWithinMs : 0;
    const greatestMs = Math.max(this.#intervalMs, this.#own.idleMaxMs ?? 0, peerMs);
    this.#stretchedMs = Math.min(this.#stretchedMs * IDLE_GROWTH, greatestMs);
  }

  get #deathAt(): number {
    const since = this.#rearmedAt ?? this.#recordAt;
    const progressAt = Math.min(this.#progressAt, since + PROGRESS_TIMEOUTS * this.#timeoutMs);
    const heardBy = Math.max(since, progressAt) + this.#timeoutMs;
    if (this.#rearmedAt !== undefined) return heardBy;
    // A probe is answered at once, whatever pause the peer announced.
    const answeredBy = Math.max(this.#askedAt ?? Infinity, progressAt) + this.#timeoutMs;
    return Math.min(heardBy + this.#graceMs, answeredBy);
  }

  /** The peer sends at least every quarter of the timeout, so here it is late by half of it. */
  get #doubtAt(): number {
    return this.#deathAt - this.#timeoutMs / 4;
  }

  get #judgeAt(): number {
    return this.#isDoubtTold ? this.#deathAt : this.#doubtAt;
  }

  #timestamp(now: number): number {
    return Math.round(now - this.#startedAt) >>> 0;
  }
}
