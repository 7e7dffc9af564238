import { EventEmitter, once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { parseServerAddress } from './address.ts';
import { TEST_AUTHORITY, TEST_CERTIFICATE, TEST_KEY } from './certificates.fixture.ts';
import type { DialOptions } from './dial.ts';
import { dial } from './dial.ts';
import { closeOf, failureOf, listen, listenRaw, refusedPort } from './loopback.fixture.ts';
import type { OpenedWebSocket } from './upgrade.ts';

// No error may reach the process behind the caller's back, not even later.
const stray: unknown[] = [];
const remember = (error: unknown): void => void stray.push(error);
beforeEach(() => {
  process.on('uncaughtException', remember);
  process.on('unhandledRejection', remember);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', remember);
  process.off('unhandledRejection', remember);
  if (stray.length > 0) throw new AggregateError(stray.splice(0), 'errors without an owner');
});

function dialText(text: string, options: Partial<DialOptions> = {}): Promise<OpenedWebSocket> {
  return dial(parseServerAddress(text), {
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    maxPayloadBytes: 65_536,
    ca: TEST_AUTHORITY,
    ...options,
  });
}

function answerWithGreeting(server: HttpServer): void {
  const webSockets = new WebSocketServer({ server: server });
  webSockets.on('connection', (webSocket, request) => {
    webSocket.on('error', () => {});
    webSocket.send(`hello at ${request.url}`);
  });
}

async function greeting({ webSocket }: OpenedWebSocket): Promise<string> {
  const message = once(webSocket, 'message');
  webSocket.resume();
  const [data] = (await message) as [Buffer];
  webSocket.terminate();
  await closeOf(webSocket);
  return String(data);
}

describe('reaches a server', () => {
  test('by ws, step by step', async () => {
    const server = createHttpServer();
    answerWithGreeting(server);
    const port = await listen(server);
    const phases: string[] = [];
    const opened = await dialText(`ws://localhost:${port}/x/`, { onPhase: (phase) => phases.push(phase) });
    expect(await greeting(opened)).toBe('hello at /x/');
    expect(phases).toEqual(['lookup', 'connect', 'upgrade']);
  });

  test('by wss, step by step', async () => {
    const server = createHttpsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY });
    answerWithGreeting(server);
    const port = await listen(server);
    const phases: string[] = [];
    const opened = await dialText(`wss://localhost:${port}`, { onPhase: (phase) => phases.push(phase) });
    expect(await greeting(opened)).toBe('hello at /');
    expect(phases).toEqual(['lookup', 'connect', 'tls', 'upgrade']);
  });

  test("a hundred times, and leaves no listener on the caller's signal", async () => {
    const port = await refusedPort();
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...given: Parameters<typeof add>): void => {
      listeners += 1;
      add(...given);
    };
    signal.removeEventListener = (...given: Parameters<typeof remove>): void => {
      listeners -= 1;
      remove(...given);
    };
    for (let attempt = 0; attempt < 100; attempt += 1) await failureOf(dialText(`127.0.0.1:${port}`, { signal }));
    expect(listeners).toBe(0);
  });
});

describe('names the step that failed', () => {
  test('name', async () => {
    const lookup = (): Promise<never> => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    expect(await failureOf(dialText('example.invalid', { lookup }))).toMatchObject({ code: 'dns-failed' });
  });

  test('TCP', async () => {
    const port = await refusedPort();
    expect(await failureOf(dialText(`127.0.0.1:${port}`))).toMatchObject({
      code: 'tcp-refused',
      detail: `127.0.0.1:${port} (ECONNREFUSED)`,
    });
  });

  test('TLS', async () => {
    const port = await listen(createHttpServer());
    expect(await failureOf(dialText(`wss://localhost:${port}`))).toMatchObject({ code: 'tls-failed' });
  });

  test('WebSocket', async () => {
    const port = await listen(createHttpServer((_request, response) => response.writeHead(404).end()));
    expect(await failureOf(dialText(`ws://localhost:${port}`))).toMatchObject({ code: 'upgrade-refused' });
  });
});

describe('has one deadline over all steps', () => {
  test('name', async () => {
    const lookup = (): Promise<never> => new Promise(() => {});
    expect(await failureOf(dialText('example.com', { lookup, timeoutMs: 20 }))).toMatchObject({
      code: 'attempt-timeout',
      detail: 'example.com:7835, given up after 0.02s while looking up the name',
    });
  });

  test.each([
    ['ws', 'while waiting for the WebSocket answer'],
    ['wss', 'during the TLS handshake'],
  ])('%s', async (scheme, words) => {
    const connections = new EventEmitter();
    const connection = once(connections, 'connection');
    const port = await listenRaw((socket) => connections.emit('connection', socket.resume()));
    const failure = failureOf(dialText(`${scheme}://127.0.0.1:${port}`, { timeoutMs: 500 }));
    const [socket] = (await connection) as [Socket];
    const closed = closeOf(socket);
    expect(await failure).toMatchObject({
      code: 'attempt-timeout',
      detail: `127.0.0.1:${port}, given up after 0.5s ${words}`,
    });
    await closed;
  });
});

test.each(['ws', 'wss'])('an abort ends %s and closes its connection', async (scheme) => {
  const connections = new EventEmitter();
  const connection = once(connections, 'connection');
  const port = await listenRaw((socket) => connections.emit('connection', socket.resume()));
  const controller = new AbortController();
  const failure = failureOf(dialText(`${scheme}://127.0.0.1:${port}`, { signal: controller.signal }));
  const [socket] = (await connection) as [Socket];
  const closed = closeOf(socket);
  const reason = new Error('enough');
  controller.abort(reason);
  expect(await failure).toMatchObject({ code: 'stopped', cause: reason });
  await closed;
  const late = failureOf(dialText(`${scheme}://127.0.0.1:${port}`, { signal: controller.signal }));
  expect(await late).toMatchObject({ code: 'stopped', cause: reason });
});
