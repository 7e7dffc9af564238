import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { clipRanges, formatRanges, includesPort, mergeRanges, type PortRange } from './port-ranges.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const range = fc
  .tuple(port, fc.integer({ min: 0, max: 300 }))
  .map(([first, more]): PortRange => ({ first, last: Math.min(65_535, first + more) }));
const ranges = fc.array(range, { maxLength: 8 });

test('merging changes no membership, and leaves no overlap and no seam', () => {
  fc.assert(
    fc.property(ranges, port, (some, each) => {
      const merged = mergeRanges(some);
      expect(includesPort(merged, each)).toBe(includesPort(some, each));
      const gaps = merged.slice(1).map(({ first }, index) => first - (merged[index]?.last ?? 0));
      expect(gaps.every((gap) => gap > 1)).toBe(true);
    }),
  );
});

test('clipping is the intersection', () => {
  fc.assert(
    fc.property(ranges, range, port, (some, bounds, each) => {
      const isInBoth = includesPort(some, each) && includesPort([bounds], each);
      expect(includesPort(clipRanges(some, bounds), each)).toBe(isInBoth);
    }),
  );
});

test('ranges are written as they are read', () => {
  expect(
    formatRanges([
      { first: 8000, last: 8010 },
      { first: 9000, last: 9000 },
    ]),
  ).toBe('8000-8010, 9000');
});
