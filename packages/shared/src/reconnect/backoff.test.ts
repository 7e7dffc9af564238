import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { Backoff, FLOOR_DELAY_MS, GREATEST_DELAY_MS } from './backoff.ts';

function firstDelays(random: number, count: number): number[] {
  const delays: number[] = [];
  for (let backoff = new Backoff(); delays.length < count; backoff = backoff.next()) {
    delays.push(backoff.delayMs(() => random));
  }
  return delays;
}

describe('the sequence', () => {
  test.each([
    [0, [50, 50, 50, 50, 50, 50, 50, 50, 50, 50]],
    [0.5, [150, 275, 525, 1025, 2025, 4025, 8025, 15025, 15025, 15025]],
    [1 - Number.EPSILON, [249, 499, 999, 1999, 3999, 7999, 15999, 29999, 29999, 29999]],
  ])('with random %d', (random, expected) => {
    expect(firstDelays(random, 10)).toEqual(expected);
  });

  test('goes back to the start', () => {
    const backoff = new Backoff(1_000, 7);
    expect(backoff.ceilingMs).toBe(1_000);
    expect(backoff.start().ceilingMs).toBe(250);
    expect(backoff.start().maxDelayMs).toBe(1_000);
  });

  test('is a value: next() leaves it as it was', () => {
    const backoff = new Backoff();
    backoff.next();
    expect(backoff.count).toBe(0);
  });
});

describe('the cap', () => {
  test.each([8, 2_839, 2 ** 31, 2 ** 53, Number.MAX_VALUE, Number.POSITIVE_INFINITY])('holds at count %d', (count) => {
    const backoff = new Backoff(30_000, count);
    expect(backoff.ceilingMs).toBe(30_000);
    expect(backoff.delayMs(() => 0)).toBe(50);
    expect(backoff.delayMs(() => 0.5)).toBe(15_025);
    expect(backoff.next().ceilingMs).toBe(30_000);
    expect(backoff.next().next().count).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });

  test('may be as low as the floor and as high as a timer waits', () => {
    expect(new Backoff(FLOOR_DELAY_MS, 9).delayMs(() => 0.99)).toBe(50);
    expect(new Backoff(GREATEST_DELAY_MS, 2 ** 53).ceilingMs).toBe(GREATEST_DELAY_MS);
  });

  test.each([0, 49, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('cannot be %d', (maxDelayMs) => {
    expect(() => new Backoff(maxDelayMs)).toThrow(RangeError);
  });

  test.each([-1, Number.NaN])('the count cannot be %d', (count) => {
    expect(() => new Backoff(30_000, count)).toThrow(RangeError);
  });

  test('holds with the floor for every cap, count and random number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: FLOOR_DELAY_MS, max: GREATEST_DELAY_MS }),
        fc.oneof(fc.nat(100), fc.maxSafeNat()),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (maxDelayMs, count, random) => {
          const delayMs = new Backoff(maxDelayMs, count).delayMs(() => random);
          expect(Number.isSafeInteger(delayMs)).toBe(true);
          expect(delayMs).toBeGreaterThanOrEqual(FLOOR_DELAY_MS);
          expect(delayMs).toBeLessThanOrEqual(maxDelayMs);
        },
      ),
    );
  });
});
