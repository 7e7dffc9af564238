// Holds the table of docs/http.md to the answers that there are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { HEADER_COUNT_LIMIT } from '../../front/http-limits.ts';
import {
  badGateway,
  badRequest,
  LOOP,
  METHOD_REFUSED,
  MISDIRECTED,
  NO_SUCH_HOST,
  type Refusal,
  refusalOf,
  tooManyGuesses,
  UNAUTHORIZED,
  unreadableRequest,
} from './refusals.ts';
import { readRequestHead } from './request-head.ts';

const document = readFileSync(join(import.meta.dirname, '../../../../../docs/http.md'), 'utf8');

function tooManyHeaders(): Refusal {
  const rawHeaders = Array.from({ length: 2 * HEADER_COUNT_LIMIT + 2 }, () => 'X');
  return readRequestHead({ method: 'GET', url: '/', httpVersion: '1.1', rawHeaders }) as Refusal;
}

/** The codes of the product that have an answer of their own. */
function known(): Refusal[] {
  const { words } = refusalOf('anything-else');
  return Object.keys(ERRORS)
    .map(refusalOf)
    .filter((refusal) => refusal.words !== words);
}

test('docs/http.md has every answer of the server, and no other', () => {
  const answers = [
    badRequest(''),
    METHOD_REFUSED,
    MISDIRECTED,
    unreadableRequest('HPE_HEADER_OVERFLOW'),
    unreadableRequest('ERR_HTTP_REQUEST_TIMEOUT'),
    UNAUTHORIZED,
    NO_SUCH_HOST,
    tooManyGuesses(1),
    tooManyHeaders(),
    badGateway(new Error('it ended')),
    badGateway(Object.assign(new Error('no HTTP'), { code: 'HPE_INVALID_CONSTANT' })),
    LOOP,
    ...known(),
  ];
  const rows = [...document.matchAll(/^\| (\d{3}) \| `([a-z-]+)` \| \S/gm)];
  expect(rows.map(([, status, code]) => `${status} ${code}`).toSorted()).toEqual(
    answers.map(({ status, code }) => `${status} ${code}`).toSorted(),
  );
  const unavailable = answers.filter(({ status }) => status === 503);
  expect(unavailable.filter(({ headers }) => headers?.['Retry-After'] === undefined)).toEqual([]);
});
