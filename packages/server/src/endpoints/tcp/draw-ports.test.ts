import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { includesPort, mergeRanges, type PortRange } from '../../access/port-ranges.ts';
import { drawPorts } from './draw-ports.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const range = fc
  .tuple(port, fc.integer({ min: 0, max: 300 }))
  .map(([first, more]): PortRange => ({ first, last: Math.min(65_535, first + more) }));
const ranges = fc.array(range, { maxLength: 8 });

test('all ports of small ranges are drawn, and some of large ones', () => {
  fc.assert(
    fc.property(ranges, (some) => {
      const merged = mergeRanges(some);
      const count = merged.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      const drawn = drawPorts(merged, 64);
      expect(new Set(drawn).size).toBe(drawn.length);
      expect(drawn.every((each) => includesPort(merged, each))).toBe(true);
      expect(count <= 64 ? drawn.length === count : drawn.length > 0).toBe(true);
    }),
  );
});
