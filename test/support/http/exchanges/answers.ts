// What answers look like: status, reason, the ways to tell a body's end, answers without a body, parts, encodings.
import { METHODS } from 'node:http';
import { gzipSync } from 'node:zlib';
import { patternBytes } from '../../pattern.ts';
import { type AnswerSpec, type Exchange, latin1, oneAnswer, type RequestSpec, single } from '../exchange.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** For visitors of HTTP/1.0 that want to go on. */
const keepsAlive = ['Connection', 'keep-alive'] as const;

const REASONS: readonly string[] = [
  ' 200',
  ' 200 ',
  ' 200 All right, and more than that',
  ' 200 Fa\xe7ade \xff',
  ' 200 tab\there',
  ' 201 Created',
  ' 202 Accepted',
  ' 203 Non-Authoritative Information',
  ' 207 Multi-Status',
  ' 226 IM Used',
  ' 299 Odd',
  ' 300 Multiple Choices',
  ' 301 Moved Permanently',
  ' 302 Found',
  ' 303 See Other',
  ' 307 Temporary Redirect',
  ' 308 Permanent Redirect',
  ' 400 Bad Request',
  ' 401 Unauthorized',
  ' 402 Payment Required',
  ' 403 Forbidden',
  ' 404 not here',
  ' 405 Method Not Allowed',
  ' 407 Proxy Authentication Required',
  ' 408 Request Timeout',
  ' 410 Gone',
  ' 418 I am a teapot',
  ' 421 Misdirected Request',
  ' 425 Too Early',
  ' 429 Too Many Requests',
  ' 451 Unavailable For Legal Reasons',
  ' 499 Odd',
  ' 500 Internal Server Error',
  ' 502 Bad Gateway',
  ' 503 Service Unavailable',
  ' 504 Gateway Timeout',
  ' 511 Network Authentication Required',
  ' 599 ',
  ' 799 Beyond all classes',
  ' 999 Request denied',
];

export function answerExchanges(): readonly Exchange[] {
  return [
    ...METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE').map(ofMethod),
    single('OPTIONS *', { method: 'OPTIONS', target: '*' }),
    ...REASONS.map((status) => single(`status ${JSON.stringify(status)}`, {}, { status, body: 'x' })),
    ...framings(),
    ...withoutBodies(),
    ...parts(),
    ...encodings(),
    single('an answer of HTTP/1.0', {}, { version: '1.0', body: 'old', closes: true }, { visit: oneAnswer }),
    single(
      'an answer of HTTP/1.0 until close',
      {},
      { version: '1.0', body: 'old', framing: 'until-close' },
      { visit: oneAnswer },
    ),
    single(
      'an answer of HTTP/1.0 that keeps the connection',
      {},
      { version: '1.0', body: 'old', fields: [['Connection', 'keep-alive']] },
    ),
  ];
}

function ofMethod(method: string): Exchange {
  const [body, framing] = method === 'HEAD' ? ['', 'none' as const] : [`answer to ${method}`, 'length' as const];
  return single(`${method} without a body`, { method, target: `/of/${method}` }, { body, framing });
}

function framings(): readonly Exchange[] {
  const sizes = [0, 1, 100, 16 * KiB, 64 * KiB + 1, MiB];
  const ways: readonly (readonly [string, AnswerSpec])[] = [
    ['by length', { framing: 'length' }],
    ['by length, in parts', { framing: 'length', partBytes: 20_011 }],
    ['in a chunk', { framing: 'chunked' }],
    ['in chunks', { framing: 'chunked', chunkBytes: 4_099, partBytes: 8_009 }],
    ['until close', { framing: 'until-close' }],
  ];
  const visitors: readonly (readonly [string, RequestSpec])[] = [
    ['HTTP/1.1', {}],
    ['HTTP/1.0', { version: '1.0' }],
    ['HTTP/1.0 with keep-alive', { version: '1.0', fields: [keepsAlive] }],
  ];
  const exchanges = sizes.flatMap((bytes) =>
    ways.flatMap(([way, spec]) =>
      visitors.flatMap(([visitor, request]) => {
        // HTTP/1.0 has no chunks: a service sends it none, unless something in between says that it is of 1.1.
        if (request.version === '1.0' && spec.framing === 'chunked') return [];
        const endsByClose = spec.framing === 'until-close';
        const keeps = request.version !== '1.0' || request.fields !== undefined;
        // Whether the visitor's own connection ends together with that of the service is up to what stands between them.
        const options = keeps && endsByClose ? { visit: oneAnswer } : { ends: !keeps };
        const fields = keeps && !endsByClose ? [keepsAlive] : [];
        const answered = { ...spec, fields, body: patternBytes(1, bytes, bytes), closes: endsByClose || !keeps };
        return [single(`${bytes} bytes ${way}, to ${visitor}`, request, answered, options)];
      }),
    ),
  );
  return [
    ...exchanges,
    single('chunks of one byte', {}, { framing: 'chunked', body: 'one by one', chunkBytes: 1, partBytes: 1 }),
    single('1,000 chunks of one byte at once', {}, { framing: 'chunked', body: 'x'.repeat(1000), chunkBytes: 1 }),
    ...[';a', ';a=b', ';a="b;c"', ';a=b;c=d'].map((extension) =>
      single(
        `chunks with the extension ${extension}`,
        {},
        { framing: 'chunked', body: 'abcdef', chunkBytes: 2, extension },
      ),
    ),
    single('chunk sizes in capitals, with zeros in front', {}, async ({ socket, whole }) => {
      await whole();
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n000A\r\n0123456789\r\n0B\r\n0123456789a\r\n000\r\n\r\n',
      );
    }),
  ];
}

function withoutBodies(): readonly Exchange[] {
  const head = (name: string, spec: AnswerSpec): Exchange =>
    single(`HEAD, ${name}`, { method: 'HEAD' }, { framing: 'none', ...spec });
  const none = (name: string, spec: AnswerSpec): Exchange => single(name, {}, { framing: 'none', ...spec });
  return [
    head('no length', {}),
    head('a length', { fields: [['Content-Length', '12345']] }),
    head('a length of 0', { fields: [['Content-Length', '0']] }),
    head('in chunks', { fields: [['Transfer-Encoding', 'chunked']] }),
    head('404', { status: ' 404 Not Found', fields: [['Content-Length', '9']] }),
    head('204', { status: ' 204 No Content' }),
    head('ranges', {
      fields: [
        ['Accept-Ranges', 'bytes'],
        ['Content-Length', '1048576'],
        ['ETag', 'W/"x"'],
      ],
    }),
    none('204', { status: ' 204 No Content' }),
    none('204 with fields', {
      status: ' 204 No Content',
      fields: [
        ['ETag', '"1"'],
        ['X-Left', '3'],
      ],
    }),
    none('304', { status: ' 304 Not Modified' }),
    none('304 with what it stands for', {
      status: ' 304 Not Modified',
      fields: [
        ['ETag', '"abc"'],
        ['Cache-Control', 'max-age=1'],
        ['Vary', 'Accept'],
        ['Content-Location', '/x'],
      ],
    }),
    none('304 with a length', {
      status: ' 304 Not Modified',
      fields: [
        ['Content-Length', '500'],
        ['ETag', '"abc"'],
      ],
    }),
    single('205', {}, { status: ' 205 Reset Content', body: '' }),
    single('205 in chunks', {}, { status: ' 205 Reset Content', body: '', framing: 'chunked' }),
    single('200 with length 0', {}, { body: '' }),
    single('DELETE and 204', { method: 'DELETE' }, { status: ' 204 No Content', framing: 'none' }),
    single(
      'OPTIONS and 204',
      { method: 'OPTIONS' },
      { status: ' 204 No Content', framing: 'none', fields: [['Allow', 'GET']] },
    ),
  ];
}

function parts(): readonly Exchange[] {
  const body = patternBytes(1, 3, 5_000);
  const range = (value: string): RequestSpec => ({
    fields: [
      ['Range', value],
      ['If-Range', '"v1"'],
    ],
  });
  const boundary = 'THIS_SEPARATES';
  const multipart = [0, 4_000].map((start) =>
    Buffer.concat([
      latin1(`\r\n--${boundary}\r\nContent-Type: a/b\r\nContent-Range: bytes ${start}-${start + 9}/5000\r\n\r\n`),
      body.subarray(start, start + 10),
    ]),
  );
  const partial = (contentRange: string, content: Buffer): AnswerSpec => ({
    status: ' 206 Partial Content',
    fields: [
      ['Content-Range', contentRange],
      ['ETag', '"v1"'],
    ],
    body: content,
  });
  return [
    single('206 at the start', range('bytes=0-99'), partial('bytes 0-99/5000', body.subarray(0, 100))),
    single('206 in the middle', range('bytes=1000-1999'), partial('bytes 1000-1999/5000', body.subarray(1000, 2000))),
    single('206 at the end', range('bytes=-1'), partial('bytes 4999-4999/5000', body.subarray(4999))),
    single('206 of unknown length', range('bytes=5-'), partial('bytes 5-4999/*', body.subarray(5))),
    single('206 in several parts', range('bytes=0-9,4000-4009'), {
      status: ' 206 Partial Content',
      fields: [['Content-Type', `multipart/byteranges; boundary=${boundary}`]],
      body: Buffer.concat([...multipart, latin1(`\r\n--${boundary}--\r\n`)]),
    }),
    single('206 in chunks', range('bytes=0-99'), {
      ...partial('bytes 0-99/5000', body.subarray(0, 100)),
      framing: 'chunked',
      chunkBytes: 7,
    }),
    single('416', range('bytes=9999-'), {
      status: ' 416 Range Not Satisfiable',
      fields: [['Content-Range', 'bytes */5000']],
      body: '',
    }),
    single('a range that is not heeded', range('bytes=0-0'), { body }),
  ];
}

function encodings(): readonly Exchange[] {
  const zipped = gzipSync(patternBytes(1, 4, 20_000));
  const encoded = (encoding: string, body: Buffer, spec: AnswerSpec = {}): Exchange =>
    single(
      `Content-Encoding: ${encoding}, ${spec.framing ?? 'length'}`,
      { fields: [['Accept-Encoding', 'gzip, br;q=0.5, *;q=0']] },
      {
        fields: [
          ['Content-Encoding', encoding],
          ['Vary', 'Accept-Encoding'],
        ],
        body,
        ...spec,
      },
    );
  return [
    encoded('gzip', zipped),
    encoded('gzip', zipped, { framing: 'chunked', chunkBytes: 999 }),
    encoded('deflate, gzip', zipped.subarray(0, 1_000), { framing: 'chunked' }),
    encoded('br', latin1('no brotli at all')),
    encoded('identity', latin1('as it is')),
    encoded('odd, gzip', zipped, { framing: 'chunked', chunkBytes: 5_000 }),
    single(
      'a body that asks to be transformed',
      {},
      { fields: [['Content-Type', 'text/html; charset=latin1']], body: '<p>\xe4' },
    ),
    single('a request with an encoded body', {
      method: 'POST',
      body: zipped,
      fields: [
        ['Content-Encoding', 'gzip'],
        ['Content-Type', 'text/plain'],
      ],
    }),
  ];
}
