import { describe, expect, test } from 'vitest';
import { type Arrival, forwardRequestHeaders, forwardResponseHeaders } from './forwarded-headers.ts';
import { type HttpTerms, httpTermsOf } from './terms.ts';

const arrival: Arrival = {
  isTls: false,
  address: '203.0.113.7',
  isTrusted: false,
  authority: 'shop.example.org:8080',
  httpVersion: '1.1',
};

const OURS = [
  'X-Forwarded-For: 203.0.113.7',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: shop.example.org:8080',
  'Forwarded: for=203.0.113.7;host="shop.example.org:8080";proto=http',
  'Via: 1.1 tunnel-x',
];

interface Given {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly arrival?: Partial<Arrival>;
  readonly terms?: HttpTerms;
  readonly isUpgrade?: boolean;
}

const lines = (raw: readonly string[]): readonly string[] =>
  Array.from({ length: raw.length / 2 }, (_, index) => `${raw[2 * index]}: ${raw[2 * index + 1]}`);

const raw = (headers: readonly string[]): string[] =>
  headers.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);

function forward({ method = 'GET', headers = [], terms = httpTermsOf([]), isUpgrade = false, ...given }: Given) {
  const options = { method, terms, isUpgrade, arrival: { ...arrival, ...given.arrival }, viaName: 'tunnel-x' };
  return lines(forwardRequestHeaders({ ...options, rawHeaders: raw(['Host: shop.example.org:8080', ...headers]) }));
}

describe('to the service', () => {
  test('order and case are kept, ours come last', () => {
    expect(forward({ headers: ['aCCept: x', 'X-B: 1', 'x-b: 2'] })).toEqual([
      'Host: shop.example.org:8080',
      'aCCept: x',
      'X-B: 1',
      'x-b: 2',
      ...OURS,
      'Connection: keep-alive',
    ]);
  });

  test('headers of the hop go, and those that Connection names, but never Host or Content-Length', () => {
    const headers = [
      'Connection: close, X-Mine, Host, Content-Length, X-Forwarded-For',
      'X-Mine: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: x',
      'TE: trailers, gzip',
      'Content-Length: 3',
    ];
    expect(forward({ method: 'POST', headers })).toEqual([
      'Host: shop.example.org:8080',
      'TE: trailers',
      'Content-Length: 3',
      ...OURS,
      'Connection: keep-alive',
    ]);
  });

  test('what the visitor says of itself is dropped, and kept from a trusted proxy', () => {
    const headers = [
      'X-Forwarded-For: 198.51.100.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: other',
      'Forwarded: for=198.51.100.1',
      'X-Real-IP: 198.51.100.1',
    ];
    expect(forward({ headers })).toEqual(['Host: shop.example.org:8080', ...OURS, 'Connection: keep-alive']);
    expect(forward({ headers, arrival: { isTrusted: true } })).toEqual([
      'Host: shop.example.org:8080',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: other',
      'X-Real-IP: 198.51.100.1',
      'X-Forwarded-For: 198.51.100.1, 203.0.113.7',
      'Forwarded: for=198.51.100.1, for=203.0.113.7;host="shop.example.org:8080";proto=http',
      'Via: 1.1 tunnel-x',
      'Connection: keep-alive',
    ]);
  });

  test('IPv6 addresses and TLS are told as RFC 7239 wants', () => {
    const given = forward({ arrival: { address: '2001:db8::1', isTls: true, authority: 'shop' } });
    expect(given).toContain('Forwarded: for="[2001:db8::1]";host=shop;proto=https');
  });

  test('a body is framed as it came; where there may be one, its absence is said', () => {
    expect(forward({ headers: ['Transfer-Encoding: chunked'], method: 'POST' })).toContain(
      'Transfer-Encoding: chunked',
    );
    expect(forward({ method: 'POST' })).toContain('Content-Length: 0');
    expect(forward({ method: 'GET' }).join()).not.toContain('Content-Length');
  });

  test('trailers are announced only where there can be some', () => {
    const headers = ['Trailer: X-Sum'];
    expect(forward({ headers, method: 'POST' }).join()).not.toContain('Trailer');
    expect(forward({ headers: ['Transfer-Encoding: chunked', ...headers], method: 'POST' })).toContain(
      'Trailer: X-Sum',
    );
    const answer = (mayHaveTrailers: boolean): string[] =>
      forwardResponseHeaders(raw(headers), httpTermsOf([]), mayHaveTrailers);
    expect([answer(true), answer(false)]).toEqual([['Trailer', 'X-Sum'], []]);
  });

  test('an upgrade keeps its headers', () => {
    const given = forward({
      headers: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x'],
      isUpgrade: true,
    });
    expect(given).toEqual(
      expect.arrayContaining(['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x']),
    );
  });

  test('terms change what they name', () => {
    const terms = httpTermsOf([
      { term: 'host-header', host: 'localhost:3000', rewritesOrigin: true },
      { term: 'set-header', name: 'X-Set', value: 'new' },
      { term: 'remove-header', name: 'Cookie' },
      { term: 'basic-auth', salt: new Uint8Array(16), digest: new Uint8Array(32) },
    ]);
    const headers = ['x-set: old', 'cookie: a', 'Authorization: Basic x', 'Origin: https://SHOP.example.org:8080'];
    expect(forward({ headers, terms })).toEqual([
      'Host: localhost:3000',
      'Origin: http://localhost:3000',
      ...OURS,
      'X-Set: new',
      'Connection: keep-alive',
    ]);
    expect(forward({ headers: ['Origin: https://elsewhere'], terms })).toContain('Origin: https://elsewhere');
  });
});

test('to the visitor: headers of the hop go, terms hold', () => {
  const terms = httpTermsOf([{ term: 'set-response-header', name: 'Server', value: 'mine' }]);
  const headers = [
    'Connection: close, X-Mine',
    'X-Mine: 1',
    'server: theirs',
    'Set-Cookie: a',
    'Set-Cookie: b',
    'Transfer-Encoding: chunked',
  ];
  expect(lines(forwardResponseHeaders(raw(headers), terms, true))).toEqual([
    'Set-Cookie: a',
    'Set-Cookie: b',
    'Server: mine',
  ]);
});
