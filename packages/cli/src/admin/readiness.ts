import type { ClientStatus } from '@tunnel/client';
import type { ServerStatus } from '@tunnel/server';
import { formatDuration } from '../values/duration.ts';
import type { Readiness } from './admin-server.ts';

/** A server is ready while it takes clients. */
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

/** A client is ready while all its tunnels are open. */
export function clientReadiness({ state, lastError, nextAttempt }: ClientStatus): Readiness {
  if (state === 'ready') return { isReady: true, reason: 'ready' };
  const next = nextAttempt === undefined ? '' : `, next attempt in ${formatDuration(nextAttempt.inMs)}`;
  const cause = lastError === undefined ? '' : `: ${lastError.reason}`;
  return { isReady: false, reason: `${state}${next}${cause}` };
}
