import { expect, test } from 'vitest';
import { readRequests } from './strict-reader.ts';

const read = (text: string): ReturnType<typeof readRequests> => readRequests(Buffer.from(text, 'latin1'));

test('requests follow each other', () => {
  const { requests, ...rest } = read(
    'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi' +
      'POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n' +
      'GET /c HTTP/1.0\r\n\r\n',
  );
  expect(rest).toEqual({ isUnfinished: false });
  expect(requests.map(({ method, target, body }) => `${method} ${target} ${body.toString()}`)).toEqual([
    'POST /a hi',
    'POST /b hi0123456789',
    'GET /c ',
  ]);
});

test.each([
  ['bare line feed', 'GET / HTTP/1.1\nHost: h\r\n\r\n', 'a bare line end in "GET / HTTP/1.1\\nHost: h"'],
  ['bare carriage return', 'GET / HTTP/1.1\r\nHost: h\r\nA: 1\r2\r\n\r\n', 'a bare line end in "A: 1\\r2"'],
  ['two spaces', 'GET  / HTTP/1.1\r\nHost: h\r\n\r\n', 'no request line: "GET  / HTTP/1.1"'],
  ['fold', 'GET / HTTP/1.1\r\nHost: h\r\n more\r\n\r\n', 'no field line: " more"'],
  ['space before the colon', 'GET / HTTP/1.1\r\nHost : h\r\n\r\n', 'no field line: "Host : h"'],
  ['NUL', 'GET / HTTP/1.1\r\nHost: h\0\r\n\r\n', 'no field line: "Host: h\\u0000"'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n', '2 Host fields'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', '0 Host fields'],
  ['sign', 'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n', 'content length "+1"'],
  [
    'both lengths',
    'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'more than one field about the length of the body',
  ],
  ['coding', 'GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n', 'transfer coding "gzip"'],
  ['coding in 1.0', 'GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 'transfer coding "chunked"'],
  ['extension', 'GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\n', 'chunk size "1;a"'],
  [
    'long chunk',
    'GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n',
    'a chunk that is longer than its size',
  ],
])('%s is a fault', (_name, text, fault) => {
  expect(read(text)).toEqual({ requests: [], isUnfinished: false, fault });
});

test.each(['GET / HTT', 'GET / HTTP/1.1\r\nHost: h\r', 'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nh'])(
  '%j is unfinished',
  (text) => {
    expect(read(text)).toEqual({ requests: [], isUnfinished: true });
  },
);
