import { expect, test } from 'vitest';
import { readHttp2Head } from './http2-head.ts';

const GET = [':method', 'GET', ':scheme', 'https', ':authority', 'shop', ':path', '/a'];

test('a head in terms of HTTP/1.1', () => {
  expect(readHttp2Head([...GET, 'x', 'y'], true)).toEqual({
    method: 'GET',
    url: '/a',
    rawHeaders: ['host', 'shop', 'x', 'y'],
    hasBody: false,
    refusal: undefined,
  });
});

test('a body without a length is chunked', () => {
  expect(readHttp2Head(GET, false).rawHeaders).toEqual(['host', 'shop', 'transfer-encoding', 'chunked']);
  expect(readHttp2Head([...GET, 'content-length', '5'], false).rawHeaders).not.toContain('chunked');
});

test.each([
  ['two hosts', [...GET, 'host', 'other'], 400],
  ['a target with a space', [':method', 'GET', ':authority', 'shop', ':path', '/ HTTP/1.1'], 400],
  ['a target with a line', [':method', 'GET', ':authority', 'shop', ':path', '/\r\nX: y'], 400],
  ['a head beyond 64 KiB', [...GET, 'x', 'y'.repeat(65_536)], 431],
])('%s is refused', (_name, fields, status) => {
  expect(readHttp2Head(fields, true).refusal).toMatchObject({ status });
});

test('a Host header that agrees with the authority is one host', () => {
  const { refusal, rawHeaders } = readHttp2Head([...GET, 'host', 'shop'], true);
  expect([refusal, rawHeaders]).toEqual([undefined, ['host', 'shop']]);
});
