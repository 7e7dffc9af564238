import { cases, type CorpusCase, endingCases, get, head, HOST, post, SMUGGLED } from '../corpus-case.ts';

const slow: CorpusCase = { name: 'a head that comes byte by byte', pieces: get('/case').split(''), ends: false };
const slowBody: CorpusCase = {
  name: 'a chunked body that comes byte by byte',
  pieces: post(['Transfer-Encoding: chunked'], '5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n').split(''),
  ends: false,
};
const split: CorpusCase = {
  name: 'a head whose line ends come in halves',
  pieces: get('/case', 'A: b').split(/(?<=\r)/),
  ends: false,
};
const badAcross: CorpusCase = {
  name: 'a coding behind a bare line feed that comes later',
  pieces: [
    `POST /case HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nA: b`,
    '\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ends: false,
};
const smuggledLater: CorpusCase = {
  name: 'a bad request, and a good one later',
  pieces: [head('GET /case HTTP/1.1', `Host: ${HOST}`, 'Host: b'), SMUGGLED],
  ends: false,
};

/** Several requests on a connection, ends in the middle, and what is no HTTP. */
export const connectionCases: readonly CorpusCase[] = [
  ...cases({
    'two requests at once': `${get('/first')}${get('/second')}`,
    'a request and a body, at once with the next': `${post(['Content-Length: 5'], 'hello')}${get('/second')}`,
    'a request that is whole in the body of another': post([`Content-Length: ${SMUGGLED.length}`], SMUGGLED),
    'a request that is whole in a chunk of another': post(
      ['Transfer-Encoding: chunked'],
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    ),
    'a request behind the last that is to be': `${get('/case', 'Connection: close')}${SMUGGLED}`,
    'a request behind the last in HTTP/1.0': `${head('GET /case HTTP/1.0', `Host: ${HOST}`)}${SMUGGLED}`,
    'a request behind a bad one': `${head('GET /case HTTP/1.1', `Host: ${HOST}`, 'Content-Length: x')}${SMUGGLED}`,
    'a request behind a bad body': `${post(['Transfer-Encoding: chunked'], 'x\r\n\r\n')}${SMUGGLED}`,
    'a good request, a bad one, a good one': `${get('/first')}${get('/case', 'A : b')}${SMUGGLED}`,
    'a good request, one for another host, a good one': `${get('/first')}${head('GET /other HTTP/1.1', 'Host: nobody.localhost')}${get('/second')}`,
    'a good request, one for the server': `${get('/first')}${head('GET /healthz HTTP/1.1', 'Host: localhost')}`,
    'a request for the server, and a good one': `${head('GET /healthz HTTP/1.1', 'Host: localhost')}${get('/second')}`,
    'a request for another host, and a good one': `${head('GET /other HTTP/1.1', 'Host: nobody.localhost')}${get('/second')}`,
    'a body for another host that looks like a request': `${head('POST /other HTTP/1.1', 'Host: nobody.localhost', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`,
    'twenty requests at once': Array.from({ length: 20 }, (_, index) => get(`/case/${index}`)).join(''),
    'a line end too many behind a body': `${post(['Content-Length: 5'], 'hello\r\n')}${get('/second')}`,
    'bytes that are no request behind a body': `${post(['Content-Length: 5'], 'hello')}XX${get('/second')}`,

    'Expect: 100-continue': post(['Expect: 100-continue', 'Content-Length: 5'], 'hello'),
    'Expect: 100-continue in upper case': post(['Expect: 100-Continue', 'Content-Length: 5'], 'hello'),
    'Expect: 100-continue without a body': get('/case', 'Expect: 100-continue'),
    'Expect: 100-continue in HTTP/1.0': `${head('POST /case HTTP/1.0', `Host: ${HOST}`, 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    'Expect: 200-ok': post(['Expect: 200-ok', 'Content-Length: 5'], 'hello'),
    'Expect: 200-ok, and a body that looks like a request': post(
      ['Expect: 200-ok', `Content-Length: ${SMUGGLED.length}`],
      SMUGGLED,
    ),
    'an empty Expect': post(['Expect:', 'Content-Length: 5'], 'hello'),
    'two expectations': post(['Expect: 100-continue', 'Expect: 200-ok', 'Content-Length: 5'], 'hello'),
    'a list of expectations': post(['Expect: 100-continue, 200-ok', 'Content-Length: 5'], 'hello'),

    'the greeting of TLS': '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
    'the line of the PROXY protocol': `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get('/case')}`,
    'the bytes of the PROXY protocol': `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02${get('/case')}`,
    'the greeting of SSH': 'SSH-2.0-OpenSSH_9.2\r\n',
    'the greeting of SMTP': 'EHLO corpus.localhost\r\nMAIL FROM:<a@b>\r\n',
    'a command of Redis': '*1\r\n$4\r\nPING\r\n',
    'an answer in place of a request': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'a thousand bytes NUL': '\0'.repeat(1_000),
    'a million letters': 'A'.repeat(1_000_000),
  }),
  slow,
  slowBody,
  split,
  badAcross,
  smuggledLater,
  ...endingCases({
    'nothing, and an end': '',
    'one byte, and an end': 'G',
    'a request line, and an end': 'GET /case HTTP/1.1\r\n',
    'a head without its end, and an end': `GET /case HTTP/1.1\r\nHost: ${HOST}\r\n`,
    'a head with half of its end, and an end': `GET /case HTTP/1.1\r\nHost: ${HOST}\r\n\r`,
    'a head within a name, and an end': `GET /case HTTP/1.1\r\nHost: ${HOST}\r\nAccept`,
  }),
];
