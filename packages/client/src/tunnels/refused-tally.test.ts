import { expect, it } from 'vitest';
import { RefusedTally } from './refused-tally.ts';

it('adds up over sessions what is told as a sum within each', () => {
  const tally = new RefusedTally();
  expect(tally.told({ denied: 0, overLimit: 0 })).toBe(false);
  expect(tally.told({ denied: 2, overLimit: 0 })).toBe(true);
  expect(tally.told({ denied: 5, overLimit: 1 })).toBe(true);
  // The same again on the next link.
  expect(tally.told({ denied: 5, overLimit: 1 })).toBe(false);
  expect(tally.told({ denied: 3, overLimit: 1 })).toBe(false);
  expect(tally.total).toEqual({ denied: 5, overLimit: 1 });
  tally.tunnelClosed();
  expect(tally.total).toEqual({ denied: 5, overLimit: 1 });
  expect(tally.told({ denied: 1, overLimit: 0 })).toBe(true);
  tally.tunnelClosed();
  tally.tunnelClosed();
  expect(tally.told({ denied: 0, overLimit: 4 })).toBe(true);
  expect(tally.total).toEqual({ denied: 6, overLimit: 5 });
});
