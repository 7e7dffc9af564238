import { describe, expect, test } from 'vitest';
import { type Arrival, forwardRequestHeaders, forwardResponseHeaders, forwardTrailers } from './forwarded-headers.ts';
import { type HttpTerms, httpTermsOf } from './terms.ts';

const arrival: Arrival = {
  proto: 'http',
  route: ['203.0.113.7'],
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

  test('what is said of where a request comes from is dropped, whoever says it', () => {
    const headers = [
      'X-Forwarded-For: 198.51.100.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: other',
      'X-Forwarded-Port: 443',
      'Forwarded: for=198.51.100.1',
      'X-Real-IP: 198.51.100.1',
    ];
    expect(forward({ headers })).toEqual(['Host: shop.example.org:8080', ...OURS, 'Connection: keep-alive']);
  });

  test('the way through trusted proxies is told from the visitor on', () => {
    const route = ['198.51.100.1', '192.0.2.8', '::1'];
    expect(forward({ arrival: { route, proto: 'https', authority: 'shop' } })).toEqual(
      expect.arrayContaining([
        'X-Forwarded-For: 198.51.100.1, 192.0.2.8, ::1',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: shop',
        'Forwarded: for=198.51.100.1, for=192.0.2.8, for="[::1]";host=shop;proto=https',
      ]),
    );
  });

  test('IPv6 addresses and TLS are told as RFC 7239 wants', () => {
    const given = forward({ arrival: { route: ['2001:db8::1'], proto: 'https', authority: 'shop' } });
    expect(given).toContain('Forwarded: for="[2001:db8::1]";host=shop;proto=https');
  });

  test('a body is framed as it came; where there may be one, its absence is said', () => {
    expect(forward({ headers: ['Transfer-Encoding: chunked'], method: 'POST' })).toContain(
      'Transfer-Encoding: chunked',
    );
    expect(forward({ method: 'POST' })).toContain('Content-Length: 0');
    expect(forward({ method: 'GET' }).join()).not.toContain('Content-Length');
  });

  test('a name with underscores does not pass for one of ours, or one that the tunnel sets or removes', () => {
    const terms = httpTermsOf([
      { term: 'set-header', name: 'X-User', value: 'guest' },
      { term: 'remove-header', name: 'X-Role' },
    ]);
    const headers = ['X_Forwarded_For: 1', 'X-Forwarded_Host: 1', 'Content_Length: 1', 'X_USER: root', 'x_role: root'];
    expect(forward({ headers: [...headers, 'X_Other: 1'], terms })).toEqual([
      'Host: shop.example.org:8080',
      'X_Other: 1',
      ...OURS,
      'X-User: guest',
      'Connection: keep-alive',
    ]);
  });

  test('trailers are announced only if there can be some', () => {
    const announced = ['Trailer: Checksum'];
    expect(forward({ headers: announced }).join()).not.toContain('Trailer');
    expect(forward({ headers: [...announced, 'Transfer-Encoding: chunked'] })).toContain('Trailer: Checksum');
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
      'X-Forwarded-For: 203.0.113.7',
      'Via: 1.1 tunnel-x',
      'X-Set: new',
      'Connection: keep-alive',
    ]);
    expect(forward({ headers: ['Origin: https://elsewhere'], terms })).toContain('Origin: https://elsewhere');
  });

  test('where Origin is made local, nothing tells the public address, unless the tunnel says so', () => {
    const local = { term: 'host-header', host: 'localhost:3000', rewritesOrigin: true } as const;
    const headers = ['X-Forwarded-Host: a', 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 443', 'Forwarded: host=a'];
    expect(forward({ headers, terms: httpTermsOf([local]) })).toEqual([
      'Host: localhost:3000',
      'X-Forwarded-For: 203.0.113.7',
      'Via: 1.1 tunnel-x',
      'Connection: keep-alive',
    ]);
    const proto = { term: 'set-header', name: 'X-Forwarded-Proto', value: 'https' } as const;
    expect(forward({ headers, terms: httpTermsOf([local, proto]) })).toContain('X-Forwarded-Proto: https');
    // Only Host is another one then.
    expect(forward({ terms: httpTermsOf([{ ...local, rewritesOrigin: false }]) })).toEqual([
      'Host: localhost:3000',
      ...OURS,
      'Connection: keep-alive',
    ]);
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

test('trailers say nothing that has to be known before the body', () => {
  const rawTrailers = raw([
    'Checksum: 1',
    'Host: other',
    'Content-Length: 5',
    'X-Forwarded-For: 1',
    'X_Forwarded_For: 1',
    'Authorization: Basic x',
    'X-Role: root',
    'grpc-status: 0',
  ]);
  expect(forwardTrailers(rawTrailers, new Set(['x-role']))).toEqual([
    ['Checksum', '1'],
    ['grpc-status', '0'],
  ]);
});

test('an answer announces trailers only if there can be some', () => {
  const terms = httpTermsOf([]);
  const headers = raw(['Trailer: Checksum', 'A: b']);
  expect(lines(forwardResponseHeaders(headers, terms))).toEqual(['A: b']);
  expect(lines(forwardResponseHeaders(headers, terms, true))).toEqual(['Trailer: Checksum', 'A: b']);
});

test.each([
  ['http://localhost:3000/a?b#c', '/a?b#c'],
  ['HTTP://LOCALHOST:3000', '/'],
  ['http://localhost:3000?x', '/?x'],
  ['http://localhost:30001/a', undefined],
  ['http://localhost:3000@evil.example/', undefined],
  ['http://localhost:3000.evil.example/', undefined],
  ['http://localhost:3000//evil.example/', undefined],
  ['http://localhost:3000/\\evil.example/', undefined],
  ['https://elsewhere.example/', undefined],
  ['/a', undefined],
])('a redirect to %s', (location, forwarded = location) => {
  const local = { term: 'host-header', host: 'localhost:3000', rewritesOrigin: true } as const;
  const answer = (terms: HttpTerms): readonly string[] => forwardResponseHeaders(['Location', location], terms);
  expect(answer(httpTermsOf([local]))).toEqual(['Location', forwarded]);
  expect(answer(httpTermsOf([{ ...local, rewritesOrigin: false }]))).toEqual(['Location', location]);
});
