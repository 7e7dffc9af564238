import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatHostAndPort, formatServerAddress, parseServerAddress, webSocketUrl } from './address.ts';
import { failureOf } from './loopback.fixture.ts';

const ws = { secure: false, path: '/' };
const wss = { secure: true, path: '/' };

describe('reads', () => {
  test.each([
    ['example.com', { ...ws, host: 'example.com', port: 7835 }],
    ['example.com:1', { ...ws, host: 'example.com', port: 1 }],
    ['EXAMPLE.com:65535', { ...ws, host: 'example.com', port: 65_535 }],
    ['example.com.', { ...ws, host: 'example.com.', port: 7835 }],
    ['tunnel_server', { ...ws, host: 'tunnel_server', port: 7835 }],
    ['localhost', { ...ws, host: 'localhost', port: 7835 }],
    ['bücher.example', { ...ws, host: 'xn--bcher-kva.example', port: 7835 }],
    ['192.0.2.1:80', { ...ws, host: '192.0.2.1', port: 80 }],
    ['[::1]', { ...ws, host: '::1', port: 7835 }],
    ['[2001:DB8:0:0::1]:7000', { ...ws, host: '2001:db8::1', port: 7000 }],
    ['[fe80::1%eth0]:7000', { ...ws, host: 'fe80::1%eth0', port: 7000 }],
    ['ws://example.com', { ...ws, host: 'example.com', port: 80 }],
    ['ws://example.com/', { ...ws, host: 'example.com', port: 80 }],
    ['wss://example.com', { ...wss, host: 'example.com', port: 443 }],
    ['WSS://example.com:7835/a/../b', { ...wss, host: 'example.com', port: 7835, path: '/b' }],
    ['ws://[::1]:80/über uns'.replace(' ', '-'), { ...ws, host: '::1', port: 80, path: '/%C3%BCber-uns' }],
    ['wss://example.com//a:b@c/', { ...wss, host: 'example.com', port: 443, path: '//a:b@c/' }],
  ])('%s', (text, expected) => {
    expect(parseServerAddress(text)).toEqual(expected);
  });
});

describe('refuses', () => {
  test.each([
    ['', 'it is empty'],
    [' example.com', 'it contains a space'],
    ['example.com\n', 'it contains a space'],
    ['example.com\\x', 'a backslash'],
    ['ftp://example.com', 'the scheme is neither ws nor wss'],
    ['https://example.com', 'the scheme is neither ws nor wss'],
    ['://example.com', 'the scheme is neither ws nor wss'],
    ['example.com/path', 'a path needs ws:// or wss:// before the host'],
    ['//example.com', 'a path needs ws:// or wss:// before the host'],
    ['ws://', 'the host is missing'],
    ['ws:///path', 'the host is missing'],
    [':7835', 'the host is missing'],
    ['example.com:', 'the port is not a number from 1 to 65535'],
    ['example.com:0', 'the port is not a number from 1 to 65535'],
    ['example.com:65536', 'the port is not a number from 1 to 65535'],
    ['example.com:080', 'the port is not a number from 1 to 65535'],
    ['example.com:http', 'the port is not a number from 1 to 65535'],
    ['example.com:1e3', 'the port is not a number from 1 to 65535'],
    ['example.com:-1', 'the port is not a number from 1 to 65535'],
    ['::1', 'an IPv6 address needs brackets'],
    ['2001:db8::1:7835', 'an IPv6 address needs brackets'],
    ['[::1', 'an IPv6 address needs brackets'],
    ['::1]:7835', 'an IPv6 address needs brackets'],
    ['[[::1]]:7835', 'an IPv6 address needs brackets'],
    ['[::1]7835', 'an IPv6 address needs brackets'],
    ['[]:7835', 'not a valid host'],
    ['[192.0.2.1]:7835', 'not a valid host'],
    ['[::g]:7835', 'not a valid host'],
    ['[fe80::1%]:7835', 'not a valid host'],
    ['[fe80::1%a%b]:7835', 'not a valid host'],
    ['3000', 'not a valid host'],
    ['127.1', 'not a valid host'],
    ['0x7f.0.0.1', 'not a valid host'],
    ['256.0.0.1', 'not a valid host'],
    ['example..com', 'not a valid host'],
    ['.example.com', 'not a valid host'],
    ['exa mple.com', 'it contains a space'],
    ['exa%6dple.com', 'not a valid host'],
    ['１２７.0.0.１', 'not a valid host'],
    [`${'a'.repeat(64)}.com`, 'not a valid host'],
    ['ws://example.com?x=1', 'a query or fragment cannot be used'],
    ['ws://example.com/path#x', 'a query or fragment cannot be used'],
    ['ws://user@example.com', 'user and password cannot be used'],
  ])('%j', async (text, reason) => {
    const error = await failureOf(Promise.resolve().then(() => parseServerAddress(text)));
    expect(error).toMatchObject({
      code: 'usage',
      hint: { id: 'server-address-forms' },
    });
    expect(error.detail).toContain('is not a valid server address: ');
    expect(error.detail).toContain(reason);
  });

  test.each(['ws://me:hunter2@example.com/', 'me:hunter2@example.com', 'wss://me:hunter/2@example.com'])(
    'a password, without repeating it: %s',
    (text) => {
      expect(() => parseServerAddress(text)).toThrow('***@example.com');
      expect(() => parseServerAddress(text)).not.toThrow('hunter');
    },
  );
});

describe('writes', () => {
  test.each([
    ['example.com', 'ws://example.com:7835', undefined],
    ['ws://EXAMPLE.com:80/', 'ws://example.com', undefined],
    ['wss://example.com:443/tunnel', 'wss://example.com/tunnel', undefined],
    ['wss://example.com:80', 'wss://example.com:80', undefined],
    ['[::1]', 'ws://[::1]:7835', undefined],
    ['[fe80::1%eth0]', 'ws://[fe80::1%eth0]:7835', 'ws://[fe80::1]:7835'],
  ])('%s', (text, canonical, url) => {
    const address = parseServerAddress(text);
    expect(formatServerAddress(address)).toBe(canonical);
    expect(webSocketUrl(address)).toBe(url ?? canonical);
    expect(parseServerAddress(canonical)).toEqual(address);
  });

  test('hosts and ports', () => {
    expect(formatHostAndPort('example.com', 1)).toBe('example.com:1');
    expect(formatHostAndPort('::1', 1)).toBe('[::1]:1');
  });

  test('what it reads again as the same, whatever was read', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
    );
    const port = fc.option(fc.integer({ min: 1, max: 65_535 }));
    const property = fc.property(
      fc.constantFrom('', 'ws://', 'wss://'),
      host,
      port,
      fc.webPath(),
      (scheme, host, port, path) => {
        const text = `${scheme}${host}${port === null ? '' : `:${port}`}${scheme === '' ? '' : path}`;
        const address = parseServerAddress(text);
        expect(parseServerAddress(formatServerAddress(address))).toEqual(address);
        expect(new URL(formatServerAddress(address)).pathname).toBe(address.path);
      },
    );
    expect(() => fc.assert(property)).not.toThrow();
  });

  test('an error or an address for any text, and nothing else', async () => {
    const outcome = (text: string): unknown => {
      try {
        return parseServerAddress(text).port;
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    };
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom('ws://', '[', ']', ':', '/', '%', '@', '.', '::1', '80', 'a', 'xn--', '#'))
        .map((parts) => parts.join('')),
    );
    const property = fc.property(text, (given) => {
      expect([expect.any(Number), 'usage']).toContainEqual(outcome(given));
    });
    expect(() => fc.assert(property, { numRuns: 2_000 })).not.toThrow();
  });
});
