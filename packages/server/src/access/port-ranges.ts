export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export function includesPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => port >= first && port <= last);
}

/** The ranges in ascending order, without overlaps. */
export function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push(range);
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return merged;
}

/** The parts of the ranges that lie within the bounds. */
export function clipRanges(ranges: readonly PortRange[], bounds: PortRange): readonly PortRange[] {
  return ranges
    .map(({ first, last }) => ({ first: Math.max(first, bounds.first), last: Math.min(last, bounds.last) }))
    .filter(({ first, last }) => first <= last);
}

/** The ranges in readable form: `8000-8010, 9000`. */
export function formatRanges(ranges: readonly PortRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(', ');
}
