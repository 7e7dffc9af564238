import type { ClientStatus } from '@tunnel/client';
import type { ServerStatus } from '@tunnel/server';
import { formatDuration } from '../values/duration.ts';
import type { Readiness } from './admin-server.ts';

/** A server is ready while it accepts clients. */
export function serverReadiness({ state }: ServerStatus): Readiness {
  switch (state) {
    case 'new':
      return { isReady: false, reason: 'starting' };
    case 'listening':
      return { isReady: true, reason: 'listening' };
    case 'draining':
      return { isReady: false, reason: 'draining: it takes no new clients and visitors' };
    case 'stopped':
      return { isReady: false, reason: 'stopped' };
  }
}

/** Clients are ready while all their tunnels are open. */
export function clientReadiness(statuses: readonly ClientStatus[]): Readiness {
  const [first, ...others] = statuses;
  if (first === undefined) return { isReady: false, reason: 'starting' };
  if (others.length === 0) return readinessOf(first);
  const reasons = statuses.flatMap((status) => {
    const { isReady, reason } = readinessOf(status);
    return isReady ? [] : [`${status.server}: ${reason}`];
  });
  return { isReady: reasons.length === 0, reason: reasons.length === 0 ? 'ready' : reasons.join('; ') };
}

function readinessOf({ state, lastError, nextAttempt }: ClientStatus): Readiness {
  if (state === 'ready') return { isReady: true, reason: 'ready' };
  const next = nextAttempt === undefined ? '' : `, next attempt in ${formatDuration(nextAttempt.inMs)}`;
  const cause = lastError === undefined ? '' : `: ${lastError.reason}`;
  return { isReady: false, reason: `${state}${next}${cause}` };
}
