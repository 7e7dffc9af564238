import { TunnelError } from '@tunnel/shared';
import { expect, test } from 'vitest';

import { formatProxyAddress, parseProxyAddress } from './proxy-address.ts';

test.each([
  ['proxy', 'http://proxy:80'],
  ['proxy:3128', 'http://proxy:3128'],
  ['HTTP://Proxy.Example:3128/', 'http://proxy.example:3128'],
  ['https://proxy', 'https://proxy:443'],
  ['socks5://127.0.0.1', 'socks5://127.0.0.1:1080'],
  ['socks5h://[::1]:9050', 'socks5h://[::1]:9050'],
  ['socks://proxy:1080/', 'socks5://proxy:1080'],
])('%s is %s', (text, formatted) => {
  const proxy = parseProxyAddress(text);
  expect(formatProxyAddress(proxy)).toBe(formatted);
  expect(proxy.credentials).toBeUndefined();
});

test.each([
  ['http://me:word@proxy', 'me', 'word'],
  ['me:word@proxy', 'me', 'word'],
  ['http://me@proxy', 'me', ''],
  ['http://:word@proxy', '', 'word'],
  ['http://a%40b:p%3Aw%2F%25@proxy', 'a@b', 'p:w/%'],
  ['http://me:p@ss:w/rd#?@proxy', 'me', 'p@ss:w/rd#?'],
])('%s logs in, and is not shown with it', (text, user, password) => {
  const proxy = parseProxyAddress(text);
  expect(proxy.credentials).toEqual({ user, password });
  expect(formatProxyAddress(proxy)).toBe('http://proxy:80');
});

test.each([
  ['', 'the host is missing'],
  ['ftp://proxy', 'the scheme is none of'],
  ['socks4://proxy', 'the scheme is none of'],
  ['http://proxy/path', 'not a valid host'],
  ['http://proxy:0', 'the port is not'],
  ['http://::1', 'an IPv6 address needs brackets'],
  ['http://me:hidden%@proxy', 'a percent sign'],
  ['ftp://me:hidden@proxy', 'the scheme is none of'],
  ['http://me:hidden@', 'the host is missing'],
  [`socks5://me:${'hidden'.repeat(50)}@proxy`, 'too long for SOCKS'],
])('"%s" is none: %s', (text, reason) => {
  let error: unknown;
  try {
    parseProxyAddress(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TunnelError);
  expect(error).toMatchObject({ code: 'usage', detail: expect.stringContaining(reason) as string });
  expect(String(error)).not.toContain('hidden');
});
