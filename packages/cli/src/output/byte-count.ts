const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const DECIMAL_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A number of bytes in a short form for people: `512 B`, `1.2 KiB`, `34 MiB`. */
export function formatBytes(bytes: number): string {
  return format(bytes, 1024, UNITS);
}

/** The same as browsers show the size of what they load: `512 B`, `1.2 kB`, `34 MB`. */
export function formatSize(bytes: number): string {
  return format(bytes, 1000, DECIMAL_UNITS);
}

function format(bytes: number, step: number, units: readonly string[]): string {
  if (bytes < step) return `${bytes} B`;
  let amount = bytes;
  let unit = -1;
  // 1023.5 would be shown as 1024.
  while (amount >= step - 0.5 && unit < units.length - 1) {
    amount /= step;
    unit += 1;
  }
  return `${amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}
