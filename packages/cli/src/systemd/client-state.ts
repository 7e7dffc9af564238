import type { ClientStatus } from '@tunnel/client';
import type { WatchdogSubject } from '../settings/local-settings.ts';
import { formatTarget } from '../values/target.ts';
import type { ServiceState } from './service.ts';

/** An attempt may take this multiple of its timeout, since several can follow one another without a wait. */
const ATTEMPTS = 3;
const MARGIN_MS = 30_000;

/** Watches a client for systemd. */
export class ClientWatch {
  readonly #subject: WatchdogSubject;
  readonly #patienceMs: number;
  #soundAt: number;

  /** `now` here and below is monotonic ms. */
  constructor(subject: WatchdogSubject, connectTimeoutMs: number, now: number) {
    this.#subject = subject;
    this.#patienceMs = ATTEMPTS * connectTimeoutMs + MARGIN_MS;
    this.#soundAt = now;
  }

  /** An attempt completed, so the reconnect logic is working. */
  attempted(now: number): void {
    this.#soundAt = now;
  }

  state(status: ClientStatus, now: number): ServiceState {
    // Measured by heartbeats, and gone once their timeout ends the link.
    const hasLink = status.roundTripMs !== undefined;
    const isWaiting = (status.nextAttempt?.inMs ?? 0) > 0;
    if (hasLink || isWaiting) this.#soundAt = now;
    return {
      status: describe(status),
      isReady: status.state === 'ready',
      isAlive: this.#subject === 'link' ? hasLink : now - this.#soundAt < this.#patienceMs,
    };
  }
}

/** All clients of a process as one service. */
export function stateOfClients(states: readonly ServiceState[]): ServiceState {
  const [first, ...others] = states;
  if (first === undefined) return { status: 'starting', isReady: false, isAlive: true };
  if (others.length === 0) return first;
  const unready = states.filter(({ isReady }) => !isReady);
  const tally = `${states.length - unready.length} of ${states.length} sessions ready`;
  return {
    status: [tally, ...unready.slice(0, 1).map(({ status }) => status)].join('; '),
    isReady: unready.length === 0,
    isAlive: states.every(({ isAlive }) => isAlive),
  };
}

function describe({ state, since, tunnels, lastError, nextAttempt }: ClientStatus): string {
  if (state === 'ready') {
    return `ready: ${tunnels.map(({ url, target }) => `${url ?? ''} -> ${formatTarget(target)}`).join(', ')}`;
  }
  if (state === 'new') return 'starting';
  const next = nextAttempt === undefined ? '' : `, attempt ${nextAttempt.attempt} at ${nextAttempt.at}`;
  const cause = lastError === undefined ? '' : `: ${lastError.reason}`;
  return `not ready since ${since}, ${state}${next}${cause}`;
}
