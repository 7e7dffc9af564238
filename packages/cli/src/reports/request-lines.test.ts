import type { ClientEvents } from '@tunnel/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestLines } from './request-lines.ts';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const request: ClientEvents['request'] = {
  target: { host: 'localhost', port: 3000 },
  method: 'POST',
  path: '/hook',
  status: 200,
  durationMs: 14.2,
  receivedBytes: 7,
  sentBytes: 2_100,
  host: 'shop.example.org',
  address: '192.0.2.1:5',
};

function start(): [string[], (event?: Partial<ClientEvents['request']>, isOneOfSeveral?: boolean) => void, () => void] {
  const lines: string[] = [];
  const requests = new RequestLines(
    (line) => lines.push(line),
    () => Date.now(),
  );
  return [
    lines,
    (event = {}, isOneOfSeveral = false) => requests.add({ ...request, ...event }, isOneOfSeveral),
    () => requests.finish(),
  ];
}

test('a line says what was asked, what came of it, how long that took and how much it was', () => {
  const [lines, add] = start();
  add();
  add({ status: undefined, durationMs: 1_500, sentBytes: 0 }, true);
  add({ path: `/${'x'.repeat(200)}`, sentBytes: 999 });
  expect(lines).toEqual([
    'POST /hook  200  14ms  2.1 kB',
    'POST /hook  no answer  1.5s  0 B  shop.example.org',
    `POST /${'x'.repeat(99)}…  200  14ms  999 B`,
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

test('twenty a second are told one by one', () => {
  const [lines, add] = start();
  for (let second = 0; second < 3; second += 1) {
    for (let count = 0; count < 20; count += 1) add();
    vi.advanceTimersByTime(1_000);
  }
  expect(lines).toHaveLength(60);
});

test('more are one line a second, until they are fewer', () => {
  const [lines, add] = start();
  const burst = (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      add({ status: [200, 404, 500, 302, 403, 401][index % 6], durationMs: index, sentBytes: 1_000 });
    }
    vi.advanceTimersByTime(1_000);
  };
  burst(1_000);
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe(
    '980 more requests: 164 × 500, 164 × 302, 163 × 403, 163 × 401, 326 × others; slowest 999ms; 980 kB',
  );
  burst(600);
  expect(lines.slice(21)).toEqual([
    '600 more requests: 100 × 200, 100 × 404, 100 × 500, 100 × 302, 200 × others; slowest 599ms; 600 kB',
  ]);
  // Few enough to be told, once that is known.
  add({ path: '/few' });
  expect(lines).toHaveLength(22);
  vi.advanceTimersByTime(1_000);
  expect(lines.slice(22)).toEqual(['POST /few  200  14ms  2.1 kB']);
  expect(vi.getTimerCount()).toBe(0);
  add({ path: '/next' });
  expect(lines.at(-1)).toContain('/next');
});

test('a burst and then nothing', () => {
  const [lines, add] = start();
  for (let count = 0; count < 21; count += 1) add();
  vi.advanceTimersByTime(1_000);
  expect(lines.at(-1)).toBe('1 more request: 1 × 200; slowest 14ms; 2.1 kB');
  vi.advanceTimersByTime(10_000);
  expect(lines).toHaveLength(21);
  expect(vi.getTimerCount()).toBe(0);
});

test('what was counted is told before the end', () => {
  const [lines, add, finish] = start();
  for (let count = 0; count < 22; count += 1) add();
  finish();
  expect(lines).toHaveLength(22);
  expect(vi.getTimerCount()).toBe(0);
});
