// What services answer that is no HTTP, or none that can be passed on: the visitor is told so, and the server goes on.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningClient, type RunningServer, startClient, startServer } from './support/pair.ts';
import { TcpService } from './support/tcp-service.ts';

const BAD = /^HTTP\/1\.1 502 [^]*Tunnel-Error: (bad|no)-answer\r\n/;
const LENGTH = 'Content-Length: 2\r\n\r\nok';

let service: TcpService;
let server: RunningServer;
let client: RunningClient;
let answer = '';

beforeAll(async () => {
  service = await TcpService.listen({}, (socket) => {
    socket.once('data', () => void socket.end(answer, 'latin1'));
  });
  server = await startServer();
  const target = { host: '127.0.0.1', port: service.port };
  client = await startClient(server.port, [], { tunnels: [{ target, http: { host: 'shop' } }] });
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await service.close();
});

/** What a visitor gets for an answer of the service. */
async function visitorGets(bytes: string, { method = 'GET', version = '1.1' } = {}): Promise<string> {
  answer = bytes;
  const socket = connect(server.port, '127.0.0.1').setEncoding('latin1');
  socket.write(`${method} / HTTP/${version}\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await once(socket, 'close');
  return text;
}

test.each([
  ['a status below 100', `HTTP/1.1 099 OK\r\n${LENGTH}`],
  ['a status of 0', `HTTP/1.1 000 OK\r\n${LENGTH}`],
  ['a status of four digits', `HTTP/1.1 1000 OK\r\n${LENGTH}`],
  ['a reason with a control character', `HTTP/1.1 200 O\x01K\r\n${LENGTH}`],
  ['another protocol, which nobody asked for', 'HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
  ['another protocol without its name', 'HTTP/1.1 101 OK\r\n\r\n'],
  ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${LENGTH}`],
  ['a length and chunks', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${LENGTH}`],
  ['a coding that nobody undoes', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a control character in a field', `HTTP/1.1 200 OK\r\nA: \x01\r\n${LENGTH}`],
  ['no head', 'ok'],
])('%s', async (_what, bytes) => {
  expect(await visitorGets(bytes)).toMatch(BAD);
});

test.each([
  ['no chunks', {}, `HTTP/1.1 200 OK\r\nTrailer: A\r\n${LENGTH}`],
  ['no body', { method: 'HEAD' }, 'HTTP/1.1 200 OK\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['no body by its status', {}, 'HTTP/1.1 304 OK\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [
    'a visitor of HTTP/1.0',
    { version: '1.0' },
    'HTTP/1.1 200 OK\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n',
  ],
])('trailers announced, and %s', async (_what, visitor, bytes) => {
  const text = await visitorGets(bytes, visitor);
  expect(text).toMatch(/^HTTP\/1\.1 (200|304) OK\r\n/);
  expect(text).not.toContain('Trailer');
});

test('a body behind an answer that has none is left out', async () => {
  expect(await visitorGets(`HTTP/1.1 200 OK\r\n${LENGTH}`, { method: 'HEAD' })).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/,
  );
});
