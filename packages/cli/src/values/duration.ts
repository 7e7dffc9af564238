import { type Given, unusable } from './given.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const HINT = 'a duration is a number with a unit, as in 500ms, 8s, 2m or 1h; without a unit it is seconds';

/** Node's timers fire at once if set for longer than 2^31 ms, which is slightly more. */
const MAX_HOURS = 500;

/** Reads `500ms`, `8s`, `2m`, `1h`, or a bare number of seconds, into ms. */
export function parseDuration(given: Given, limits: { readonly minMs?: number } = {}): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(given.text) ?? [];
  if (number === undefined) throw unusable(given, 'not a valid duration', HINT);
  const durationMs = Math.round(Number(number) * (UNITS_MS[unit] ?? 0));
  if (durationMs > MAX_HOURS * 3_600_000) throw unusable(given, 'too long', `give at most ${MAX_HOURS}h`);
  const { minMs = 0 } = limits;
  if (durationMs < minMs) throw unusable(given, 'too short', `give at least ${formatDuration(minMs)}`);
  return durationMs;
}

/** A duration in a short form for people: `250ms`, `1.5s`, `42s`, `3m 5s`, `2h 10m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 9950) return `${Number((durationMs / 1000).toFixed(1))}s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'm');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`;
}
