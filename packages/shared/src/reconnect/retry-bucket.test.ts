import { expect, test } from 'vitest';

import { RetryBucket } from './retry-bucket.ts';

function taken(bucket: RetryBucket, now: number): { bucket: RetryBucket; count: number } {
  let count = 0;
  let left = bucket.refilled(now);
  for (let rest = left.take(); rest !== undefined; rest = left.take()) {
    left = rest;
    count += 1;
  }
  return { bucket: left, count };
}

test('holds five, gets one back every ten seconds, and never more than five', () => {
  let { bucket, count } = taken(new RetryBucket(), 1_000);
  expect(count).toBe(5);
  ({ bucket, count } = taken(bucket, 10_999));
  expect(count).toBe(0);
  ({ bucket, count } = taken(bucket, 11_000));
  expect(count).toBe(1);
  ({ bucket, count } = taken(bucket, 36_000));
  expect(count).toBe(2);
  ({ bucket, count } = taken(bucket, 10_000_000));
  expect(count).toBe(5);
});

test('loses nothing to a clock that goes back', () => {
  const { bucket } = taken(new RetryBucket(), 100_000);
  expect(taken(bucket, 0).count).toBe(0);
  expect(new RetryBucket().refilled(100_000).refilled(0).retries).toBe(5);
});
