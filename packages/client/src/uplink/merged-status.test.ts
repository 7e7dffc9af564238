import { expect, test } from 'vitest';
import type { ClientStatus, TunnelStatus } from '../status.ts';
import { mergedStatus } from './merged-status.ts';

const target = { host: '127.0.0.1', port: 3000 };

function statusOf(state: ClientStatus['state'], tunnel: Partial<TunnelStatus>, own: Partial<ClientStatus> = {}) {
  return {
    state,
    since: '2026-01-01T00:00:00.000Z',
    server: 'one',
    proxy: undefined,
    tunnels: [{ target, url: undefined, port: undefined, isOpen: false, refused: 1, idle: 0, ...tunnel }],
    roundTripMs: undefined,
    streams: 1,
    bytesIn: 10,
    bytesOut: 20,
    reconnects: 1,
    resumedStreams: 2,
    lostStreams: 3,
    lastError: undefined,
    nextAttempt: undefined,
    ...own,
  } satisfies ClientStatus;
}

test('the status of one uplink is that of its client', () => {
  const status = statusOf('waiting', {});
  expect(mergedStatus(status)).toBe(status);
});

test('of several uplinks the best says how the client is, and what they carried is added up', () => {
  const error = { code: 'link-reset', reason: 'reset', hint: { id: 'link-reset' } } as const;
  const merged = mergedStatus(
    statusOf('waiting', {}, { lastError: { ...error, at: '2026-01-01T00:00:02.000Z' } }),
    statusOf(
      'ready',
      { isOpen: true, url: 'tcp://two:1', port: 1 },
      { server: 'two', roundTripMs: 5, lastError: { ...error, at: '2026-01-01T00:00:01.000Z' } },
    ),
  );
  expect(merged).toMatchObject({
    state: 'ready',
    server: 'one, two',
    roundTripMs: 5,
    streams: 2,
    bytesIn: 20,
    bytesOut: 40,
    reconnects: 2,
    resumedStreams: 4,
    lostStreams: 6,
    tunnels: [{ isOpen: true, url: 'tcp://two:1', refused: 2 }],
    lastError: { at: '2026-01-01T00:00:02.000Z' },
    nextAttempt: undefined,
  });
});
