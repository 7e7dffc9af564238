import { connect, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, monotonicNow, prepareSocket } from '@tunnel/shared/node';
import { formatHostAndPort } from '../dial/address.ts';
import { connectToFirst, interleaveFamilies } from '../dial/happy-eyeballs.ts';
import type { IpAddress } from '../dial/name-lookups.ts';
import { IdleTimeout } from './idle-timeout.ts';
import type { LocalTarget } from '../options.ts';
import { ownConnections } from './own-connections.ts';
import { rememberedLookup } from './remembered-lookup.ts';
import { type HealthReport, type ServiceFailure, ServiceHealth } from './service-health.ts';
import { VisitorQueue } from './visitor-queue.ts';
import type { Visit, VisitorService } from './visitor-service.ts';

/** A service that does not answer at all is given up after this, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;

const NO_ANSWER: ServiceFailure = { reason: `no answer within ${CONNECT_TIMEOUT_MS / 1000}s`, code: 'ETIMEDOUT' };

/** What a machine says of an address of a family that it has not. */
const UNREACHABLE: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface LocalServiceOptions {
  readonly target: LocalTarget;
  /** A connection on which nothing moved for so long, in ms, is reset; undefined for never. */
  readonly idleTimeoutMs: number | undefined;
  /** How long a visitor is held while the service is down, in ms. */
  readonly waitMs: number;
  /** `held`: visitors that wait now. */
  readonly onHealth: (report: HealthReport & { readonly held: number }) => void;
  /** Told once, where the target leads back to a public port of this client. */
  readonly onLoop: (error: TunnelError) => void;
}

/** Connects visitors' streams to one local target. Where it cannot be reached they are reset, at once or after a while. */
export class LocalService implements VisitorService {
  readonly #options: LocalServiceOptions;
  readonly #lookup = rememberedLookup();
  readonly #queue: VisitorQueue<Visit>;
  readonly #idle: IdleTimeout | undefined;
  readonly #health = new ServiceHealth();
  /** Attempts that run, each with what ends it. */
  readonly #attempts = new Map<AbortController, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #wasLoopTold = false;
  #isClosed = false;

  constructor(options: LocalServiceOptions) {
    this.#options = options;
    this.#queue = new VisitorQueue(options.waitMs);
    if (options.idleTimeoutMs !== undefined) this.#idle = new IdleTimeout(options.idleTimeoutMs);
  }

  get target(): LocalTarget {
    return this.#options.target;
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
    for (const [abort, timer] of this.#attempts) {
      clearTimeout(timer);
      abort.abort();
    }
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
    for (let begun = 0; begun < attempts; begun += 1) this.#attempt();
    const deadline = Math.min(this.#queue.deadline, this.#health.deadline);
    clearTimeout(this.#timer);
    if (deadline < Infinity) this.#timer = setTimeout(() => this.#step(), Math.max(0, Math.ceil(deadline - now)));
    // Last: whoever is told may end all of it.
    this.#tell(this.#health.takeReport(now));
  }

  /** Goes on when the visitor who made it necessary leaves: else visitors who leave at once would cause as many attempts. */
  #attempt(): void {
    const abort = new AbortController();
    let isResolving = true;
    this.#attempts.set(
      abort,
      setTimeout(() => {
        fail(isResolving ? notResolved(this.#options.target.host) : NO_ANSWER);
        abort.abort();
      }, CONNECT_TIMEOUT_MS),
    );
    const fail = (failure: ServiceFailure): void => {
      if (!this.#forget(abort)) return;
      const now = monotonicNow();
      this.#queue.failed(now);
      this.#health.failed(failure, now);
      this.#step();
    };
    const connectToService = async (): Promise<Socket> => {
      const { host, port } = this.#options.target;
      const addresses = interleaveFamilies(await this.#lookup(host));
      isResolving = false;
      return connectToFirst(addresses, port, { signal: abort.signal, connect: startConnection });
    };
    connectToService().then(
      (socket) => this.#onConnected(abort, socket),
      (error: unknown) => fail(failureOf(error)),
    );
  }

  #onConnected(attempt: AbortController, socket: Socket): void {
    if (!this.#forget(attempt)) {
      socket.destroy();
      return;
    }
    prepareSocket(socket);
    ownConnections.add(socket);
    const visit = this.#queue.succeeded();
    this.#health.succeeded(monotonicNow());
    if (visit) this.#join(visit, socket);
    else socket.resetAndDestroy();
    this.#step();
  }

  #join({ pipe, header, answers }: Visit, socket: Socket): void {
    if (header) socket.write(header);
    this.#idle?.watch({ socket, answers, end: () => pipe.reset('stream-idle') });
    pipe.attach(socket);
  }

  /** The attempt has its outcome. False where it had one before. */
  #forget(attempt: AbortController): boolean {
    clearTimeout(this.#attempts.get(attempt));
    return this.#attempts.delete(attempt);
  }

  #tellLoop(): void {
    if (this.#wasLoopTold) return;
    this.#wasLoopTold = true;
    const { host, port } = this.#options.target;
    this.#options.onLoop(new TunnelError('target-loop', { detail: formatHostAndPort(host, port) }));
  }

  #tell(report: HealthReport | undefined): void {
    if (!report) return;
    const { waitMs, onHealth } = this.#options;
    // Without `waitMs` those in the queue are about to have their answer.
    const held = waitMs === 0 ? 0 : this.#queue.size;
    onHealth({ ...report, downMs: Math.round(report.downMs), held });
  }
}

function startConnection({ address, family }: IpAddress, port: number): Socket {
  return connect({ host: address, port, family, allowHalfOpen: true, autoSelectFamily: false });
}

function notResolved(host: string): ServiceFailure {
  return { reason: `the name ${host} could not be resolved within ${CONNECT_TIMEOUT_MS / 1000}s`, code: 'EAI_AGAIN' };
}

/** Of several addresses the one that says most: a machine without IPv6 reaches none of that family. */
function failureOf(error: unknown): ServiceFailure {
  const cause = error instanceof TunnelError ? error.cause : error;
  const errors = (cause instanceof AggregateError ? cause.errors : [cause]) as NodeJS.ErrnoException[];
  const telling = errors.find(({ code }) => !UNREACHABLE.has(code ?? '')) ?? errors[0];
  return { reason: describeSystemError(telling), code: telling?.code ?? '' };
}
