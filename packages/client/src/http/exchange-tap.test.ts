import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Exchange, ExchangeTap } from './exchange-tap.ts';

type Piece = readonly [direction: 'received' | 'sent', text: string];

/** What is told of a connection on which these pieces pass, 1 ms each. */
function look(pieces: readonly Piece[], end: 'closed' | 'sentEnded' | 'open' = 'open'): readonly Exchange[] {
  const told: Exchange[] = [];
  const tap = new ExchangeTap({ onExchange: (exchange) => told.push(exchange) });
  let now = 0;
  for (const [direction, text] of pieces) tap[direction](Buffer.from(text, 'latin1'), (now += 1));
  if (end !== 'open') tap[end](now + 1);
  return told;
}

function brief(exchanges: readonly Exchange[]): readonly string[] {
  return exchanges.map(
    ({ method, target, status, receivedBytes, sentBytes }) =>
      `${method} ${target} ${status} ${receivedBytes} ${sentBytes}`,
  );
}

const GET = 'GET /a HTTP/1.1\r\nHost: shop\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

test('an exchange', () => {
  const pieces: Piece[] = [
    [
      'received',
      'POST /hook?x=1 HTTP/1.1\r\nHOST: app.lan:1\r\nX-Forwarded-Host: shop.example\r\nContent-Length: 5\r\n\r\nhe',
    ],
    ['received', 'llo'],
    ['sent', 'HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\n'],
    ['sent', 'yes'],
  ];
  expect(look(pieces)).toEqual([
    {
      method: 'POST',
      target: '/hook?x=1',
      host: 'shop.example',
      status: 201,
      durationMs: 3,
      receivedBytes: 5,
      sentBytes: 3,
    },
  ]);
});

describe('framing', () => {
  test.each<[string, readonly Piece[], readonly string[]]>([
    [
      'of HEAD, 204 and 304, which have no body whatever they say',
      [
        ['received', `HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${GET}${GET}${GET}`],
        ['sent', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'],
        ['sent', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n'],
        ['sent', OK],
      ],
      ['HEAD / 200 0 0', 'GET /a 204 0 0', 'GET /a 304 0 0', 'GET /a 200 0 2'],
    ],
    [
      'with interim answers',
      [
        ['received', 'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n'],
        ['sent', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
        ['received', 'x'],
        ['sent', OK],
      ],
      ['PUT / 200 1 2'],
    ],
    [
      'in chunks, with extensions and trailers',
      [
        ['received', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n'],
        ['sent', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\n1\r\n0A ;x\r\n0123456789\r\n000\r\n'],
        ['sent', 'X: y\r\nZ: \r\n\r\n'],
        ['received', GET],
        ['sent', OK],
      ],
      ['POST / 200 3 11', 'GET /a 200 0 2'],
    ],
    [
      'of an answer that comes before the request is whole',
      [
        ['received', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab'],
        ['sent', 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'],
        ['received', `cd${GET}`],
        ['sent', OK],
      ],
      ['POST / 413 2 0', 'GET /a 200 0 2'],
    ],
    [
      'of an upgrade that is refused, with what came behind it',
      [
        ['received', `GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n${GET}`],
        ['sent', 'HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n'],
        ['sent', OK],
      ],
      ['GET /ws 426 0 0', 'GET /a 200 0 2'],
    ],
    [
      'of an upgrade that is accepted: nothing behind it is HTTP',
      [
        ['received', 'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n'],
        ['sent', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n${OK}`],
        ['received', GET],
        ['sent', OK],
      ],
      ['GET /ws 101 0 0'],
    ],
    [
      'of a tunnel through a proxy',
      [
        ['received', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
        ['sent', 'HTTP/1.1 200 OK\r\n\r\n\0\0\0'],
        ['received', '\0\0'],
      ],
      ['CONNECT a:1 200 0 0'],
    ],
  ])('%s', (_what, pieces, told) => {
    expect(brief(look(pieces))).toEqual(told);
  });

  test('of an answer up to its end, which is told with that', () => {
    const pieces: Piece[] = [
      ['received', GET],
      ['sent', 'HTTP/1.0 200 OK\r\n\r\nall of'],
      ['sent', ' it'],
    ];
    expect(look(pieces)).toEqual([]);
    expect(brief(look(pieces, 'sentEnded'))).toEqual(['GET /a 200 0 9']);
    expect(brief(look(pieces, 'closed'))).toEqual(['GET /a 200 0 9']);
  });
});

test('what ends with its connection is told as far as it came', () => {
  expect(
    brief(
      look(
        [
          ['received', GET + GET],
          ['sent', OK.slice(0, -1)],
        ],
        'closed',
      ),
    ),
  ).toEqual(['GET /a 200 0 1', 'GET /a undefined 0 0']);
  expect(
    brief(
      look(
        [
          ['received', GET],
          ['sent', OK],
        ],
        'closed',
      ),
    ),
  ).toEqual(['GET /a 200 0 2']);
});

describe('what cannot be read ends the looking on', () => {
  test.each<[string, readonly Piece[]]>([
    ['no HTTP', [['received', 'SSH-2.0-x\r\n\r\n']]],
    ['another version', [['received', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n']]],
    ['a request without an end', [['received', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n']]],
    ['two lengths', [['received', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n']]],
    [
      'a length and chunks',
      [['received', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n']],
    ],
    ['a length that is none', [['received', 'POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n']]],
    ['a chunk without a size', [['received', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n']]],
    [
      'a chunk of too many digits',
      [['received', `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(14)}`]],
    ],
    ['a chunk that goes on', [['received', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n']]],
    ['a head without an end', [['received', `GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`]]],
    [
      'a head of many pieces without an end',
      Array.from({ length: 70 }, () => ['received', 'x'.repeat(1_000)] as const),
    ],
    [
      'trailers without an end',
      [['received', `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'x'.repeat(70_000)}`]],
    ],
    [
      'more than is kept behind an upgrade',
      [['received', `GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n${'x'.repeat(70_000)}`]],
    ],
    ['an answer that nobody asked for', [['sent', OK]]],
    [
      'no answer',
      [
        ['received', GET],
        ['sent', 'HTTP/1.1 OK\r\n\r\n'],
      ],
    ],
    ['too many requests without an answer', [['received', GET.repeat(17)]]],
  ])('%s', (_what, pieces) => {
    const rest: Piece[] = [
      ['received', `\r\n\r\n${GET}`],
      ['sent', OK],
    ];
    expect(look([...pieces, ...rest], 'closed')).toEqual([]);
  });

  test('a head of 64 KiB is read', () => {
    const head = `GET / HTTP/1.1\r\nX: ${'x'.repeat(65_536)}`.slice(0, 65_536);
    expect(
      brief(
        look([
          ['received', `${head}\r\n\r\n`],
          ['sent', OK],
        ]),
      ),
    ).toEqual(['GET / 200 0 2']);
    expect(
      look([
        ['received', `${head}x\r\n\r\n`],
        ['sent', OK],
      ]),
    ).toEqual([]);
  });
});

// ── any exchanges, cut anywhere ──

const header = fc.constantFrom('X-A: b\r\n', 'cookie: a=b; c=d\r\n', 'Server: content-length: 7\r\n', '');
const body = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', '\0'), maxLength: 40 });

function framed(text: string, kind: 'known' | 'chunked', chunkBytes: number): string {
  if (kind === 'known') return `Content-Length: ${text.length}\r\n\r\n${text}`;
  const chunks = text.match(new RegExp(`[^]{1,${chunkBytes}}`, 'g')) ?? [];
  const lines = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return `Transfer-Encoding: chunked\r\n\r\n${lines.join('')}0\r\n\r\n`;
}

const exchange = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS'),
    target: fc.constantFrom('/', '/a?b=c', '*'),
    status: fc.constantFrom(200, 204, 304, 404, 500),
    asked: body,
    answered: body,
    kind: fc.constantFrom('known' as const, 'chunked' as const),
    chunkBytes: fc.integer({ min: 1, max: 20 }),
    headers: header,
    interim: fc.constantFrom('', 'HTTP/1.1 102 Processing\r\n\r\n'),
  })
  .map(({ method, target, status, asked, answered, kind, chunkBytes, headers, interim }) => {
    const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
    const length = framed(answered, kind, chunkBytes);
    return {
      request: `${method} ${target} HTTP/1.1\r\nHost: a\r\n${headers}${framed(asked, kind, chunkBytes)}`,
      answer: `${interim}HTTP/1.1 ${status} Any\r\n${headers}${hasBody ? length : '\r\n'}`,
      told: `${method} ${target} ${status} ${asked.length} ${hasBody ? answered.length : 0}`,
    };
  });

function cut(text: string, sizes: readonly number[]): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0, index = 0; at < text.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });

test('one after the other, in whatever pieces', () => {
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 5 }), sizes, (exchanges, each) => {
      const pieces = exchanges.flatMap(({ request, answer }) => [
        ...cut(request, each).map((text) => ['received', text] as const),
        ...cut(answer, each).map((text) => ['sent', text] as const),
      ]);
      expect(brief(look(pieces, 'closed'))).toEqual(exchanges.map(({ told }) => told));
    }),
  );
});

test('pipelined, in whatever pieces', () => {
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 5 }), sizes, (exchanges, each) => {
      const requests = cut(exchanges.map(({ request }) => request).join(''), each);
      const answers = cut(exchanges.map(({ answer }) => answer).join(''), each.toReversed());
      const pieces = [
        ...requests.map((text) => ['received', text] as const),
        ...answers.map((text) => ['sent', text] as const),
      ];
      expect(brief(look(pieces, 'closed'))).toEqual(exchanges.map(({ told }) => told));
    }),
  );
});

test('whatever passes, it is looked at in bounds and without a failure', () => {
  const noise = fc.oneof(
    fc.constantFrom(GET, OK, 'HTTP/1.1 ', '\r\n\r\n', 'Transfer-Encoding: chunked\r\n', 'ffff\r\n', '0\r\n\r\n'),
    fc.string({ unit: 'binary', maxLength: 30 }),
  );
  const piece = fc.tuple(fc.constantFrom('received' as const, 'sent' as const), noise);
  const run = (): void => fc.assert(fc.property(fc.array(piece), (pieces) => void look(pieces, 'closed')));
  expect(run).not.toThrow();
});
