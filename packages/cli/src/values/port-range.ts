import { type Given, unusable } from './given.ts';
import { toPort } from './port.ts';

/** The most ports in one range: a limit for mistyped digits. */
const RANGE_LIMIT = 256;

/**
 * Expands `18000-18010` or `host:18000-18010` to its single ports; anything that does not end in a range stays as it
 * is.
 */
export function expandPortRange(given: Given): readonly Given[] {
  const [, prefix = '', firstText = '', lastText = ''] = /^(?!unix:)(.*:)?(\d+)-(\d+)$/.exec(given.text) ?? [];
  if (firstText === '') return [given];
  const first = toPort(firstText);
  const last = toPort(lastText);
  if (!first || !last || last < first) {
    throw unusable(given, 'not a valid port range', 'give the lower port first, from 1 to 65535, as in 18000-18010');
  }
  const count = last - first + 1;
  if (count > RANGE_LIMIT) {
    throw unusable(given, `the range has ${count} ports`, `a range has at most ${RANGE_LIMIT}`);
  }
  return Array.from({ length: count }, (_, index) => ({ ...given, text: `${prefix}${first + index}` }));
}
