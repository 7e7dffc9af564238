import { RepeatDigest } from '@tunnel/shared';

/** Recoveries in a row that are told at once. A service that comes and goes faster is told of as one long outage. */
const RECOVERIES_AT_ONCE = 3;

/** Reasons of one outage that are told as they change; there are not so many. */
const REASON_LIMIT = 8;

/** Why a service cannot be reached: for people, and as the system calls it. */
export interface ServiceFailure {
  readonly reason: string;
  readonly code: string;
}

const NO_FAILURE: ServiceFailure = { reason: '', code: '' };

/** It may answer, and is too slow. */
const TOO_MANY: ServiceFailure = { reason: 'too many visitors are waiting for it', code: '' };

export interface HealthReport extends ServiceFailure {
  /** `down`: it does not answer, since now or for another reason than before. */
  readonly state: 'down' | 'still-down' | 'up';
  /** Visitors turned away since it went down. */
  readonly refused: number;
  readonly downMs: number;
}

interface Outage {
  readonly since: number;
  failure: ServiceFailure;
  refused: number;
  /** How many of them were told. */
  toldRefused: number;
  readonly toldReasons: Set<string>;
  readonly digest: RepeatDigest;
  /** It answers again, and that was not told yet. */
  recoveredAt: number | undefined;
}

/**
 * Whether a local service answers, and what is worth telling about it: the first failure and every other reason at once,
 * visitors turned away as sums, the recovery. Ask for `takeReport` after everything else, and at `deadline`.
 */
export class ServiceHealth {
  readonly #recoveries = new RepeatDigest(RECOVERIES_AT_ONCE);
  #outage: Outage | undefined;
  #isRecoveryDue = false;

  /** It could not be reached. */
  failed(failure: ServiceFailure, now: number): void {
    this.#outage ??= {
      since: now,
      failure,
      refused: 0,
      toldRefused: 0,
      toldReasons: new Set(),
      digest: new RepeatDigest(),
      recoveredAt: undefined,
    };
    this.#outage.failure = failure;
    this.#outage.recoveredAt = undefined;
    this.#isRecoveryDue = false;
  }

  /** So many visitors were turned away. */
  turnedAway(count: number, now: number): void {
    if (count === 0) return;
    if (!this.#outage) this.failed(TOO_MANY, now);
    if (this.#outage) this.#outage.refused += count;
  }

  /** It was reached. */
  succeeded(now: number): void {
    const outage = this.#outage;
    if (!outage || outage.recoveredAt !== undefined) return;
    outage.recoveredAt = now;
    this.#isRecoveryDue = this.#recoveries.add(now);
  }

  takeReport(now: number): HealthReport | undefined {
    const outage = this.#outage;
    if (!outage) return undefined;
    const isSumDue = this.#recoveries.take(now) > 0;
    if (outage.recoveredAt !== undefined) {
      if (!isSumDue && !this.#isRecoveryDue) return undefined;
      this.#outage = undefined;
      return { state: 'up', ...NO_FAILURE, refused: outage.refused, downMs: outage.recoveredAt - outage.since };
    }
    const { toldReasons, digest, failure } = outage;
    if (!toldReasons.has(failure.reason) && toldReasons.size < REASON_LIMIT) {
      if (toldReasons.size === 0) digest.add(now);
      else digest.takeAll();
      toldReasons.add(failure.reason);
      return this.#tell('down', outage, now);
    }
    const isAnother = outage.refused > outage.toldRefused && digest.add(now);
    return digest.take(now) > 0 || isAnother ? this.#tell('still-down', outage, now) : undefined;
  }

  /** When `takeReport` has something to tell by itself. */
  get deadline(): number {
    if (!this.#outage) return Infinity;
    return this.#outage.recoveredAt === undefined ? this.#outage.digest.deadline : this.#recoveries.deadline;
  }

  /** The end: what was counted and not told. */
  takeLastReport(now: number): HealthReport | undefined {
    const outage = this.#outage;
    return outage && outage.refused > outage.toldRefused ? this.#tell('still-down', outage, now) : undefined;
  }

  #tell(state: 'down' | 'still-down', outage: Outage, now: number): HealthReport {
    outage.toldRefused = outage.refused;
    return { state, ...outage.failure, refused: outage.refused, downMs: now - outage.since };
  }
}
