import { expect, test } from 'vitest';
import { readRequestHead } from './request-head.ts';

function read(rawHeaders: readonly string[], rest: { method?: string; url?: string; httpVersion?: string } = {}) {
  const { method = 'GET', url = '/', httpVersion = '1.1' } = rest;
  return readRequestHead({ method, url, httpVersion, rawHeaders: [...rawHeaders] });
}

test.each([
  ['shop.example.org', 'shop.example.org'],
  ['Shop.Example.ORG:8080', 'shop.example.org'],
  ['shop.example.org.', 'shop.example.org'],
  ['shop.example.org.:1', 'shop.example.org'],
  ['shop:', 'shop'],
  ['[::1]:80', '[::1]'],
  ['', ''],
])('Host %j names %j', (authority, host) => {
  expect(read(['Host', authority])).toMatchObject({ host, authority });
});

test.each([
  'a@b',
  'user:pass@shop',
  'shop:99999',
  'shop:80:80',
  'shop/path',
  'shop?x',
  'shop#x',
  'shop\\x',
  'a b',
  'shop,other',
  'shop%2ecom',
  '[::1',
  '::1',
  '[::1]x',
  '<script>',
])('Host %j is refused', (authority) => {
  expect(read(['Host', authority])).toMatchObject({ status: 400 });
});

test('a request without a Host is for nobody', () => {
  expect(read([], { httpVersion: '1.0' })).toMatchObject({ host: '' });
});

test('a request of HTTP/1.1 has a Host', () => {
  expect(read([])).toMatchObject({ status: 400 });
});

test.each([{ httpVersion: '0.9' }, { httpVersion: '2.0' }, { httpVersion: '1.0', method: 'DESCRIBE' }])(
  'what Node takes for a request, and no other reader does, is refused: %j',
  (rest) => {
    expect(read(['Host', 'shop'], rest)).toMatchObject({ status: 400 });
  },
);

test('two Host headers are refused, also if they are equal', () => {
  expect(read(['Host', 'a', 'host', 'a'])).toMatchObject({ status: 400 });
});

test.each([
  ['http://shop/a?b', 'shop', '/a?b'],
  ['HTTP://SHOP:80/a', 'shop:80', '/a'],
  ['http://shop', 'shop', '/'],
  ['http://shop?x', 'shop', '/?x'],
])('the absolute target %s agrees with Host %s', (url, authority, target) => {
  expect(read(['Host', authority], { url })).toMatchObject({ host: 'shop', target });
});

test.each(['http://other/', 'http:///', 'http://a@shop/', 'ftp://shop/', 'shop:80', 'x', '*'])(
  'the target %s is refused',
  (url) => expect(read(['Host', 'shop'], { url })).toMatchObject({ status: 400 }),
);

test.each(['TRACE', 'CONNECT'])('%s is refused', (method) => {
  expect(read(['Host', 'shop'], { method })).toMatchObject({ status: 405 });
});

test('an asterisk is for OPTIONS', () => {
  expect(read(['Host', 'shop'], { url: '*', method: 'OPTIONS' })).toMatchObject({ target: '*' });
});

test.each([
  ['gzip', 'gzip'],
  ['gzip, chunked', 'gzip, chunked'],
  ['chunked, chunked', 'chunked, chunked'],
  ['identity', 'identity'],
  ['xchunked', 'xchunked'],
])('Transfer-Encoding %s is refused', (_name, coding) => {
  expect(read(['Host', 'shop', 'Transfer-Encoding', coding])).toMatchObject({ status: 400 });
});

test('Transfer-Encoding is refused twice, beside a Content-Length, and in HTTP/1.0', () => {
  const chunked = ['Transfer-Encoding', 'chunked'];
  expect(read(['Host', 'shop', ...chunked])).toMatchObject({ host: 'shop' });
  expect(read(['Host', 'shop', ...chunked, ...chunked])).toMatchObject({ status: 400 });
  expect(read(['Host', 'shop', ...chunked, 'Content-Length', '3'])).toMatchObject({ status: 400 });
  expect(read(['Host', 'shop', ...chunked], { httpVersion: '1.0' })).toMatchObject({ status: 400 });
});

test('too many headers are 431', () => {
  const headers = (count: number): string[] => Array.from({ length: 2 * count }, () => 'x');
  expect(read(['Host', 'shop', ...headers(999)])).toMatchObject({ host: 'shop' });
  expect(read(['Host', 'shop', ...headers(1000)])).toMatchObject({ status: 431 });
});
