// Header fields and targets: order, case, repetition, bytes beyond ASCII, many and large ones.
import { type Exchange, type RequestSpec, single } from '../exchange.ts';
import type { Field } from '../message.ts';

const KiB = 1024;

const FIELD_LISTS: readonly (readonly [string, readonly Field[]])[] = [
  [
    'in mixed case',
    [
      ['x-LOWER-upper', 'a'],
      ['X-UPPER', 'B'],
      ['x-lower', 'c'],
      ['eTaG', '"d"'],
    ],
  ],
  [
    'in an order of their own',
    [
      ['Z', '1'],
      ['A', '2'],
      ['M', '3'],
      ['B', '4'],
      ['Y', '5'],
    ],
  ],
  [
    'that are repeated',
    [
      ['X-More', 'one'],
      ['X-Other', 'x'],
      ['X-More', 'two'],
      ['x-more', 'three'],
      ['X-MORE', ''],
    ],
  ],
  [
    'that are repeated with equal values',
    [
      ['X-More', 'one'],
      ['X-More', 'one'],
      ['X-More', 'one'],
    ],
  ],
  [
    'that are lists',
    [
      ['Accept', 'a/b, c/d;q=0.1'],
      ['Accept', 'e/f'],
      ['Cache-Control', 'no-cache'],
      ['Cache-Control', 'no-store'],
    ],
  ],
  [
    'that Node would drop or join',
    [
      ['Age', '1'],
      ['Age', '2'],
      ['ETag', '"a"'],
      ['ETag', '"b"'],
      ['Server', 'a'],
      ['Server', 'b'],
    ],
  ],
  [
    'without values',
    [
      ['X-Empty', ''],
      ['X-Also', ''],
      ['X-Full', 'x'],
    ],
  ],
  ['with all bytes of latin1', [['X-High', String.fromCodePoint(...Array.from({ length: 128 }, (_, at) => at + 128))]]],
  ['in UTF-8', [['X-Name', Buffer.from('Zoë — 名前').toString('latin1')]]],
  ['with all printable ASCII', [['X-Ascii', String.fromCodePoint(...Array.from({ length: 94 }, (_, at) => at + 33))]]],
  ['with tabs and spaces inside', [['X-Space', 'a  b\tc \t d']]],
  [
    'with quotes and commas',
    [
      ['X-Quoted', '"a, \\"b\\"", c; d="e;f"'],
      ['X-Comma', ',,,'],
    ],
  ],
  [
    'with odd names',
    [
      ["!#$%&'*+-.^_`|~09", 'a token'],
      ['_', 'short'],
      ['x_under', 'score'],
      ['0', 'digit'],
    ],
  ],
  ['with a long name', [[`X-${'n'.repeat(1_000)}`, 'v']]],
  [
    'with names of objects',
    [
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['toString', 'c'],
      ['hasOwnProperty', 'd'],
    ],
  ],
  ['of 8 KiB', [['X-Large', 'v'.repeat(8 * KiB)]]],
  ['of 30 KiB', [['X-Large', 'v'.repeat(30 * KiB)]]],
  ['of 60 KiB together', Array.from({ length: 15 }, (_, at): Field => [`X-Large-${at}`, 'v'.repeat(4_000)])],
  ['that are 100', Array.from({ length: 100 }, (_, at): Field => [`X-Many-${at}`, String(at)])],
  ['that are 900', Array.from({ length: 900 }, (_, at): Field => [`X-M${at}`, String(at)])],
  ['that are 900 of one name', Array.from({ length: 900 }, (_, at): Field => ['X-M', String(at)])],
  [
    'that are about dates',
    [
      ['Date', 'Tue, 01 Feb 2000 00:00:00 GMT'],
      ['Expires', '0'],
      ['Last-Modified', 'yesterday'],
    ],
  ],
  [
    'that say who served',
    [
      ['Server', 'service/1.0'],
      ['Via', '1.1 other'],
      ['X-Powered-By', 'tests'],
      ['Age', '7'],
    ],
  ],
  [
    'that are about a cache',
    [
      ['Cache-Control', 'private, no-transform'],
      ['Pragma', 'no-cache'],
      ['Warning', '199 - "x"'],
    ],
  ],
];

const ANSWER_LISTS: readonly (readonly [string, readonly Field[]])[] = [
  ['that are 3,000', Array.from({ length: 3_000 }, (_, at): Field => [`X-${at}`, String(at)])],
  [
    'that set cookies',
    [
      ['Set-Cookie', 'a=1; Path=/; HttpOnly'],
      ['X-Between', 'x'],
      ['set-cookie', 'b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT'],
      ['SET-COOKIE', 'c=3; Secure; SameSite=None'],
      ['Set-Cookie', 'a=1; Path=/; HttpOnly'],
    ],
  ],
  [
    'that ask for authentication',
    [
      ['WWW-Authenticate', 'Basic realm="a"'],
      ['WWW-Authenticate', 'Bearer x="y, z"'],
    ],
  ],
  [
    'that are links',
    [
      ['Link', '</a>; rel=preload'],
      ['Link', '</b>; rel="x"'],
      ['Location', '/a b\xe4?c#d'],
    ],
  ],
  [
    'that name other services',
    [
      ['Alt-Svc', 'h3=":443"'],
      ['Strict-Transport-Security', 'max-age=1'],
      ['NEL', '{}'],
    ],
  ],
  [
    'that a proxy must not take for its own',
    [
      ['Proxy-Authenticate', 'Basic'],
      ['Proxy-Status', 'x; error=y'],
    ],
  ],
];

const REQUEST_LISTS: readonly (readonly [string, readonly Field[]])[] = [
  [
    'with cookies',
    [
      ['Cookie', 'a=1; b=2'],
      ['cookie', 'c=3'],
      ['COOKIE', ''],
    ],
  ],
  [
    'of a browser',
    [
      ['User-Agent', 'Mozilla/5.0'],
      ['user-agent', 'again'],
      ['Referer', 'http://a/b?c'],
      ['DNT', '1'],
      ['Sec-Fetch-Mode', 'cors'],
    ],
  ],
  [
    'with credentials',
    [
      ['Authorization', 'Bearer abc=='],
      ['Origin', 'http://exchanges.localhost'],
      ['X-Csrf-Token', 'x'],
    ],
  ],
  [
    'that are conditional',
    [
      ['If-None-Match', '"a", W/"b"'],
      ['If-Modified-Since', 'never'],
      ['If-Match', '*'],
    ],
  ],
  ['without User-Agent or Accept', []],
  ['with a type and no body', [['Content-Type', 'text/plain']]],
  [
    'with From and Max-Forwards',
    [
      ['From', 'a@b'],
      ['Max-Forwards', '10'],
    ],
  ],
];

const TARGETS: readonly string[] = [
  '/',
  '/?',
  '//double//slashes/',
  '/a/../b/./c',
  '/%2e%2E/%2F%5c%00',
  '/%zz%',
  '/sp+ce%20?q=a+b&&=&q=%C3%A4',
  '/;params=1;x?a=b;c=d/e?f#'.slice(0, -1),
  '/!$&\'()*+,;=:@-._~[]{}|\\^`"<>',
  `/${'long/'.repeat(1_600)}`,
  `/?${'q'.repeat(8_000)}`,
  '/http://other.example/path',
];

export function fieldExchanges(): readonly Exchange[] {
  const answered = ([name, fields]: readonly [string, readonly Field[]]): Exchange =>
    single(`answer fields ${name}`, {}, { fields, body: 'x' });
  const requested = ([name, fields]: readonly [string, readonly Field[]]): Exchange =>
    single(`request fields ${name}`, { fields });
  const target = (text: string): Exchange => {
    const request: RequestSpec = { target: text };
    return single(`the target ${text.slice(0, 40)}`, request);
  };
  return [
    ...FIELD_LISTS.map(answered),
    ...ANSWER_LISTS.map(answered),
    ...FIELD_LISTS.map(requested),
    ...REQUEST_LISTS.map(requested),
    ...TARGETS.map(target),
    single('a head whose bytes come one by one', { fields: [['X-Slow', 'yes']] }, { partBytes: 1, body: 'slow' }),
    single('spaces around values', {}, async ({ socket, whole }) => {
      await whole();
      socket.write('HTTP/1.1 200 OK\r\nX-None:a\r\nX-Tab:\ta\t\r\nX-Many:    a   \r\nContent-Length:  2 \r\n\r\nok');
    }),
  ];
}
