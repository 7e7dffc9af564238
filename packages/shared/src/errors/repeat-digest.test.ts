import { expect, test } from 'vitest';
import { RepeatDigest } from './repeat-digest.ts';

/**
 * Adds one every `everyMs` until `untilMs`. Returns what is reported and when; a count of 1 is a message reported at
 * once.
 */
function run(digest: RepeatDigest, everyMs: number, untilMs: number): [atMs: number, count: number][] {
  const told: [number, number][] = [];
  for (let now = 0; now < untilMs; now += everyMs) {
    if (now >= digest.deadline) told.push([now, digest.take(now)]);
    if (digest.add(now)) told.push([now, 1]);
  }
  return told;
}

test('tells the first at once, sums after 10 s, then after twice as long, up to 60 s', () => {
  const digest = new RepeatDigest();
  expect(run(digest, 100, 260_000)).toEqual([
    [0, 1],
    [10_000, 99],
    [30_000, 200],
    [70_000, 400],
    [130_000, 600],
    [190_000, 600],
    [250_000, 600],
  ]);
  expect(digest.takeAll()).toBe(100);
  expect(digest.takeAll()).toBe(0);
});

test('loses none, whatever the rhythm', () => {
  for (const everyMs of [1, 7, 999, 5_000, 9_999, 10_000, 30_000]) {
    const digest = new RepeatDigest();
    const told = run(digest, everyMs, 300_000);
    const count = told.reduce((sum, [, each]) => sum + each, 0) + digest.takeAll();
    expect(count).toBe(Math.ceil(300_000 / everyMs));
  }
});

test('never tells more than one line in ten seconds', () => {
  for (const everyMs of [1, 7, 999, 5_000, 9_999]) {
    const times = run(new RepeatDigest(), everyMs, 300_000).map(([atMs]) => atMs);
    const gaps = times.slice(1).map((atMs, index) => atMs - times[index]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
  }
});

test('after a quiet time the next is a first again', () => {
  const digest = new RepeatDigest();
  expect(digest.add(0)).toBe(true);
  expect(digest.add(1)).toBe(false);
  expect(digest.deadline).toBe(10_000);
  expect(digest.take(9_999)).toBe(0);
  expect(digest.take(10_000)).toBe(1);
  expect(digest.deadline).toBe(Infinity);
  expect(digest.isQuiet(29_999)).toBe(false);
  expect(digest.isQuiet(30_000)).toBe(true);
  expect(digest.add(30_000)).toBe(true);
  expect(digest.add(30_001)).toBe(false);
  expect(digest.deadline).toBe(40_000);
});

test('can tell several at once before it begins to count', () => {
  const digest = new RepeatDigest(3);
  expect([0, 1, 2, 3, 4].map((now) => digest.add(now))).toEqual([true, true, true, false, false]);
  expect(digest.take(10_000)).toBe(2);
  expect(digest.add(10_001)).toBe(false);
});
