import type { ClientStatus } from '@tunnel/client';

/** Of a client that has carried nothing yet, and has no tunnel open. */
export const FRESH_STATUS: ClientStatus = {
  state: 'connecting',
  since: '2026-01-01T00:00:00.000Z',
  server: 'ws://example.org:7835',
  proxy: undefined,
  tunnels: [],
  roundTripMs: undefined,
  streams: 0,
  bytesIn: 0,
  bytesOut: 0,
  reconnects: 0,
  resumedStreams: 0,
  lostStreams: 0,
  lastError: undefined,
  nextAttempt: undefined,
};
