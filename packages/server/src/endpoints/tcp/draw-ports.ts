import { randomInt } from 'node:crypto';
import type { PortRange } from '../../access/port-ranges.ts';

/** Ports of these ranges (without overlaps) in random order: all if there are at most `limit`, else about as many. */
export function drawPorts(ranges: readonly PortRange[], limit: number): readonly number[] {
  const count = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const portAt = (index: number): number => {
    let rest = index;
    for (const { first, last } of ranges) {
      if (rest <= last - first) return first + rest;
      rest -= last - first + 1;
    }
    throw new RangeError('the index is beyond the ranges');
  };
  const drawn = new Set<number>();
  if (count > limit) {
    for (let draw = 0; draw < limit; draw += 1) drawn.add(portAt(randomInt(count)));
    return [...drawn];
  }
  const left = Array.from({ length: count }, (_, index) => portAt(index));
  while (left.length > 0) {
    const [port] = left.splice(randomInt(left.length), 1);
    if (port !== undefined) drawn.add(port);
  }
  return [...drawn];
}
