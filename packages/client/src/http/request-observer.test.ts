import { expect, test } from 'vitest';
import { RequestObserver } from './request-observer.ts';

const DIFFERENT = '<p>You may not.</p>';

function hintFor(body: string, { path = '/', status = 403, headers = '' } = {}): readonly string[] {
  const hints: string[] = [];
  const told: number[] = [];
  const observer = new RequestObserver({
    onExchange: (exchange) => told.push(exchange.sentBytes),
    onHostRefused: (server) => hints.push(server),
  });
  for (const text of [DIFFERENT, body]) {
    observer.received(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: shop\r\n\r\n`));
    observer.sent(Buffer.from(`HTTP/1.1 ${status} Any\r\n${headers}Content-Length: ${text.length}\r\n\r\n`));
    for (const character of text) observer.sent(Buffer.from(character));
  }
  expect(told).toEqual([DIFFERENT.length, body.length]);
  return hints;
}

test.each([
  [
    'Blocked request. This host ("shop.example") is not allowed.\nTo allow this host, add it to `server.allowedHosts`.',
    '/',
    'Vite',
  ],
  ['Invalid Host header', '/', 'webpack-dev-server'],
  ['Invalid Host/Origin header', '/', 'webpack-dev-server'],
  ['<header><h1>Blocked hosts: shop.example</h1></header>', '/', 'Rails'],
  ['<h1>Blocked host: shop.example</h1>', '/', 'Rails'],
  ['Unauthorized', '/_next/webpack-hmr', 'Next.js'],
])('%s of %s is a refusal of %s', (body, path, server) => {
  expect(hintFor(body, { path })).toEqual([server]);
});

test('other answers are none', () => {
  expect(hintFor('Unauthorized')).toEqual([]);
  expect(hintFor('Invalid Host header', { status: 400 })).toEqual([]);
  expect(hintFor('Invalid Host header', { headers: 'Content-Encoding: br\r\n' })).toEqual([]);
  expect(hintFor(`Invalid Host header ${'x'.repeat(4_096)}`)).toEqual([]);
});

test('a long answer in chunks is looked at up to 4 KiB', () => {
  const hints: string[] = [];
  const observer = new RequestObserver({ onExchange: () => {}, onHostRefused: (server) => hints.push(server) });
  const text = `${'x'.repeat(4_096)}Blocked hosts`;
  for (const part of [text, `Blocked hosts: ${text}`]) {
    observer.received(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    const chunks = `${part.length.toString(16)}\r\n${part}\r\n0\r\n\r\n`;
    observer.sent(Buffer.from(`HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`));
  }
  expect(hints).toEqual(['Rails']);
});
