import type { ClientStatus } from '@tunnel/client';
import { describe, expect, test } from 'vitest';
import { FRESH_STATUS } from '../reports/client-status.fixture.ts';
import { ClientWatch, stateOfClients } from './client-state.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HOUR_MS = 3_600_000;

const connecting: ClientStatus = {
  ...FRESH_STATUS,
  tunnels: [
    {
      target: { host: 'localhost', port: 22 },
      url: 'tcp://example.org:9022',
      port: 9022,
      isOpen: false,
      refused: 0,
      idle: 0,
    },
  ],
};
const ready: ClientStatus = { ...connecting, state: 'ready', roundTripMs: 0 };
const waiting: ClientStatus = {
  ...connecting,
  state: 'waiting',
  lastError: {
    code: 'tcp-refused',
    reason: 'connection refused',
    hint: { id: 'tcp-refused' },
    at: '2026-01-01T00:00:00.000Z',
  },
  nextAttempt: { attempt: 7, inMs: 20_000, at: '2026-01-01T00:00:20.000Z' },
};

describe('the process as the subject', () => {
  test('is alive with a link, and while the next attempt is to come', () => {
    const watch = new ClientWatch('process', CONNECT_TIMEOUT_MS, 0);
    expect(watch.state(ready, HOUR_MS).isAlive).toBe(true);
    expect(watch.state(waiting, 2 * HOUR_MS).isAlive).toBe(true);
  });

  test('is dead when an attempt comes to no end', () => {
    const watch = new ClientWatch('process', CONNECT_TIMEOUT_MS, 0);
    expect(watch.state(connecting, CONNECT_TIMEOUT_MS).isAlive).toBe(true);
    watch.attempted(HOUR_MS);
    expect(watch.state(connecting, HOUR_MS + 4 * CONNECT_TIMEOUT_MS).isAlive).toBe(true);
    expect(watch.state(connecting, HOUR_MS + 7 * CONNECT_TIMEOUT_MS).isAlive).toBe(false);
  });

  test('is dead when an attempt is overdue', () => {
    const watch = new ClientWatch('process', CONNECT_TIMEOUT_MS, 0);
    const overdue = { ...waiting, nextAttempt: { attempt: 7, inMs: 0, at: '' } };
    expect(watch.state(overdue, HOUR_MS).isAlive).toBe(false);
  });
});

test('the link as the subject is alive only while there is one', () => {
  const watch = new ClientWatch('link', CONNECT_TIMEOUT_MS, 0);
  expect(watch.state(connecting, 0).isAlive).toBe(false);
  expect(watch.state(ready, 0).isAlive).toBe(true);
  expect(watch.state(waiting, 0).isAlive).toBe(false);
});

test('the status is in words', () => {
  const watch = new ClientWatch('process', CONNECT_TIMEOUT_MS, 0);
  expect([ready, waiting, connecting].map((status) => watch.state(status, 0))).toMatchObject([
    { isReady: true, status: 'ready: tcp://example.org:9022 -> localhost:22' },
    {
      isReady: false,
      status:
        'not ready since 2026-01-01T00:00:00.000Z, waiting, attempt 7 at 2026-01-01T00:00:20.000Z: connection refused',
    },
    { isReady: false, status: 'not ready since 2026-01-01T00:00:00.000Z, connecting' },
  ]);
});

test('several clients are ready and alive when all are', () => {
  const watch = new ClientWatch('process', CONNECT_TIMEOUT_MS, 0);
  const [up, down] = [watch.state(ready, 0), watch.state(waiting, 0)];
  expect(stateOfClients([up, up])).toEqual({ status: '2 of 2 sessions ready', isReady: true, isAlive: true });
  expect(stateOfClients([up, down])).toMatchObject({
    status: expect.stringMatching(/^1 of 2 sessions ready; not ready since .*, waiting/) as string,
    isReady: false,
    isAlive: true,
  });
  expect(stateOfClients([up, { ...down, isAlive: false }]).isAlive).toBe(false);
  expect(stateOfClients([])).toMatchObject({ isReady: false, isAlive: true });
});
