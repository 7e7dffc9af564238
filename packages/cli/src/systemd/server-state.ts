import type { ServerStatus } from '@tunnel/server';
import { count } from '../reports/client-text.ts';
import type { ServiceState } from './service.ts';

/** The state of a server for systemd. That this gets called at all shows that the event loop is running. */
export function serverState({ state, linkedSessions, waitingSessions, streams }: ServerStatus): ServiceState {
  const waiting = waitingSessions === 0 ? '' : `, ${waitingSessions} waiting for their link`;
  const load = `${count(linkedSessions, 'client')}${waiting}, ${count(streams, 'visitor')}`;
  const words = { new: 'starting', listening: `listening: ${load}`, draining: `draining: ${load}`, stopped: 'stopped' };
  return { status: words[state], isReady: state === 'listening', isAlive: state !== 'stopped' };
}
