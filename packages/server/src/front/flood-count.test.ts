import { expect, test } from 'vitest';
import { FloodCount } from './flood-count.ts';

test('as many as the limit are no flood, one more is, and then the next window begins', () => {
  const flood = new FloodCount(2, 1_000);
  expect([flood.add(0), flood.add(1), flood.add(999), flood.add(1_000), flood.add(1_001), flood.add(1_002)]).toEqual([
    false,
    false,
    true,
    false,
    false,
    true,
  ]);
});
