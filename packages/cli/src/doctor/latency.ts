import { formatDuration } from '../values/duration.ts';

/** A short duration for people: below 10 ms with one decimal. */
export function formatLatency(ms: number): string {
  return ms < 9.95 ? `${ms.toFixed(1)}ms` : formatDuration(ms);
}

/** The median; NaN if there are no values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
