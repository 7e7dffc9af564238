/** Visitors that may wait for one service; those beyond are turned away. */
const HELD_LIMIT = 1024;

/**
 * Attempts to reach the service that may run at a time while nothing says that it answers. Together with the probes of the
 * first second, and with two addresses for one name, these are 20 connections in a second to a service that just died.
 */
const FIRST_ATTEMPTS = 5;

/** The first pause before a service that is down is probed again, in ms; each further one is twice as long … */
const FIRST_PAUSE_MS = 50;
/** … up to this: so late a visitor may be turned away from a service that is back. */
const GREATEST_PAUSE_MS = 250;

/** Who comes while a probe runs waits at least so long for its outcome, in ms: it may be the one that succeeds. */
const PROBE_PATIENCE_MS = 50;

/**
 * - `up`: it answers, as far as is known.
 * - `paused`: it is down, and is not to be probed before `until`.
 * - `probing`: it is down, and one attempt runs.
 */
type State =
  | { readonly kind: 'up' }
  | { readonly kind: 'paused'; readonly pauseMs: number; readonly until: number }
  | { readonly kind: 'probing'; readonly pauseMs: number };

const UP: State = { kind: 'up' };

/** What is to be done now. */
export interface QueueStep<V> {
  /** Attempts to begin. */
  readonly attempts: number;
  /** Visitors to turn away. */
  readonly refused: readonly V[];
}

/**
 * Visitors that wait for a local service, and when it may be asked for. An attempt belongs to no visitor in particular: the
 * first in the queue gets what succeeds. While the service answers, every visitor is worth an attempt, ever more of them at a
 * time; while it is down they are few, and a visitor waits for `waitMs` at most, unless an attempt runs for it.
 *
 * Call `step` after everything else.
 */
export class VisitorQueue<V> {
  readonly #waitMs: number;
  /** Since when they wait, in the order in which they came. */
  readonly #waiting = new Map<V, number>();
  #surplus: V[] = [];
  #state: State = UP;
  #running = 0;
  /** Attempts that may run at a time while the service answers: each success allows one more, as in TCP's slow start. */
  #allowed = FIRST_ATTEMPTS;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  arrive(visitor: V, now: number): void {
    if (this.#waiting.size < HELD_LIMIT) this.#waiting.set(visitor, now);
    else this.#surplus.push(visitor);
  }

  leave(visitor: V): void {
    this.#waiting.delete(visitor);
  }

  /** Nobody waits any more. Returns who did. */
  clear(): readonly V[] {
    const visitors = [...this.#waiting.keys(), ...this.#surplus];
    this.#waiting.clear();
    this.#surplus = [];
    return visitors;
  }

  /** An attempt succeeded. Returns who gets the connection; undefined where nobody waits any more. */
  succeeded(): V | undefined {
    this.#running -= 1;
    this.#state = UP;
    this.#allowed += 1;
    const [visitor] = this.#waiting.keys();
    if (visitor !== undefined) this.#waiting.delete(visitor);
    return visitor;
  }

  /** An attempt failed. */
  failed(now: number): void {
    this.#running -= 1;
    this.#allowed = FIRST_ATTEMPTS;
    const state = this.#state;
    // One that began before the service was known to be down says nothing new.
    if (state.kind === 'paused') return;
    const pauseMs = state.kind === 'up' ? FIRST_PAUSE_MS : Math.min(state.pauseMs * 2, GREATEST_PAUSE_MS);
    this.#state = { kind: 'paused', pauseMs, until: now + pauseMs };
  }

  step(now: number): QueueStep<V> {
    const attempts = this.#attemptsToBegin(now);
    this.#running += attempts;
    if (this.#running === 0) this.#allowed = FIRST_ATTEMPTS;
    const refused = this.#surplus;
    this.#surplus = [];
    for (const [visitor, since] of this.#unattended()) {
      if (now < since + this.#patienceMs) break;
      this.#waiting.delete(visitor);
      refused.push(visitor);
    }
    return { attempts, refused };
  }

  /** When `step` has something to do by itself. */
  get deadline(): number {
    const [first] = this.#unattended();
    const patienceEnds = first === undefined ? Infinity : first[1] + this.#patienceMs;
    if (this.#state.kind !== 'paused' || this.#running > 0 || this.#waiting.size === 0) return patienceEnds;
    return Math.min(patienceEnds, this.#state.until);
  }

  #attemptsToBegin(now: number): number {
    const state = this.#state;
    const isProbeDue = state.kind === 'paused' && now >= state.until && this.#running === 0 && this.#waiting.size > 0;
    if (isProbeDue) {
      this.#state = { kind: 'probing', pauseMs: state.pauseMs };
      return 1;
    }
    if (state.kind !== 'up') return 0;
    return Math.max(0, Math.min(this.#waiting.size, this.#allowed) - this.#running);
  }

  /** Those for whom no attempt runs. */
  *#unattended(): Generator<[visitor: V, since: number], undefined> {
    let index = 0;
    for (const entry of this.#waiting) {
      if (index >= this.#running) yield entry;
      index += 1;
    }
  }

  get #patienceMs(): number {
    switch (this.#state.kind) {
      case 'up':
        return Infinity;
      case 'paused':
        return this.#waitMs;
      case 'probing':
        return Math.max(this.#waitMs, PROBE_PATIENCE_MS);
    }
  }
}
