// The libraries as an application uses them: `connect`, `listen`, and services that live in the process.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer as createHttpServer, type IncomingMessage, request as httpRequest } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect as connectSocket, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import {
  connect,
  type ConnectOptions,
  createClient,
  generateIdentity,
  parseServerAddress,
  publicKeyOf,
  type Tunnel,
  type TunnelEvents,
  type VisitorHandler,
  type VisitorSocket,
} from '@tunnel/client';
import { listen, type Server } from '@tunnel/server';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { readCertificates } from './support/certificates.ts';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { patternBytes, PatternChecker } from './support/pattern.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { answerTo, visit } from './support/visitor.ts';

const SECRET = 'a secret of the tests, long enough';
const HOST = '127.0.0.1';
const MIB = 1024 * 1024;

/** A server and a tunnel to `target` through it, or through what stands at `serverPort`. */
async function open(
  target: ConnectOptions['target'],
  options: Partial<ConnectOptions> = {},
): Promise<AsyncDisposable & { readonly tunnel: Tunnel; readonly server: Server; readonly port: number }> {
  const server = await listen({ host: HOST, port: 0, secret: SECRET, drainTimeoutMs: 100 });
  const tunnel = await connect({ to: `${HOST}:${server.port}`, secret: SECRET, target, stopGraceMs: 0, ...options });
  return {
    server,
    tunnel,
    port: tunnel.port,
    [Symbol.asyncDispose]: async () => {
      await tunnel.close();
      await server.stop();
    },
  };
}

describe('connect and listen', () => {
  test('open a tunnel to a port, tell its address, and leave nothing behind', async () => {
    await expectNothingLeftOpen(async () => {
      await using service = await startEcho();
      await using server = await listen({ host: HOST, port: 0, secret: SECRET });
      await using tunnel = await connect({ to: `${HOST}:${server.port}`, secret: SECRET, target: service.port });
      expect(tunnel.url).toBe(`tcp://${HOST}:${tunnel.port}`);
      expect(tunnel.status()).toMatchObject({ state: 'ready', tunnels: [{ url: tunnel.url }] });
      expect(await answerTo(tunnel.port, 'hello')).toBe('hello');
    });
  });

  test.each([
    ['a wrong secret', 'secret-refused', { secret: 'not the one of the server' }],
    ['a port out of the range', 'port-not-allowed', { port: 1023 }],
    ['a target that is none', 'usage', { target: 'host:port' }],
    ['a server address that is none', 'usage', { to: 'http://example.org' }],
    ['another server key', 'server-key-changed', { serverKey: randomBytes(32) }],
    ['a server key that is none', 'key-unusable', { serverKey: 'short' }],
    ['a longest delay that is too short', 'usage', { maxReconnectDelayMs: 99 }],
    ['a longest delay that no timer can wait for', 'usage', { maxReconnectDelayMs: Infinity }],
  ])('reject for %s with %s', async (_what, code, options) => {
    await expectNothingLeftOpen(async () => {
      await using server = await listen({ host: HOST, port: 0, secret: SECRET });
      const opened = connect({ to: `${HOST}:${server.port}`, secret: SECRET, target: 3000, ...options });
      await expect(opened).rejects.toMatchObject({ name: 'TunnelError', code });
    });
  });

  test('reject for a port that is in use, and for a server without a secret', async () => {
    await using server = await listen({ host: HOST, port: 0, secret: SECRET });
    await expect(listen({ host: HOST, port: server.port, secret: SECRET })).rejects.toMatchObject({
      code: 'listen-in-use',
    });
    await expect(listen({ host: HOST, port: 0 })).rejects.toMatchObject({ code: 'usage' });
  });

  test('keep trying while the server cannot be reached, and tell so; later states are events', async () => {
    await using service = await startEcho();
    await using server = await listen({ host: HOST, port: 0, secret: SECRET });
    await using relay = await startRelay({ targetPort: server.port });
    relay.refuse();
    const failures: string[] = [];
    const opening = connect({
      to: `${HOST}:${relay.port}`,
      secret: SECRET,
      target: service.port,
      onRetrying: ({ code }) => {
        failures.push(code);
        relay.refuse(false);
      },
    });
    await using tunnel = await opening;
    expect(failures.length).toBeGreaterThan(0);
    const told = ['disconnected', 'retrying', 'ready'] as const;
    const events: string[] = [];
    for (const name of told) tunnel.on(name, () => events.push(name));
    const disconnected = once(tunnel, 'disconnected');
    const ready = once(tunnel, 'ready');
    relay.resetAll();
    expect(await disconnected).toMatchObject([{ code: 'link-reset' }]);
    expect(await ready).toMatchObject([{ resumed: true, tunnels: [{ url: tunnel.url }] }]);
    expect(events).toEqual(told);
    const stopped = once(tunnel, 'stopped');
    await tunnel.close();
    expect(await stopped).toMatchObject([{ code: 'stopped', exitCode: 0 }]);
  });

  test('open several tunnels, each with an address of its own and options of its own', async () => {
    await using first = await startEcho();
    const greet: VisitorHandler = (visitor) => void visitor.end('hello');
    await using opened = await open([first.port, { target: greet, name: 'greeter', maxConnections: 1 }]);
    const { tunnel } = opened;
    const [echo, greeter] = tunnel.addresses;
    expect(tunnel.addresses).toHaveLength(2);
    expect(tunnel.url).toBe(echo?.url);
    expect(greeter).toMatchObject({ name: 'greeter', url: `tcp://${HOST}:${greeter?.port}` });
    expect(await answerTo(echo!.port!, 'one')).toBe('one');
    expect(await answerTo(greeter!.port!, '')).toBe('hello');
  });

  test('refuse a port or a name that several targets would share', async () => {
    const opened = connect({ to: HOST, secret: SECRET, target: [3000, 3001], port: 40_000 });
    await expect(opened).rejects.toMatchObject({ code: 'usage' });
  });

  test('tell the public key of a client, also before it connects', async () => {
    const { privateKey, publicKey } = generateIdentity();
    await using opened = await open(() => {}, { identity: privateKey });
    expect(opened.tunnel.publicKey).toBe(Buffer.from(publicKey).toString('base64url'));
    expect(publicKeyOf(privateKey)).toBe(opened.tunnel.publicKey);
  });

  test('close when the last connection has ended, not when the grace is over', async () => {
    await using service = await startEcho();
    await using opened = await open(service.port, { stopGraceMs: 600_000 });
    const visitor = connectSocket(opened.port, HOST);
    visitor.write('one');
    expect(String(await once(visitor, 'data'))).toBe('one');
    const stopped = once(opened.tunnel, 'stopped');
    const closed = opened.tunnel.close();
    visitor.write('two');
    expect(String(await once(visitor, 'data'))).toBe('two');
    visitor.end();
    await closed;
    await stopped;
  });

  test('a client is stopped at the end of its block', async () => {
    await using service = await startEcho();
    await using server = await listen({ host: HOST, port: 0, secret: SECRET });
    const events: string[] = [];
    await expectNothingLeftOpen(async () => {
      await using client = createClient({
        server: parseServerAddress(`${HOST}:${server.port}`),
        identity: generateIdentity().privateKey,
        secret: SECRET,
        tunnels: [{ target: { host: HOST, port: service.port } }],
      });
      client.on('stopped', ({ code }) => events.push(code));
      const ready = once(client, 'ready');
      client.start();
      await ready;
    });
    expect(events).toEqual(['stopped']);
  });

  test('close behind the last answer, also on a slow link', async () => {
    const sizeBytes = 2 * MIB;
    const answer: VisitorHandler = async (visitor) => {
      for await (const _chunk of visitor);
      visitor.end(Buffer.alloc(sizeBytes, 'a'));
    };
    await using server = await listen({ host: HOST, port: 0, secret: SECRET, drainTimeoutMs: 100 });
    await using relay = await startRelay({ targetPort: server.port });
    await using tunnel = await connect({
      to: `${HOST}:${relay.port}`,
      secret: SECRET,
      target: answer,
      stopGraceMs: 600_000,
    });
    relay.throttle(MIB, { direction: 'to-target' });
    const visitor = connectSocket(tunnel.port, HOST);
    let received = 0;
    visitor.on('data', (data: Buffer) => (received += data.length));
    let isReset = false;
    visitor.on('error', () => (isReset = true));
    visitor.end('request');
    await once(visitor, 'data');
    const ended = new Promise((resolve) => visitor.once('close', resolve));
    await tunnel.close();
    await ended;
    expect({ received, isReset }).toEqual({ received: sizeBytes, isReset: false });
  });

  test('end by a signal, before and after they are open', async () => {
    await expectNothingLeftOpen(async () => {
      const reason = new Error('enough');
      const aborted = AbortSignal.abort(reason);
      await expect(listen({ host: HOST, port: 0, secret: SECRET, signal: aborted })).rejects.toBe(reason);
      await expect(connect({ to: HOST, secret: SECRET, target: 1, signal: aborted })).rejects.toBe(reason);
      const serving = new AbortController();
      const server = await listen({ host: HOST, port: 0, secret: SECRET, signal: serving.signal });
      const to = `${HOST}:${server.port}`;
      await using relay = await startRelay({ targetPort: server.port });
      relay.refuse();
      const dialing = new AbortController();
      const opening = connect({
        to: `${HOST}:${relay.port}`,
        secret: SECRET,
        target: 1,
        signal: dialing.signal,
        onRetrying: () => dialing.abort(reason),
      });
      await expect(opening).rejects.toBe(reason);
      const using = new AbortController();
      const tunnel = await connect({ to, secret: SECRET, target: 1, signal: using.signal });
      const stopped = once(tunnel, 'stopped');
      using.abort();
      expect(await stopped).toMatchObject([{ code: 'stopped' }]);
      const over = once(server, 'stopped');
      serving.abort();
      await over;
    });
  });

  test('close once, however often they are told to: visitors keep their grace', async () => {
    await using service = await startEcho();
    await using opened = await open(service.port, { stopGraceMs: 10_000 });
    await using visitor = await visit(opened.port);
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);
    const closed = Promise.all([opened.tunnel.close(), opened.tunnel.close()]);
    visitor.socket.write('67890');
    await visitor.waitForBytes(10);
    visitor.socket.destroy();
    await closed;
    expect(opened.tunnel.status().state).toBe('stopped');
  });

  test('remember who they are, and the public port, in a state directory', async () => {
    await using directory = await temporaryDirectory();
    const start = async (): Promise<{ key: string; client: string; port: number }> => {
      const stateDirectory = join(directory.path, 'server');
      await using server = await listen({ host: HOST, port: 0, secret: SECRET, stateDirectory });
      const connected = once(server, 'client-connected') as Promise<[{ clientKey: string }]>;
      // Pins are kept by address: one that stays the same.
      relay.retarget(server.port);
      await using tunnel = await connect({
        to: `${HOST}:${relay.port}`,
        secret: SECRET,
        target: 1,
        stateDirectory: join(directory.path, 'client'),
      });
      const [{ clientKey }] = await connected;
      return { key: server.serverKey, client: clientKey, port: tunnel.port };
    };
    await using relay = await startRelay({ targetPort: 1 });
    const first = await start();
    expect(await start()).toEqual(first);
    await using stranger = await listen({ host: HOST, port: 0, secret: SECRET });
    relay.retarget(stranger.port);
    const stateDirectory = join(directory.path, 'client');
    const opened = connect({ to: `${HOST}:${relay.port}`, secret: SECRET, target: 1, stateDirectory });
    await expect(opened).rejects.toMatchObject({ code: 'server-key-changed' });
  });
});

describe('a function that serves visitors', () => {
  test('is told who the visitor is, and its tunnel what became of it', async () => {
    const addresses: unknown[] = [];
    await using tunnel = await open((visitor) => {
      const { remoteAddress, remotePort, remoteFamily, localPort } = visitor;
      addresses.push({ remoteAddress, remotePort, remoteFamily, localPort });
      visitor.end('hello');
    });
    const closed = new Promise<TunnelEvents['stream']>((resolve) => {
      tunnel.tunnel.on('stream', (event) => event.state !== 'opened' && resolve(event));
    });
    const socket = connectSocket({ port: tunnel.port, host: HOST });
    await once(socket, 'connect');
    const { localPort: remotePort } = socket;
    expect(await text(socket)).toBe('hello');
    expect(addresses).toEqual([{ remoteAddress: HOST, remotePort, remoteFamily: 'IPv4', localPort: tunnel.port }]);
    expect(await closed).toEqual({
      state: 'closed',
      target: { host: 'in-process', port: 0 },
      visitor: `${HOST}:${remotePort}`,
    });
  });

  test('keeps what it reads and reuses what it writes, over breaks of the link', async () => {
    const bytes = 64 * MIB;
    const kept: Buffer[] = [];
    const ended = deferred<void>();
    const serve: VisitorHandler = async (visitor) => {
      visitor.on('data', (chunk: Buffer) => kept.push(chunk));
      visitor.on('end', () => ended.resolve());
      const buffer = Buffer.alloc(200_000);
      for (let offset = 0; offset < bytes; offset += buffer.length) {
        const part = buffer.subarray(0, Math.min(buffer.length, bytes - offset));
        patternBytes(7, offset, part.length).copy(part);
        await new Promise<void>((resolve, reject) => {
          visitor.write(part, (error) => (error ? reject(error) : resolve()));
        });
        buffer.fill(0);
      }
      visitor.end();
    };
    await using server = await listen({ host: HOST, port: 0, secret: SECRET, drainTimeoutMs: 0 });
    await using relay = await startRelay({ targetPort: server.port });
    await using tunnel = await connect({ to: `${HOST}:${relay.port}`, secret: SECRET, target: serve });
    await using visitor = await visit(tunnel.port, { seed: 7 });
    const sent = visitor.send(8, bytes);
    for (const share of [0.2, 0.5, 0.8]) {
      await visitor.waitForBytes(bytes * share);
      relay.resetAll();
    }
    await sent;
    expect(await visitor.waitForEnding()).toBe('end');
    visitor.checker?.expectEnd(bytes);
    await ended.promise;
    const checker = new PatternChecker(8);
    for (const chunk of kept) checker.update(chunk);
    checker.expectEnd(bytes);
    expect(tunnel.status()).toMatchObject({ bytesIn: bytes, bytesOut: bytes });
    expect(tunnel.status().reconnects).toBeGreaterThan(0);
  });

  test('may answer after the visitor has ended, and end before it', async () => {
    await using answering = await open(async (visitor) => {
      const hash = createHash('sha256');
      for await (const chunk of visitor) hash.update(chunk);
      visitor.end(hash.digest('hex'));
    });
    await using asker = await visit(answering.port);
    await asker.send(3, 5 * MIB);
    expect(await asker.waitForEnding()).toBe('end');
    const wanted = createHash('sha256')
      .update(patternBytes(3, 0, 5 * MIB))
      .digest('hex');
    expect(asker.digest()).toBe(createHash('sha256').update(wanted).digest('hex'));

    const heard = deferred<number>();
    await using ending = await open(async (visitor) => {
      visitor.end('no more from here');
      let bytes = 0;
      for await (const chunk of visitor) bytes += chunk.length;
      heard.resolve(bytes);
    });
    await using talker = await visit(ending.port);
    expect(await talker.waitForEnding()).toBe('end');
    await talker.send(4, MIB);
    expect(await heard.promise).toBe(MIB);
  });

  test('ends a connection by destroying it, and resets it where something would be lost', async () => {
    await using teller = await open((visitor) => {
      visitor.write('hello');
      visitor.destroy();
    });
    await using visitor = await visit(teller.port);
    expect(await visitor.waitForEnding()).toBe('end');
    expect(visitor.receivedBytes).toBe(5);
    await using hasty = await open((visitor) => {
      visitor.write(Buffer.alloc(20 * MIB));
      visitor.destroy();
    });
    await using cheated = await visit(hasty.port);
    expect(await cheated.waitForEnding()).toBe('ECONNRESET');
  });

  test('loses nothing where it destroys the visitor once all is written', async () => {
    await using tunnel = await open((visitor) => {
      visitor.resume();
      visitor.end(patternBytes(5, 0, 20 * MIB), () => visitor.destroy());
    });
    await using visitor = await visit(tunnel.port, { seed: 5 });
    expect(await visitor.waitForEnding()).toBe('end');
    visitor.checker?.expectEnd(20 * MIB);
  });

  test('resets a visitor, and is told of a reset', async () => {
    const gone = deferred<string>();
    await using tunnel = await open((visitor) => {
      visitor.once('data', (order: Buffer) => {
        if (order.toString() === 'reset me') visitor.resetAndDestroy();
        else if (order.toString() === 'fail') visitor.destroy(new Error('out of paper'));
        else visitor.write('as you like');
      });
      visitor.on('error', ({ code }: NodeJS.ErrnoException) => code !== undefined && gone.resolve(code));
    });
    expect(await answerTo(tunnel.port, 'reset me')).toBe('ECONNRESET');
    expect(await answerTo(tunnel.port, 'fail')).toBe('ECONNRESET');
    await using visitor = await visit(tunnel.port);
    visitor.socket.write('I will reset you');
    await visitor.waitForBytes(11);
    visitor.socket.resetAndDestroy();
    expect(await gone.promise).toBe('ECONNRESET');
  });

  test('that fails costs one visitor each time, and a warning', async () => {
    await using tunnel = await open(async (visitor) => {
      for await (const data of visitor) {
        if (data.toString() === 'fail') throw new Error('out of paper');
        if (data.toString() === 'read') await pipeline(new Readable({ read: readNothing }), visitor);
        visitor.end(data);
      }
    });
    const warned = once(tunnel.tunnel, 'warning');
    expect(await answerTo(tunnel.port, 'fail')).toBe('ECONNRESET');
    expect(await warned).toMatchObject([
      { code: 'handler-failed', reason: 'the function that serves visitors failed: out of paper' },
    ]);
    const warnedAgain = once(tunnel.tunnel, 'warning');
    expect(await answerTo(tunnel.port, 'read')).toBe('ECONNRESET');
    expect(await warnedAgain).toMatchObject([{ reason: expect.stringMatching(/: there is nothing to read$/) }]);
    expect(await answerTo(tunnel.port, 'go on')).toBe('go on');
  });

  test('that does not read holds the visitor back, and no memory', async () => {
    const come = deferred<VisitorSocket>();
    await using tunnel = await open((visitor) => come.resolve(visitor));
    await using visitor = await visit(tunnel.port);
    const sent = visitor.send(6, 64 * MIB);
    const socket = await come.promise;
    // The visitor's kernel and the windows between take their share; then nothing moves any more.
    let before = -1;
    while (tunnel.tunnel.status().bytesIn !== before) {
      before = tunnel.tunnel.status().bytesIn;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(before).toBeLessThan(2 * MIB);
    const checker = new PatternChecker(6);
    socket.on('data', (chunk: Buffer) => checker.update(chunk));
    await Promise.all([sent, once(socket, 'end')]);
    checker.expectEnd(64 * MIB);
  });

  test('is not handed those who are silent for too long for ever', async () => {
    await using tunnel = await open(() => {}, { idleTimeoutMs: 100 });
    await using visitor = await visit(tunnel.port);
    expect(await visitor.waitForEnding()).toBe('ECONNRESET');
  });
});

describe('a server that listens nowhere', () => {
  test('node:http: keep-alive, the visitor, bodies in both directions', async () => {
    const server = createHttpServer((request, response) => {
      response.setHeader('visitor', `${request.socket.remoteAddress}:${request.socket.remotePort}`);
      if (request.method === 'POST') void pipeline(request, response);
      else response.end('hello');
    });
    await using tunnel = await open(server);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const visitors = new Set<string>();
    for (let count = 0; count < 5; count += 1) {
      const response = await ask(agent, tunnel.port, 'GET');
      visitors.add(String(response.headers['visitor']));
      expect(await text(response)).toBe('hello');
    }
    expect([...visitors]).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
    const body = patternBytes(9, 0, 30 * MIB);
    const checker = new PatternChecker(9);
    for await (const chunk of (await ask(agent, tunnel.port, 'POST', body)) as AsyncIterable<Buffer>) {
      checker.update(chunk);
    }
    checker.expectEnd(body.length);
    agent.destroy();
  });

  test('node:http: an answer that ends with the connection arrives whole', async () => {
    const server = createHttpServer((_request, response) => {
      response.setHeader('connection', 'close');
      response.end(patternBytes(10, 0, 20 * MIB));
    });
    await using tunnel = await open(server);
    const checker = new PatternChecker(10);
    const response = await ask(new Agent(), tunnel.port, 'GET');
    expect(response.headers['connection']).toBe('close');
    for await (const chunk of response as AsyncIterable<Buffer>) checker.update(chunk);
    checker.expectEnd(20 * MIB);
  });

  test('node:http: a stream of events, and one who leaves in the middle', async () => {
    const left = deferred<void>();
    const server = createHttpServer((request, response) => {
      request.on('close', () => left.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    await using tunnel = await open(server);
    const agent = new Agent();
    const response = await ask(agent, tunnel.port, 'GET');
    expect(String(((await once(response, 'data')) as [Buffer])[0])).toBe('data: 1\n\n');
    response.destroy();
    await left.promise;
  });

  test('node:http: who speaks no HTTP is told so', async () => {
    await using tunnel = await open(createHttpServer());
    expect(await answerTo(tunnel.port, 'What is this?\r\n\r\n')).toMatch(/^HTTP\/1.1 400 Bad Request/);
  });

  test('node:http: closes connections that are kept alive for too long', async () => {
    const server = createHttpServer({ keepAliveTimeout: 100 }, (_request, response) => void response.end('hello'));
    await using tunnel = await open(server);
    await using visitor = await visit(tunnel.port);
    visitor.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await visitor.waitForEnding()).toBe('end');
  });

  test('ws: messages both ways over an upgraded connection', async () => {
    const server = createHttpServer();
    const webSockets = new WebSocketServer({ server });
    webSockets.on('connection', (webSocket) =>
      webSocket.on('message', (data, binary) => webSocket.send(data, { binary })),
    );
    await using tunnel = await open(server);
    const webSocket = new WebSocket(`ws://${HOST}:${tunnel.port}`);
    await once(webSocket, 'open');
    for (const length of [5, 70_000, 5 * MIB]) {
      const message = patternBytes(11, length, length);
      const answer = once(webSocket, 'message') as Promise<[Buffer]>;
      webSocket.send(message);
      expect((await answer)[0].equals(message)).toBe(true);
    }
    const closed = once(webSocket, 'close');
    webSocket.close(1000);
    expect((await closed)[0]).toBe(1000);
  });

  test('node:https: TLS from the visitor to this process', async () => {
    const certificates = readCertificates();
    const cert = certificates.get('TEST_CERTIFICATE') ?? '';
    const key = certificates.get('TEST_KEY') ?? '';
    const server = createHttpsServer({ cert, key }, (_request, response) => void response.end('hello'));
    await using tunnel = await open(server);
    const socket = connectTls({ port: tunnel.port, host: HOST, rejectUnauthorized: false });
    socket.write('GET / HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/hello$/);
  });

  test('node:net: half-open only where the server says so', async () => {
    for (const [allowHalfOpen, answer] of [
      [true, 'late'],
      [false, ''],
    ] as const) {
      const server = createTcpServer({ allowHalfOpen }, (socket) => {
        socket.resume();
        socket.on('end', () => setImmediate(() => socket.writable && socket.end('late')));
      });
      await using tunnel = await open(server);
      const socket = connectSocket({ port: tunnel.port, host: HOST, allowHalfOpen: true });
      socket.end('a question');
      expect(await text(socket)).toBe(answer);
    }
  });
});

function readNothing(this: Readable): void {
  this.destroy(new Error('there is nothing to read'));
}

function ask(agent: Agent, port: number, method: 'GET' | 'POST', body?: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, host: HOST, port, method }, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  let result = '';
  for await (const chunk of stream) result += chunk.toString();
  return result;
}

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
