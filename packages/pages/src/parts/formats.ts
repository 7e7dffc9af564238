const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `999 B`, `2.1 kB` */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** `3 ms`, `1.2 s`, `4 min` */
export function formatMs(ms: number): string {
  if (ms < 999.5) return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** `08:05:09` in the local time zone. */
export function formatTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}
