import { describe, expect, test } from 'vitest';
import type { ClientReport } from './client-report.ts';
import { formatBytes } from '../output/byte-count.ts';
import { noneText, retryText, statusText, watchHeading } from './status-text.ts';

const now = new Date(2026, 0, 2, 8, 5, 9);
const ago = (ms: number): string => new Date(now.getTime() - ms).toISOString();

const ready: ClientReport = {
  pid: 4242,
  state: 'ready',
  since: ago(185_000),
  server: 'ws://example.org:7835',
  proxy: null,
  tunnels: [
    {
      name: null,
      target: 'localhost:3000',
      url: 'tcp://example.org:8001',
      port: 8001,
      urls: null,
      open: true,
      refused: 0,
      idle: 0,
    },
  ],
  roundTripMs: 23,
  streams: 2,
  bytesIn: 1_258_291,
  bytesOut: 512,
  reconnects: 0,
  resumedStreams: 0,
  lostStreams: 0,
  lastError: null,
  nextAttempt: null,
};

const waiting: ClientReport = {
  ...ready,
  state: 'waiting',
  since: ago(86_400_000),
  tunnels: [
    {
      name: null,
      target: 'localhost:3000',
      url: 'tcp://example.org:8001',
      port: 8001,
      urls: null,
      open: false,
      refused: 0,
      idle: 0,
    },
    { name: null, target: '[::1]:1', url: null, port: null, urls: null, open: false, refused: 7, idle: 2 },
  ],
  roundTripMs: null,
  reconnects: 3,
  resumedStreams: 4,
  lostStreams: 1,
  lastError: {
    code: 'tcp-refused',
    reason: 'connection refused: 192.0.2.1:7835',
    hint: 'is it running?',
    at: ago(4_000),
  },
  nextAttempt: { attempt: 7, inMs: 21_000, at: ago(-21_000) },
};

describe('status text', () => {
  const text = (clients: Parameters<typeof statusText>[0], columns = Infinity): readonly string[] =>
    statusText(clients, { now, columns });

  test('of a client that is ready says only what there is', () => {
    expect(text([{ ...ready, proxy: 'http://proxy:3128' }])).toContain(
      '  server        ws://example.org:7835, through http://proxy:3128',
    );
    expect(text([ready])).toEqual([
      'tcp://example.org:8001 -> localhost:3000',
      '  state         ready for 3m 5s, since 08:02:04',
      '  server        ws://example.org:7835',
      '  round trip    23ms',
      '  connections   2 open',
      '  traffic       1.2 MiB in, 512 B out',
      '  process       4242',
    ]);
  });

  test('of one that waits says why, since when and when the next attempt is', () => {
    expect(text([waiting])).toEqual([
      'tcp://example.org:8001 -> localhost:3000 (not open)',
      '[::1]:1, no public address yet',
      '  state         waiting; not ready for 24h, since 2026-01-01 08:05:09',
      '  next attempt  in 21s (attempt 7); `tunnel retry` tries at once',
      '  last error    4s ago, tcp-refused: connection refused: 192.0.2.1:7835',
      '  what to do    is it running?',
      '  server        ws://example.org:7835',
      '  connections   2 open; 4 carried over a break, 1 lost',
      '  kept out      7 visitors',
      '  reset as idle 2 visitors',
      '  traffic       1.2 MiB in, 512 B out',
      '  reconnects    3',
      '  process       4242',
    ]);
  });

  test('counts nothing below zero where the client is ahead', () => {
    const [, state, next] = text([{ ...waiting, since: ago(-5), nextAttempt: { attempt: 1, inMs: 0, at: ago(5) } }]);
    expect(state).toContain('no public address');
    expect(next).toContain('not ready for 0ms');
    expect(text([{ ...waiting, nextAttempt: { attempt: 1, inMs: 0, at: ago(5) } }])[3]).toContain('now (attempt 1)');
  });

  test('separates clients, and names those that do not answer', () => {
    expect(
      text([
        { ...ready, tunnels: [] },
        { pid: 7, state: 'unknown', problem: 'it does not answer' },
      ]),
    ).toEqual([
      ...text([{ ...ready, tunnels: [] }]),
      '',
      'client, process 7',
      '  state         unknown: it does not answer',
    ]);
  });

  test('is folded between words, below its label where there is little room, and never inside of an address', () => {
    expect(text([waiting], 44).slice(3, 9)).toEqual([
      '  state         waiting; not ready for 24h,',
      '                since 2026-01-01 08:05:09',
      '  next attempt  in 21s (attempt 7); `tunnel',
      '                retry` tries at once',
      '  last error    4s ago, tcp-refused:',
      '                connection refused:',
    ]);
    expect(text([ready], 20).slice(0, 8)).toEqual([
      'tcp://example.org:8001',
      '-> localhost:3000',
      '  state',
      '    ready for 3m 5s,',
      '    since 08:02:04',
      '  server',
      '    ws://example.org:7835',
      '  round trip',
    ]);
    for (let columns = 1; columns < 120; columns += 1) {
      const words = text([ready, waiting], columns).join(' ').split(/\s+/);
      expect(words).toEqual(text([ready, waiting]).join(' ').split(/\s+/));
    }
  });
});

test('what a retry did', () => {
  expect([
    retryText(waiting),
    retryText({ ...waiting, lastError: null }),
    retryText(ready),
    retryText({ ...ready, state: 'connecting' }),
    retryText({ ...ready, state: 'stopping' }),
    retryText({ pid: 7, state: 'unknown', problem: 'it does not answer' }),
  ]).toEqual([
    'process 4242, localhost:3000 [::1]:1: tries now (last error: connection refused: 192.0.2.1:7835)',
    'process 4242, localhost:3000 [::1]:1: tries now',
    'process 4242, localhost:3000: is connected, nothing to do',
    'process 4242, localhost:3000: is trying already',
    'process 4242, localhost:3000: is stopping',
    'process 7: unknown: it does not answer',
  ]);
});

test('nobody there, and the heading of a watch', () => {
  expect(noneText('/s', undefined)).toBe('no client runs with the state directory /s');
  expect(noneText('/s', 5)).toBe('no client with process id 5 runs with the state directory /s');
  expect(watchHeading(1, now)).toBe('08:05:09  1 client; Ctrl-C ends');
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [10_188, '9.9 KiB'],
  [10_190, '10 KiB'],
  [1_048_063, '1023 KiB'],
  [1_048_065, '1.0 MiB'],
  [2 ** 40, '1.0 TiB'],
  [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
