import { expect, test } from 'vitest';
import { normalHostName, problemOfHostHeader, problemOfHostName } from './host-name.ts';

test.each([
  ['shop', 'shop'],
  ['Shop.Example.ORG.', 'shop.example.org'],
  ['a_b-c.example', 'a_b-c.example'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['x'.repeat(63), 'x'.repeat(63)],
])('%s is a name', (text, normal) => {
  expect(problemOfHostName(text)).toBeUndefined();
  expect(normalHostName(text)).toBe(normal);
});

test.each([
  ['', 'the name is missing'],
  ['.', 'no empty parts'],
  ['a..b', 'no empty parts'],
  ['.a', 'no empty parts'],
  ['http://shop', 'no scheme, port, path or blank'],
  ['shop:80', 'no scheme, port, path or blank'],
  ['a b', 'no scheme, port, path or blank'],
  ['127.0.0.1', 'an IP address'],
  ['[::1]', 'no scheme, port, path or blank'],
  ['1.2', 'an IP address'],
  ['7', 'an IP address'],
  ['-a', 'not a host name'],
  ['a-.b', 'not a host name'],
  ['a,b', 'not a host name'],
  ['*.example.org', 'not a host name'],
  [`${'x'.repeat(64)}.example`, 'at most 63 characters'],
  [Array.from({ length: 5 }, () => 'x'.repeat(50)).join('.'), 'at most 253 characters'],
])('%s is none', (text, reason) => {
  expect(problemOfHostName(text)).toContain(reason);
});

test.each(['app', 'app.lan:8080', '127.0.0.1:1', '[::1]', '[::1]:65535'])('a Host can be %s', (text) => {
  expect(problemOfHostHeader(text)).toBeUndefined();
});

test.each(['', ':80', 'a:0', 'a:65536', '[::1', '[app]:1', 'a/b', 'a\r\nb', 'user@a'])('and not %j', (text) => {
  expect(problemOfHostHeader(text)).toBeDefined();
});
