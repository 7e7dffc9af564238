import { expect, test } from 'vitest';
import { parseHostName } from './host-name.ts';
import { matchesHost, parseDomain, parseHostPattern, wildcardParent } from './host-patterns.ts';

test.each([
  ['shop.example.org', 'shop.example.org'],
  ['*.Example.ORG.', '*.example.org'],
  ['*.bücher.example', '*.xn--bcher-kva.example'],
  ['*.localhost', '*.localhost'],
])('%s is the pattern %s', (text, pattern) => {
  expect(parseHostPattern(text)).toBe(pattern);
});

test.each(['', '*', '*.', '**.example.org', '*.*.example.org', 'a.*.org', '*shop.example.org', '*.10.0.0.1'])(
  '%s is none',
  (text) => {
    expect(parseHostPattern(text)).toBeUndefined();
  },
);

test('a wildcard is one label, and no less', () => {
  expect(matchesHost('*.example.org', 'shop.example.org')).toBe(true);
  expect(matchesHost('*.example.org', 'a.shop.example.org')).toBe(false);
  expect(matchesHost('*.example.org', 'example.org')).toBe(false);
  expect(matchesHost('shop.example.org', 'shop.example.org')).toBe(true);
  expect(matchesHost('shop.example.org', 'api.example.org')).toBe(false);
  expect([wildcardParent('*.example.org'), wildcardParent('example.org')]).toEqual(['example.org', undefined]);
});

test('every label fits in front of a domain', () => {
  const domain = `${'a.'.repeat(94)}a`;
  expect(parseDomain(domain)).toBe(domain);
  expect(parseHostName(`${'b'.repeat(63)}.${domain}`)).toBeDefined();
  expect(parseDomain(`${domain}a`)).toBeUndefined();
  expect(parseHostPattern(`*.${domain}a`)).toBeUndefined();
});
