import type { Repeats } from '../output/reporter.ts';

/** What is put behind a line that stands for several; empty for one that stands for itself. */
export function repeatedText(repeats: Repeats | undefined): string {
  if (!repeats) return '';
  const times = repeats.count === 1 ? 'once' : `${repeats.count} times`;
  return ` (${times} since the last line${repeats.areMixed ? ', with others like it' : ''})`;
}

/** `repeats`: like events since the last line, of which this is the last; `mixed`: not all of them from there. */
export function repeatFields(repeats: Repeats | undefined): { readonly repeats?: number; readonly mixed?: true } {
  if (!repeats) return {};
  return { repeats: repeats.count, ...(repeats.areMixed && { mixed: true }) };
}
