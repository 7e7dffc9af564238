import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import type { Upstream } from './messages/upstream.ts';
import { type GiveBack, UpstreamPool } from './upstream-pool.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const attributes: VisitorAttributes = { address: '127.0.0.1', port: 1, destinationPort: 2 };

function makePool(): { pool: UpstreamPool; opened: () => number; closed: () => number; take: () => Taken } {
  let opened = 0;
  let closed = 0;
  const pool = new UpstreamPool(() => {
    opened += 1;
    return { isUsed: false, request: () => 'stopped', close: () => (closed += 1) } satisfies Upstream;
  });
  const take = (): Taken => {
    const taken: Taken = { upstream: undefined, giveBack: () => {} };
    taken.giveBack = pool.take(attributes, (upstream) => (taken.upstream = upstream));
    return taken;
  };
  return { pool, opened: () => opened, closed: () => closed, take };
}

interface Taken {
  upstream: Upstream | undefined;
  giveBack: GiveBack;
}

test('one that was given back is used again', () => {
  const { take, opened } = makePool();
  const first = take();
  first.giveBack();
  first.giveBack();
  expect(take().upstream).toBe(first.upstream);
  expect(opened()).toBe(1);
});

test('beyond sixteen a request waits for one, and opens another after a second', () => {
  const { take, opened } = makePool();
  const taken = Array.from({ length: 16 }, take);
  const [next, late, left] = [take(), take(), take()];
  expect([opened(), next.upstream]).toEqual([16, undefined]);
  left.giveBack();
  taken[3]?.giveBack();
  expect(next.upstream).toBe(taken[3]?.upstream);
  vi.advanceTimersByTime(1_000);
  expect([opened(), late.upstream !== undefined, left.upstream]).toEqual([17, true, undefined]);
});

test('those beyond sixteen, and all once it is closed, are closed when they come back', () => {
  const { pool, take, closed } = makePool();
  const taken = Array.from({ length: 17 }, take);
  vi.advanceTimersByTime(1_000);
  for (const each of taken) each.giveBack();
  expect(closed()).toBe(1);
  const last = take();
  pool.close();
  last.giveBack();
  expect(closed()).toBeGreaterThanOrEqual(17);
});
