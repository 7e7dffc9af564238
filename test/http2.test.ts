// Visitors that speak HTTP/2: over TLS, to services that speak HTTP/1.1.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { constants } from 'node:http2';
import { type AddressInfo, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { HttpOptions } from '@tunnel/client';
import { parseServerAddress } from '@tunnel/client';
import type { ServerOptions } from '@tunnel/server';
import { expect, test } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { FLAG, type Frame, FRAME, fields, frame, getFields, RawHttp2 } from './support/http/http2-frames.ts';
import { Http2Visitor, readAnswer } from './support/http/http2-visitor.ts';
import { type RunningServer, startClient, startServer } from './support/pair.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants;

const ca = readCertificates().get('TEST_AUTHORITY');

interface Scene extends AsyncDisposable {
  readonly server: RunningServer;
  readonly port: number;
}

/** A tunnel with TLS to a service, as `shop.localhost`. */
async function startScene(
  listener: RequestListener,
  http: Partial<HttpOptions> = {},
  serverOptions: Partial<ServerOptions> = {},
): Promise<Scene> {
  const directory = await temporaryDirectory();
  const tls = await certificateFiles(directory.path);
  const service = createServer(listener).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const server = await startServer({ tls, ...serverOptions });
  const { port } = service.address() as AddressInfo;
  const client = await startClient(server.port, [], {
    server: parseServerAddress(`wss://localhost:${server.port}`),
    ca,
    tunnels: [{ target: { host: '127.0.0.1', port }, http: { host: 'shop', ...http } }],
  });
  return {
    server,
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      service.closeAllConnections();
      service.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** What a service got, as JSON. */
const mirror: RequestListener = (request, response) => {
  const { method, url, rawHeaders, httpVersion } = request;
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  request.on('end', () => {
    response.end(JSON.stringify({ method, url, httpVersion, rawHeaders, body, trailers: request.rawTrailers }));
  });
};

const HOST = 'shop.localhost';

test('a request arrives as HTTP/1.1: method, path, host, one cookie, its body, and who asks', async () => {
  await using scene = await startScene(mirror);
  await using visitor = new Http2Visitor(scene.port, HOST);
  const answer = await visitor.request(
    {
      ':method': 'POST',
      ':path': '/a?b=c',
      cookie: ['a=1', 'b=2'],
      'x-two': ['1', '2'],
      te: 'trailers',
      'x-high': 'h\u00fc',
    },
    'hello',
  );
  expect(answer.status).toBe(200);
  const { method, url, httpVersion, rawHeaders, body } = JSON.parse(
    Buffer.from(answer.body, 'latin1').toString(),
  ) as Record<string, never> & {
    rawHeaders: string[];
  };
  expect([method, url, httpVersion, body]).toEqual(['POST', '/a?b=c', '1.1', 'hello']);
  const text = rawHeaders.join('\n');
  expect(text).toContain(`host\nshop.localhost:${scene.port}`);
  expect(text).toContain('cookie\na=1; b=2');
  expect(text).toContain('x-two\n1\nx-two\n2');
  expect(text).toContain('te\ntrailers');
  expect(text).toContain('x-high\nh\u00fc');
  expect(text).toContain('X-Forwarded-For\n127.0.0.1\nX-Forwarded-Proto\nhttps');
  expect(text).toContain('Transfer-Encoding\nchunked');
  expect(text).toContain('Via\n2 tunnel-');
  expect(text).not.toContain('\n:');
});

test('an answer comes as HTTP/2: status, headers, body, trailers, early hints, nothing of the connection', async () => {
  await using scene = await startScene((_request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.writeHead(201, 'Made', [
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['Connection', 'X-Secret'],
      ['X-Secret', 'x'],
      ['X-Kept', 'k\u00fc'],
      ['Trailer', 'X-Sum'],
    ] as never);
    response.write('one');
    response.addTrailers({ 'X-Sum': '42' });
    response.end('two');
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  const answer = await visitor.request({ ':path': '/' });
  expect(answer).toMatchObject({ status: 201, body: 'onetwo', resetCode: 0 });
  expect(answer.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-kept': 'k\u00fc' });
  expect(answer.headers).not.toHaveProperty('x-secret');
  expect(answer.headers).not.toHaveProperty('connection');
  expect(answer.headers).not.toHaveProperty('transfer-encoding');
  expect(answer.trailers).toMatchObject({ 'x-sum': '42' });
  expect(answer.information).toEqual([expect.objectContaining({ ':status': 103, link: '</a.css>; rel=preload' })]);
});

test('HEAD, 204, 304 and empty answers end with their head', async () => {
  await using scene = await startScene((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 200 ? { 'Content-Length': request.method === 'HEAD' ? 5 : 0 } : {});
    response.end();
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  for (const [method, path] of [
    ['HEAD', '/200'],
    ['GET', '/204'],
    ['GET', '/304'],
    ['GET', '/200'],
    ['HEAD', '/404'],
  ]) {
    const answer = await visitor.request({ ':method': method, ':path': path });
    expect(answer).toMatchObject({ status: Number(path?.slice(1)), body: '', resetCode: 0, endedWithHead: true });
  }
});

test('trailers of a request arrive, and 100-continue is up to the service', async () => {
  await using scene = await startScene(mirror);
  await using visitor = new Http2Visitor(scene.port, HOST);
  const stream = visitor.session.request(
    { ':method': 'POST', ':path': '/', ':authority': HOST, expect: '100-continue' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
  const answer = readAnswer(stream);
  await once(stream, 'continue');
  stream.end('body');
  expect(JSON.parse((await answer).body)).toMatchObject({ body: 'body', trailers: ['x-sum', '7'] });
});

test('an answer that breaks off is a reset of its stream, and the others go on', async () => {
  const sockets: Socket[] = [];
  await using scene = await startScene((request, response) => {
    if (request.url === '/other') {
      response.end('whole');
      return;
    }
    sockets.push(request.socket);
    response.writeHead(200, request.url === '/sized' ? { 'Content-Length': 100 } : {});
    response.write('half');
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  for (const path of ['/sized', '/chunked']) {
    const stream = visitor.begin({ ':path': path });
    let isEnded = false;
    stream.on('end', () => (isEnded = stream.rstCode === 0));
    const answer = readAnswer(stream);
    await once(stream, 'data');
    sockets.pop()?.resetAndDestroy();
    expect(await answer).toMatchObject({ status: 200, body: 'half', resetCode: NGHTTP2_INTERNAL_ERROR });
    expect(isEnded).toBe(false);
  }
  expect(await visitor.request({ ':path': '/other' })).toMatchObject({ body: 'whole' });
});

test('a visitor that leaves in the middle of an upload is no end of it, with whatever code', async () => {
  const endings: string[] = [];
  let begun = 0;
  await using scene = await startScene((request, response) => {
    if (request.url === '/early') response.end('early');
    request.once('data', () => (begun += 1));
    request.socket.on('close', () => endings.push(request.complete ? 'whole' : 'broken'));
    request.on('error', () => {});
  });
  for (const [path, code] of [
    ['/late', NGHTTP2_CANCEL],
    ['/early', NGHTTP2_CANCEL],
    ['/late', 0],
    ['/early', 0],
  ] as const) {
    await using raw = await RawHttp2.connect(scene.port, HOST);
    const head = fields([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', HOST],
      [':path', path],
    ]);
    raw.socket.write(frame(FRAME.headers, FLAG.endHeaders, 1, head));
    raw.socket.write(frame(FRAME.data, 0, 1, Buffer.from('part')));
    const before = { begun, endings: endings.length };
    await expect.poll(() => begun).toBe(before.begun + 1);
    await expect.poll(() => raw.frames.some(isLastOf(1)) || path !== '/early').toBe(true);
    raw.socket.write(frame(FRAME.rstStream, 0, 1, Buffer.of(0, 0, 0, code)));
    await expect.poll(() => endings.length).toBe(before.endings + 1);
  }
  expect(endings).toEqual(['broken', 'broken', 'broken', 'broken']);
});

function isLastOf(streamId: number): (each: Frame) => boolean {
  return (each) => each.streamId === streamId && each.type <= FRAME.headers && (each.flags & FLAG.endStream) !== 0;
}

test('a hundred requests at once share sixteen connections to the service', async () => {
  const sockets = new Set<Socket>();
  await using scene = await startScene((request, response) => {
    sockets.add(request.socket);
    response.end(request.url);
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  const paths = Array.from({ length: 100 }, (_, index) => `/${index}`);
  const answers = await Promise.all(paths.map((path) => visitor.request({ ':path': path })));
  expect(answers.map(({ body }) => body)).toEqual(paths);
  expect(sockets.size).toBeLessThanOrEqual(16);
});

test('event streams that never end keep no request waiting for long', async () => {
  await using scene = await startScene((request, response) => {
    response.write(request.url);
    if (request.url === '/last') response.end();
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  const streams = Array.from({ length: 20 }, () => visitor.begin({ ':path': '/events' }));
  await Promise.all(streams.map((stream) => once(stream, 'data')));
  expect(await visitor.request({ ':path': '/last' })).toMatchObject({ body: '/last', resetCode: 0 });
});

test("the server's own answers, and what is refused before a service is asked", async () => {
  await using scene = await startScene(mirror);
  await using visitor = new Http2Visitor(scene.port, HOST);
  const get = (headers: object): Promise<{ status: number | undefined; code: unknown }> =>
    visitor
      .request({ ':path': '/', ...headers })
      .then(({ status, headers: { 'tunnel-error': code } }) => ({ status, code }));
  const authority = `${HOST}:${scene.port}`;
  expect(await get({ ':authority': authority, host: authority })).toMatchObject({ status: 200 });
  expect(await get({ ':authority': authority, host: 'other.localhost' })).toEqual({ status: 400, code: 'bad-request' });
  // Later versions of Node refuse it themselves.
  expect([400, undefined]).toContain((await get({ ':authority': 'a@b' })).status);
  expect(await get({ ':path': '/a b' })).toMatchObject({ status: expect.not.stringMatching('200') as number });
  expect(await get({ ':authority': 'other.localhost' })).toEqual({ status: 421, code: 'misdirected' });
  expect(await get({ 'x-long': Array.from({ length: 7 }, () => 'x'.repeat(10_000)) })).toEqual({
    status: 431,
    code: 'head-too-large',
  });
  const many = Object.fromEntries(Array.from({ length: 1_100 }, (_, index) => [`x-${index}`, '1']));
  expect(await get(many)).toEqual({ status: 431, code: 'too-many-headers' });
  await using nobody = new Http2Visitor(scene.port, 'none.localhost');
  expect(await nobody.request({ ':path': '/', ':method': 'POST' }, 'x'.repeat(100_000))).toMatchObject({ status: 404 });
  const grpc = await nobody.request({ ':path': '/a/b', ':method': 'POST', 'content-type': 'application/grpc' }, 'x');
  expect(grpc).toMatchObject({ status: 200, endedWithHead: true, headers: { 'grpc-status': '12' } });
  await using own = new Http2Visitor(scene.port, 'localhost');
  expect(await own.request({ ':path': '/healthz' })).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await own.request({ ':path': '/' })).toMatchObject({ status: 404 });
});

test('HTTP/1.1 and links use the same port', async () => {
  await using scene = await startScene(mirror);
  const socket = tlsConnect({ port: scene.port, host: '127.0.0.1', servername: HOST, rejectUnauthorized: false });
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test('bytes beyond ASCII in a head arrive as they were', async () => {
  const heads: string[][] = [];
  await using scene = await startScene((request, response) => {
    heads.push(request.rawHeaders);
    response.setHeader('X-Utf8', Buffer.from('\u20ac').toString('latin1'));
    response.setHeader('X-Latin1', '\u00fc');
    response.end();
  });
  await using raw = await RawHttp2.connect(scene.port, HOST);
  const utf8 = Buffer.from('\u20ac').toString('latin1');
  raw.socket.write(
    frame(
      FRAME.headers,
      5,
      1,
      getFields(HOST, [
        ['x-utf8', utf8],
        ['x-latin1', '\u00fc'],
        ['x-long', '\u00fc'.repeat(100)],
      ]),
    ),
  );
  await expect.poll(() => raw.frames.find(isLastOf(1))).toBeDefined();
  expect(heads[0]?.join('|')).toContain(`|x-utf8|${utf8}|x-latin1|\u00fc|x-long|${'\u00fc'.repeat(100)}|`);
  const answer = raw.frames.find(isLastOf(1))?.payload.toString('latin1');
  // Huffman's code makes these no shorter, so they stand as they are.
  expect(answer).toContain(utf8);
  expect(answer).toContain('\u00fc');
});

const ENHANCE_YOUR_CALM = 11;

/** A GET and its reset, for the first `count` streams. */
function rapidResets(count: number): Buffer {
  const head = getFields(HOST);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const id = 2 * index + 1;
      return Buffer.concat([frame(FRAME.headers, 5, id, head), frame(FRAME.rstStream, 0, id, Buffer.of(0, 0, 0, 8))]);
    }),
  );
}

test.each([
  ['rapid resets', rapidResets(300)],
  ['settings', Buffer.concat(Array.from({ length: 300 }, () => frame(FRAME.settings, 0, 0)))],
])('a flood of %s closes its connection, and no other', async (_name, bytes) => {
  await using scene = await startScene((_request, response) => setTimeout(() => response.end('late'), 100));
  await using visitor = new Http2Visitor(scene.port, HOST);
  const other = visitor.request({ ':path': '/' });
  await using raw = await RawHttp2.connect(scene.port, HOST);
  const closed = once(raw.socket, 'close');
  raw.socket.write(bytes);
  await closed;
  expect(raw.goaway).toBe(ENHANCE_YOUR_CALM);
  expect(await other).toMatchObject({ status: 200, body: 'late' });
});

test.each([
  [
    'a head in many pieces',
    [
      frame(FRAME.headers, FLAG.endStream, 1, getFields(HOST)),
      ...Array.from({ length: 1_000 }, (_, index) =>
        frame(FRAME.continuation, 0, 1, fields([[`x-${index}`, 'x'.repeat(1_000)]])),
      ),
    ],
  ],
  [
    'empty pieces of a head',
    [
      frame(FRAME.headers, FLAG.endStream, 1, getFields(HOST)),
      ...Array.from({ length: 1_000 }, () => frame(FRAME.continuation, 0, 1)),
    ],
  ],
])('%s closes its connection', async (_name, frames) => {
  await using scene = await startScene(mirror);
  await using raw = await RawHttp2.connect(scene.port, HOST);
  const closed = once(raw.socket, 'close');
  for (const each of frames) raw.socket.write(each);
  await closed;
  expect(raw.frames.some(isLastOf(1))).toBe(false);
});

test('a large head by way of compression is refused', async () => {
  await using scene = await startScene(mirror);
  await using raw = await RawHttp2.connect(scene.port, HOST);
  // A field that enters the table, and then a byte each time.
  const value = 'x'.repeat(3_000);
  const bomb = Buffer.concat([
    getFields(HOST),
    Buffer.from([0x40, 1, 0x78, 127, ((3_000 - 127) & 127) | 128, (3_000 - 127) >> 7]),
    Buffer.from(value),
    Buffer.alloc(10_000, 0x80 | 62),
  ]);
  raw.socket.write(frame(FRAME.headers, 5, 1, bomb));
  await expect
    .poll(() => raw.frames.some(({ type, streamId }) => type === FRAME.rstStream && streamId === 1))
    .toBe(true);
});

test('a flood of pings closes its connection', async () => {
  await using scene = await startScene(mirror);
  await using raw = await RawHttp2.connect(scene.port, HOST);
  const closed = once(raw.socket, 'close');
  raw.socket.write(Buffer.concat(Array.from({ length: 25_000 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)))));
  await closed;
  expect(raw.frames.length).toBeLessThan(25_000);
});

test('there are 128 requests at once, and further ones are refused', async () => {
  let count = 0;
  await using scene = await startScene((_request, response) => {
    count += 1;
    response.write('x');
  });
  await using raw = await RawHttp2.connect(scene.port, HOST);
  const head = getFields(HOST);
  raw.socket.write(
    Buffer.concat(Array.from({ length: 140 }, (_, index) => frame(FRAME.headers, 5, 2 * index + 1, head))),
  );
  const refused = (): number =>
    raw.frames.filter(({ type, payload }) => type === FRAME.rstStream && payload[3] === 7).length;
  await expect.poll(refused).toBe(12);
  await expect.poll(() => count, { timeout: 20_000 }).toBe(128);
});

test('connections without a request are closed', { timeout: 30_000 }, async () => {
  await using scene = await startScene(mirror);
  const begun = performance.now();
  await using quiet = await RawHttp2.connect(scene.port, HOST);
  await using silent = await RawHttp2.connect(scene.port, HOST, Buffer.from('PRI'));
  await using half = await RawHttp2.connect(scene.port, HOST);
  half.socket.write(frame(FRAME.headers, FLAG.endStream, 1, getFields(HOST)));
  await expect.poll(() => [quiet, silent, half].every(({ socket }) => socket.closed), { timeout: 25_000 }).toBe(true);
  expect(performance.now() - begun).toBeGreaterThan(9_000);
});

test('a stopping server lets requests finish and takes no more', async () => {
  let answer: (() => void) | undefined;
  await using scene = await startScene((_request, response) => {
    response.write('first');
    answer = () => response.end('last');
  });
  await using visitor = new Http2Visitor(scene.port, HOST);
  const stream = visitor.begin({ ':path': '/' });
  const whole = readAnswer(stream);
  await once(stream, 'data');
  const stopped = scene.server.server.stop();
  answer?.();
  expect(await whole).toMatchObject({ body: 'firstlast', resetCode: 0 });
  await stopped;
});
