import { expect, test } from 'vitest';
import { hostNameFault, isBelow, parentOf, parseHostName } from './host-name.ts';

test.each([
  ['shop.example.org', 'shop.example.org'],
  ['Shop.EXAMPLE.org.', 'shop.example.org'],
  ['localhost', 'localhost'],
  ['my_app.example.org', 'my_app.example.org'],
  ['_dmarc.example.org', '_dmarc.example.org'],
  ['a--b.example.org', 'a--b.example.org'],
  ['3000.example.org', '3000.example.org'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  [`${'a'.repeat(63)}.org`, `${'a'.repeat(63)}.org`],
  [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
])('%s is the host name %s', (text, name) => {
  expect(parseHostName(text)).toBe(name);
  expect(parseHostName(name)).toBe(name);
});

test.each([
  ['', 'not a host name'],
  ['.', 'a host name has no empty parts'],
  ['.example.org', 'a host name has no empty parts'],
  ['shop..example.org', 'a host name has no empty parts'],
  ['shop.example.org..', 'a host name has no empty parts'],
  [`${'a'.repeat(64)}.org`, 'a part of a host name has at most 63 characters'],
  [`${'ü'.repeat(60)}.org`, 'not a host name'],
  [`${'a.'.repeat(126)}aa`, 'a host name has at most 253 characters'],
  ['127.0.0.1', 'an IP address is not a host name'],
  ['127.0.0.1.', 'an IP address is not a host name'],
  ['0x7f.1', 'an IP address is not a host name'],
  ['2130706433', 'an IP address is not a host name'],
  ['::1', 'an IP address is not a host name'],
  ['shop.123', 'not a host name'],
  ['-shop.example.org', 'not a host name'],
  ['shop-.example.org', 'not a host name'],
  ['xn--a', 'not a host name'],
  ['*.example.org', 'not a host name'],
  ['shop.example.org:80', 'not a host name'],
  ['user@example.org', 'not a host name'],
  ['example.org/path', 'not a host name'],
  ['exam%70le.org', 'not a host name'],
  ['example.org\n', 'not a host name'],
  ['exa\u00admple.org', 'not a host name'],
  ['http://example.org', 'not a host name'],
])('%j is none: %s', (text, fault) => {
  expect(parseHostName(text)).toBeUndefined();
  expect(hostNameFault(text)).toBe(fault);
});

test('a name is below what follows one of its dots', () => {
  expect(isBelow('a.b.example.org', 'example.org')).toBe(true);
  expect(isBelow('example.org', 'example.org')).toBe(false);
  expect(isBelow('anexample.org', 'example.org')).toBe(false);
  expect([parentOf('a.b.example.org'), parentOf('localhost')]).toEqual(['b.example.org', '']);
});
