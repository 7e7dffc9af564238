import type { Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';
import type { Lookup } from '../dial/name-lookups.ts';
import { IdleTimeout } from './idle-timeout.ts';
import type { LocalTarget } from '../options.ts';
import { ownConnections } from './own-connections.ts';
import type { VisitorEnds } from '@tunnel/shared/node';
import { rememberedLookup } from './remembered-lookup.ts';
import { type HealthReport, type ServiceFailure, ServiceHealth } from './service-health.ts';
import { formatTarget, requireTarget } from './target.ts';
import { dialTarget, type DialOutcome } from './target-dial.ts';
import { lookAtTarget } from './target-look.ts';
import { VisitorQueue } from './visitor-queue.ts';
import type { Visit, VisitorService } from './visitor-service.ts';

export interface LocalServiceOptions {
  readonly target: LocalTarget;
  /** It speaks TLS. */
  readonly isTls: boolean;
  /** A connection on which nothing moved for so long, in ms, is reset; undefined for never. */
  readonly idleTimeoutMs: number | undefined;
  /** How long a visitor is held while the service is down, in ms. */
  readonly waitMs: number;
  /** `held`: visitors that wait now. */
  readonly onHealth: (report: HealthReport & { readonly held: number }) => void;
  /** A visitor was reset by the idle timeout. */
  readonly onIdle: (visitor: VisitorEnds) => void;
  /** Told once, where the target leads back to a public port of this client. */
  readonly onLoop: (error: TunnelError) => void;
  /** Other than the system's resolver only in tests. */
  readonly lookup?: Lookup;
}

/** Connects visitors' streams to one local target. Where it cannot be reached they are reset, at once or after a while. */
export class LocalService implements VisitorService {
  readonly #options: LocalServiceOptions;
  readonly #lookup: Lookup;
  readonly #queue: VisitorQueue<Visit>;
  readonly #idle: IdleTimeout | undefined;
  readonly #health = new ServiceHealth();
  /** What ends the attempts that run. */
  readonly #attempts = new Set<AbortController>();
  #timer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  /** A visitor has asked for it, so there is nothing to look for any more. */
  #wasTried = false;
  #lookedBad: ServiceFailure | undefined;
  #wasLoopTold = false;
  #isClosed = false;

  constructor(options: LocalServiceOptions) {
    requireTarget(options.target);
    this.#options = options;
    this.#lookup = rememberedLookup(options.lookup);
    this.#queue = new VisitorQueue(options.waitMs);
    if (options.idleTimeoutMs !== undefined) this.#idle = new IdleTimeout(options.idleTimeoutMs);
  }

  get target(): LocalTarget {
    return this.#options.target;
  }

  lookAtStart(): void {
    const { waitMs } = this.#options;
    // A service that visitors wait for has the same time to come up before it is told as missing.
    if (waitMs > 0) this.#lookTimer = setTimeout(() => void this.#look(), waitMs).unref();
    else void this.#look();
  }

  serve(visit: Visit): void {
    if (ownConnections.has(visit.addresses)) {
      visit.pipe.reset('target-loop');
      this.#tellLoop();
      return;
    }
    visit.pipe.expectSocket(() => this.#queue.leave(visit));
    this.#queue.arrive(visit, monotonicNow());
    this.#step();
  }

  get isOver(): boolean {
    return this.#isClosed && (this.#idle?.isUnused ?? true);
  }

  restartIdleTimeout(): void {
    this.#idle?.restart();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#lookTimer);
    for (const abort of this.#attempts) abort.abort();
    this.#attempts.clear();
    for (const { pipe } of this.#queue.clear()) pipe.reset('tunnel-closed');
    this.#tell(this.#health.takeLastReport(monotonicNow()));
  }

  #step(): void {
    if (this.#isClosed) return;
    const now = monotonicNow();
    const { attempts, refused } = this.#queue.step(now);
    for (const { pipe } of refused) pipe.reset('service-unavailable');
    this.#health.turnedAway(refused.length, now);
    for (let begun = 0; begun < attempts; begun += 1) void this.#attempt();
    const deadline = Math.min(this.#queue.deadline, this.#health.deadline);
    clearTimeout(this.#timer);
    if (deadline < Infinity) this.#timer = setTimeout(() => this.#step(), Math.max(0, Math.ceil(deadline - now)));
    // Last: the listener may close this service.
    this.#tell(this.#health.takeReport(now));
  }

  /** Goes on when the visitor who made it necessary leaves: else visitors who leave at once would cause as many attempts. */
  async #attempt(): Promise<void> {
    this.#wasTried = true;
    const outcome = await this.#dial();
    if (this.#isClosed) {
      if (outcome.kind === 'connected') outcome.socket.destroy();
      return;
    }
    if (outcome.kind === 'connected') {
      this.#onConnected(outcome.socket);
      return;
    }
    const now = monotonicNow();
    this.#queue.failed(now);
    this.#health.failed(this.#withNote(outcome), now);
    this.#step();
  }

  /** Without a connection. What a visitor finds out goes before it. */
  async #look(): Promise<void> {
    if (this.#isClosed || this.#wasTried) return;
    const failure = await lookAtTarget(this.#options.target, this.#lookup);
    if (!failure || this.#isClosed || this.#wasTried) return;
    this.#lookedBad = failure;
    this.#health.failed(failure, monotonicNow());
    this.#step();
  }

  async #dial(): Promise<DialOutcome> {
    const abort = new AbortController();
    this.#attempts.add(abort);
    const outcome = await dialTarget(this.#options.target, { abort, lookup: this.#lookup, isTls: this.#options.isTls });
    this.#attempts.delete(abort);
    return outcome;
  }

  /** In the words of the look at it: the visitors that come later do not have it told again. */
  #withNote(failure: ServiceFailure): ServiceFailure {
    return this.#lookedBad?.code === failure.code ? this.#lookedBad : failure;
  }

  #onConnected(socket: Socket): void {
    this.#lookedBad = undefined;
    ownConnections.add(socket);
    const visit = this.#queue.succeeded();
    this.#health.succeeded(monotonicNow());
    if (visit) this.#join(visit, socket);
    else socket.resetAndDestroy();
    this.#step();
  }

  #join({ pipe, header, answers, addresses }: Visit, socket: Socket): void {
    if (header) socket.write(header);
    const end = (): void => {
      pipe.reset('stream-idle');
      this.#options.onIdle(addresses);
    };
    this.#idle?.watch({ socket, answers, end });
    pipe.attach(socket);
  }

  #tellLoop(): void {
    if (this.#wasLoopTold) return;
    this.#wasLoopTold = true;
    this.#options.onLoop(new TunnelError('target-loop', { detail: formatTarget(this.#options.target) }));
  }

  #tell(report: HealthReport | undefined): void {
    if (!report) return;
    const { waitMs, onHealth } = this.#options;
    // Without `waitMs` those in the queue are about to have their answer.
    const held = waitMs === 0 ? 0 : this.#queue.size;
    onHealth({ ...report, downMs: Math.round(report.downMs), held });
  }
}
