import { expect, test } from 'vitest';

import { parseRetryAfter } from './retry-after.ts';

const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');

test.each([
  [undefined, undefined, undefined],
  ['0', undefined, 0],
  ['120', undefined, 120_000],
  ['9'.repeat(400), undefined, Number.POSITIVE_INFINITY],
  ['-1', undefined, undefined],
  ['1.5', undefined, undefined],
  ['', undefined, undefined],
  ['soon', undefined, undefined],
  ['Wed, 21 Oct 2015 07:28:30 GMT', undefined, 30_000],
  ['Wed, 21 Oct 2015 07:28:30 GMT', 'no date', 30_000],
  ['Wed, 21 Oct 2015 07:28:30 GMT', 'Wed, 21 Oct 2015 07:28:20 GMT', 10_000],
  ['Wed, 21 Oct 2015 07:27:00 GMT', undefined, undefined],
])('Retry-After: %s, Date: %s', (retryAfter, date, expected) => {
  expect(parseRetryAfter({ retryAfter, date }, now)).toBe(expected);
});
