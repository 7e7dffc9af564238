import { expect, test } from 'vitest';
import type { ExchangeSummary } from '../api/inspector.ts';
import { type Filter, filtered, NO_FILTER } from './filter.ts';

const EXCHANGES = [
  { id: 1, method: 'GET', path: '/Items', status: 200 },
  { id: 2, method: 'POST', path: '/items', status: 404 },
  { id: 3, method: 'GET', path: '/', status: null },
  { id: 4, method: 'GET', path: '/a', status: 500 },
] as unknown as readonly ExchangeSummary[];

test.each<readonly [Partial<Filter>, readonly number[]]>([
  [{}, [1, 2, 3, 4]],
  [{ method: 'GET' }, [1, 3, 4]],
  [{ status: '4xx' }, [2]],
  [{ status: '5' }, [4]],
  [{ status: '404' }, [2]],
  [{ path: 'ITEM' }, [1, 2]],
  [{ path: 'item', method: 'GET', status: '2XX' }, [1]],
])('%j lets %j through', (filter, ids) => {
  expect(filtered(EXCHANGES, { ...NO_FILTER, ...filter }, undefined).map(({ id }) => id)).toEqual(ids);
});

test('and what contains the text', () => {
  const ids = filtered(EXCHANGES, { ...NO_FILTER, method: 'GET' }, new Set([2, 3])).map(({ id }) => id);
  expect(ids).toEqual([3]);
});
