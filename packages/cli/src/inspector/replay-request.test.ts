import { expect, test } from 'vitest';
import { recordedExchange } from './exchange.fixture.ts';
import { MASK } from './masking.ts';
import { editedRequest, originalRequest, problemOfReplay, readEditedRequest } from './replay-request.ts';

const POST =
  'POST /a?b HTTP/1.1\r\nhOST: a\r\nX-Twice: 1\r\nAuthorization: Bearer one\r\nX-Twice:  2 \r\nCookie: a=b\r\nContent-length: 5\r\n\r\nhello';
const CHUNKED =
  'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Last: z\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n';

test.each([POST, CHUNKED, 'GET / HTTP/1.0\r\n\r\n'])('the original is the same bytes: %j', (text) => {
  expect(originalRequest(recordedExchange(text)).toString('latin1')).toBe(text);
});

test('an edited request keeps the order and case of headers, and what was masked', () => {
  const headers = [
    { name: 'hOST', value: 'a' },
    { name: 'Authorization', value: MASK },
    { name: 'X-New', value: 'ü' },
    { name: 'Content-length', value: '5' },
    { name: 'Cookie', value: 'c=d' },
  ];
  const body = Buffer.from('longer than before').toString('base64');
  const request = editedRequest(recordedExchange(POST), { method: 'PATCH', path: '/new', headers, body });
  expect(request.toString('latin1')).toBe(
    'PATCH /new HTTP/1.1\r\nhOST: a\r\nAuthorization: Bearer one\r\nX-New: ü\r\nContent-length: 18\r\nCookie: c=d\r\n\r\nlonger than before',
  );
});

test('an edited request tells its length once, in the place where it was told', () => {
  const exchange = recordedExchange(CHUNKED);
  const headers = ['Host', 'Transfer-Encoding', 'X-Last'].map((name) => ({ name, value: 'x' }));
  expect(editedRequest(exchange, { method: 'PUT', path: '/', headers }).toString()).toBe(
    'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Last: x\r\n\r\nabc',
  );
  const twice = [...headers, { name: 'content-length', value: '7' }];
  expect(editedRequest(exchange, { method: 'PUT', path: '/', headers: twice }).toString()).toBe(
    'PUT / HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\nX-Last: x\r\n\r\nabc',
  );
});

test.each([
  { method: 'GET /x', path: '/', headers: [] },
  { method: 'GET', path: '/ HTTP/1.1\r\nX: y', headers: [] },
  { method: 'GET', path: '/', headers: [{ name: 'X\r\nY', value: 'z' }] },
  { method: 'GET', path: '/', headers: [{ name: 'X', value: 'y\r\nZ: z' }] },
  { method: 'GET', path: '/', headers: [{ name: 'X', value: '€' }] },
])('what is no request is not sent: %j', (edited) => {
  expect(() => editedRequest(recordedExchange(POST), edited)).toThrow(RangeError);
});

test('why a request cannot be sent again', () => {
  expect(problemOfReplay(recordedExchange(POST))).toBeUndefined();
  expect(problemOfReplay(recordedExchange(POST.slice(0, -1)))).toMatch(/not here yet/);
  expect(problemOfReplay(recordedExchange('GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'))).toMatch(/upgraded/);
  const long = Buffer.alloc(300 * 1024, 'x');
  const head = `PUT / HTTP/1.1\r\nContent-Length: ${long.length}\r\n\r\n`;
  expect(problemOfReplay(recordedExchange(Buffer.concat([Buffer.from(head), long])))).toMatch(/first 256 KiB/);
});

test.each([null, [], 'x', {}, { method: 'GET', path: '/', headers: [{}] }, { method: 'GET', path: '/' }])(
  '%j is no edited request',
  (value) => {
    expect(readEditedRequest(value)).toBeUndefined();
  },
);
