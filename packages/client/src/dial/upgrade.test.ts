import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import type { Socket } from 'node:net';

import { TunnelError } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { parseServerAddress } from './address.ts';
import { closeOf, connected, failureOf, listen, listenRaw } from './loopback.fixture.ts';
import type { OpenedWebSocket, UpgradeOptions } from './upgrade.ts';
import { openWebSocket } from './upgrade.ts';

async function open(
  port: number,
  { path = '', ...options }: Partial<UpgradeOptions> & { path?: string } = {},
): Promise<OpenedWebSocket> {
  const socket = await connected(port);
  return openWebSocket(socket, parseServerAddress(`ws://127.0.0.1:${port}${path}`), {
    signal: new AbortController().signal,
    maxPayloadBytes: 1024,
    ...options,
  });
}

/** A WebSocket server that records its requests. */
async function listenWebSocket(requests: IncomingMessage[] = []): Promise<{ port: number; server: WebSocketServer }> {
  const http = createHttpServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (webSocket, request) => {
    webSocket.on('error', () => {});
    requests.push(request);
  });
  return { port: await listen(http), server };
}

/** The response to an upgrade, as bytes. */
function acceptance(request: string): string {
  const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
  );
}

/** Answers each request with the given bytes, then does as told. */
function listenAnswering(
  answer: (request: string) => string | Buffer,
  after?: (socket: Socket) => void,
): Promise<number> {
  return listenRaw((socket) => {
    socket.once('data', (request) => {
      socket.write(answer(String(request)), () => after?.(socket));
    });
  });
}

describe('an open WebSocket', () => {
  test('has asked for the path of the address, with the headers given', async () => {
    const requests: IncomingMessage[] = [];
    const { port } = await listenWebSocket(requests);
    const { webSocket, socket, responseHeaders } = await open(port, { path: '/a/b', headers: { 'x-test': 'yes' } });
    expect(requests[0]?.url).toBe('/a/b');
    expect(requests[0]?.headers).toMatchObject({ host: `127.0.0.1:${port}`, 'x-test': 'yes' });
    expect(requests[0]?.headers).not.toHaveProperty('origin');
    expect(requests[0]?.headers).not.toHaveProperty('sec-websocket-extensions');
    expect(responseHeaders.upgrade).toBe('websocket');
    expect(socket.destroyed).toBe(false);
    webSocket.terminate();
    await closeOf(webSocket);
    expect(socket.destroyed).toBe(true);
  });

  test('loses nothing that came with the answer before it is resumed', async () => {
    const messages = Buffer.from([0x82, 1, 65, 0x82, 1, 66]);
    const port = await listenAnswering((request) => Buffer.concat([Buffer.from(acceptance(request)), messages]));
    const { webSocket } = await open(port);
    // Long enough for whatever `ws` defers by a tick or a turn of the event loop.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const received: string[] = [];
    const both = new Promise<void>((resolve) => {
      webSocket.on('message', (data) => {
        received.push((data as Buffer).toString());
        if (received.length === 2) resolve();
      });
    });
    webSocket.resume();
    await both;
    expect(received).toEqual(['A', 'B']);
    webSocket.terminate();
  });

  test('tells of an end that came with the answer once it is resumed', async () => {
    const port = await listenAnswering(acceptance, (socket) => socket.end());
    const { webSocket } = await open(port);
    const closed = closeOf(webSocket);
    webSocket.resume();
    expect((await closed)[0]).toBe(1006);
  });

  test('outlives a reset and a message that is too long', async () => {
    const reset = await open(await listenAnswering(acceptance, (socket) => socket.resetAndDestroy()));
    const resetClosed = closeOf(reset.webSocket);
    reset.webSocket.resume();
    await resetClosed;

    const { port, server } = await listenWebSocket();
    server.on('connection', (webSocket) => webSocket.send(Buffer.alloc(1025)));
    const { webSocket } = await open(port);
    const closed = closeOf(webSocket);
    webSocket.resume();
    await closed;
    expect(webSocket.readyState).toBe(webSocket.CLOSED);
  });

  test('sends with masks of zeros', async () => {
    const frames = new EventEmitter();
    const port = await listenRaw((socket) => {
      socket.once('data', (request) => {
        socket.on('data', (frame: Buffer) => frames.emit('frame', frame));
        socket.write(acceptance(String(request)));
      });
    });
    const { webSocket } = await open(port);
    const payload = Buffer.alloc(64, 1);
    const seen = once(frames, 'frame');
    webSocket.send(payload);
    const [frame] = (await seen) as [Buffer];
    expect(frame[1]).toBe(0x80 | 64);
    expect(frame.subarray(2, 6).equals(Buffer.alloc(4))).toBe(true);
    expect(frame.subarray(6).equals(payload)).toBe(true);
    webSocket.terminate();
  });
});

describe('another answer', () => {
  test.each([
    [200, {}, 'HTTP 200 OK', undefined],
    [
      301,
      { location: 'https://example.com/new?token=x' },
      'HTTP 301 Moved Permanently, to https://example.com/new',
      undefined,
    ],
    [401, {}, 'HTTP 401 Unauthorized', undefined],
    [403, {}, 'HTTP 403 Forbidden', undefined],
    [404, {}, 'HTTP 404 Not Found', undefined],
    [426, { upgrade: 'websocket', connection: 'upgrade' }, 'HTTP 426 Upgrade Required', undefined],
    [429, { 'retry-after': '7' }, 'HTTP 429 Too Many Requests', 7_000],
    [503, { 'retry-after': '120' }, 'HTTP 503 Service Unavailable', 120_000],
    [
      503,
      { date: 'Wed, 21 Oct 2015 07:28:00 GMT', 'retry-after': 'Wed, 21 Oct 2015 07:29:00 GMT' },
      'HTTP 503 Service Unavailable',
      60_000,
    ],
    [599, {}, 'HTTP 599', undefined],
  ])('%d %j', async (status, headers, detail, retryAfterMs) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const port = await listenAnswering(() => `HTTP/1.1 ${status} \x1b[31mwhatever\r\n${lines.join('')}\r\n`);
    const socket = await connected(port);
    const error = await failureOf(
      openWebSocket(socket, parseServerAddress(`ws://127.0.0.1:${port}/`), {
        signal: new AbortController().signal,
        maxPayloadBytes: 1024,
      }),
    );
    expect(error).toMatchObject({ code: 'upgrade-refused', retryAfterMs, authenticated: false });
    expect(error.detail).toBe(`ws://127.0.0.1:${port}, ${detail}`);
    expect(error.detail).not.toContain('\x1b');
    expect(socket.destroyed).toBe(true);
  });

  test('of a real HTTP server, with a body that never ends', async () => {
    const http = createHttpServer((_request, response) => {
      response.writeHead(403);
      response.write('no');
    });
    expect((await failureOf(open(await listen(http)))).detail).toMatch(/, HTTP 403 Forbidden$/);
  });
});

describe('no answer that can be used', () => {
  test.each([
    ['garbage', () => 'SSH-2.0-OpenSSH_9.2\r\n', 'the other side does not speak HTTP'],
    ['a wrong accept header', () => acceptance('no key'), 'invalid sec-websocket-accept header'],
    [
      'an extension that nobody asked for',
      (request: string) =>
        acceptance(request).replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n'),
      'no extension was requested',
    ],
    ['endless headers', () => `HTTP/1.1 101 OK\r\nx: ${'y'.repeat(100_000)}`, 'HPE_HEADER_OVERFLOW'],
  ])('%s', async (_name, answer, words) => {
    const error = await failureOf(open(await listenAnswering(answer)));
    expect(error.code).toBe('upgrade-failed');
    expect(error.detail).toContain(words);
  });

  test.each([
    ['ends', (socket: Socket) => socket.end()],
    ['ends after the request', (socket: Socket) => socket.once('data', () => socket.end())],
    ['resets after the request', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['ends in the middle of the answer', (socket: Socket) => socket.end('HTTP/1.1 101 Swi')],
  ])('a server that %s', async (_name, act) => {
    const port = await listenRaw((socket) => void act(socket));
    const error = await failureOf(open(port));
    expect(error.code).toBe('upgrade-failed');
    expect(error.detail).toMatch(/^127\.0\.0\.1:\d+, /);
  });

  test('on a socket that is dead already', async () => {
    const port = await listenRaw(() => {});
    const socket = await connected(port);
    socket.destroy();
    const opening = openWebSocket(socket, parseServerAddress(`127.0.0.1:${port}`), {
      signal: new AbortController().signal,
      maxPayloadBytes: 1024,
    });
    expect(await failureOf(opening)).toMatchObject({
      code: 'upgrade-failed',
      detail: `127.0.0.1:${port}, the connection was closed`,
    });
  });

  test('because a header cannot be sent', async () => {
    const { port } = await listenWebSocket();
    expect((await failureOf(open(port, { headers: { 'x-test': 'a\r\nb' } }))).code).toBe('upgrade-failed');
  });
});

test('an abort while waiting for the answer releases everything', async () => {
  const requests = new EventEmitter();
  const requested = once(requests, 'request');
  const port = await listenRaw((socket) => {
    socket.once('data', () => requests.emit('request', socket));
  });
  const controller = new AbortController();
  const opening = open(port, { signal: controller.signal });
  const [serverSide] = (await requested) as [Socket];
  const closed = closeOf(serverSide);
  controller.abort(new TunnelError('stopped'));
  expect((await failureOf(opening)).code).toBe('stopped');
  await closed;
  expect((await failureOf(open(port, { signal: controller.signal }))).code).toBe('stopped');
});
