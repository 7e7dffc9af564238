// Services that speak HTTP/2 without TLS: gRPC, for visitors over TLS, and others for visitors of either version.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { parseServerAddress } from '@tunnel/client';
import { expect, test } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { type EchoClient, echoClient, startEchoService } from './support/http/grpc-service.ts';
import { Http2Visitor } from './support/http/http2-visitor.ts';
import { cutOff, type RunningServer, startClient, startServer } from './support/pair.ts';
import { type Relay, startRelay } from './support/relay.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const HOST = 'rpc.localhost';
const ca = readCertificates().get('TEST_AUTHORITY') ?? '';

interface Scene extends AsyncDisposable {
  readonly server: RunningServer;
  readonly relay: Relay;
  /** With TLS, and without. */
  readonly port: number;
  /** `host`: which to call, others than the tunnel's own for errors. */
  client(host?: string): EchoClient;
}

/** `rpc.localhost` leads to a service on this port, over a link that can be cut. */
async function startScene(servicePort: number): Promise<Scene> {
  const directory = await temporaryDirectory();
  const tls = await certificateFiles(directory.path);
  const server = await startServer({ tls });
  const relay = await startRelay({ targetPort: server.port });
  const tunnelClient = await startClient(relay.port, [], {
    server: parseServerAddress(`wss://localhost:${relay.port}`),
    ca,
    maxReconnectDelayMs: 1_000,
    tunnels: [{ target: { host: '127.0.0.1', port: servicePort }, http: { host: 'rpc', upstream: 'h2c' } }],
  });
  const clients: EchoClient[] = [];
  return {
    server,
    relay,
    port: server.port,
    client: (host = HOST) => {
      const client = echoClient(server.port, host, ca);
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close();
      await tunnelClient[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

interface Unary {
  readonly error: ServiceError | null;
  readonly text: string | undefined;
  readonly first: Metadata | undefined;
  readonly trailer: Metadata | undefined;
}

function unary(client: EchoClient, text: string, deadlineMs?: number): Promise<Unary> {
  return new Promise((resolve) => {
    const metadata = new Metadata();
    metadata.set('key', 'value');
    let first: Metadata | undefined;
    let trailer: Metadata | undefined;
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    let result: Pick<Unary, 'error' | 'text'> | undefined;
    const call = client.unary(text, metadata, options, (error, answer) => (result = { error, text: answer }));
    call.on('metadata', (each) => (first = each));
    call.on('status', (each) => {
      trailer = each.metadata;
      setImmediate(() => resolve({ error: null, text: undefined, ...result, first, trailer }));
    });
  });
}

async function texts(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const text of stream) all.push(text);
  return all;
}

test('the four kinds of calls', async () => {
  await using service = await startEchoService();
  await using scene = await startScene(service.port);
  const client = scene.client();
  const { error, text, first, trailer } = await unary(client, 'hello');
  expect([error, text, first?.get('first'), trailer?.get('seen')]).toEqual([null, '<hello>', ['yes'], ['value']]);
  const collected = await new Promise((resolve, reject) => {
    const call = client.collect((failure, all) => (failure ? reject(failure) : resolve(all)));
    for (const part of ['a', 'b', 'c'.repeat(100_000)]) call.write(part);
    call.end();
  });
  expect(collected).toBe(`ab${'c'.repeat(100_000)}`);
  expect(await texts(client.count('100'))).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  const chat = client.chat();
  chat.write('1');
  expect(await once(chat, 'data')).toEqual(['<1>']);
  chat.write('2');
  chat.end();
  expect(await texts(chat)).toEqual(['<2>']);
});

test('errors come with their trailers, and deadlines and cancels reach the service', async () => {
  await using service = await startEchoService();
  await using scene = await startScene(service.port);
  const client = scene.client();
  const failed = await unary(client, 'fail');
  expect(failed.error).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not so' });
  expect(failed.trailer?.get('seen')).toEqual(['value']);
  const late = await unary(client, 'never', 500);
  expect(late.error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await expect.poll(() => service.cancelled).toEqual(['never']);
  const call = client.unary('never', new Metadata(), {}, () => {});
  const told = once(call, 'status');
  await expect.poll(() => service.waiting).toBe(2);
  call.cancel();
  expect((await told)[0]).toMatchObject({ code: status.CANCELLED });
  await expect.poll(() => service.cancelled).toEqual(['never', 'never']);
  // The connection goes on.
  expect((await unary(client, 'hello')).text).toBe('<hello>');
});

test('a stream in both directions goes on after the link was away', async () => {
  await using service = await startEchoService();
  await using scene = await startScene(service.port);
  const chat = scene.client().chat();
  const got: string[] = [];
  const ended = once(chat, 'end');
  chat.on('data', (text: string) => void got.push(text));
  chat.write('before');
  await expect.poll(() => got).toEqual(['<before>']);
  await cutOff(scene.server, scene.relay);
  chat.write('meanwhile');
  scene.relay.refuse(false);
  chat.write('after');
  chat.end();
  await ended;
  expect(got).toEqual(['<before>', '<meanwhile>', '<after>']);
});

test('what the server answers itself is a status of gRPC', async () => {
  await using service = await startEchoService();
  const { port } = service;
  await service[Symbol.asyncDispose]();
  await using scene = await startScene(port);
  expect((await unary(scene.client(), 'hello')).error).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('local service is not running') as string,
  });
  expect((await unary(scene.client('none.localhost'), 'hello')).error).toMatchObject({ code: status.UNIMPLEMENTED });
});

test('an answer that breaks off is an error, also after all data and without a word why', async () => {
  const service = createHttp2Server().listen(0, '127.0.0.1');
  await once(service, 'listening');
  const sessions = new Set<ServerHttp2Session>();
  service.on('session', (session) => void sessions.add(session));
  service.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.write('half', () => {
      if (headers[':path'] === '/session') stream.session?.destroy();
      // Without the end that Node would say first.
      stream._final = (done) => done();
      stream.close(headers[':path'] === '/reset' ? 2 : 0);
    });
  });
  await using scene = await startScene((service.address() as AddressInfo).port);
  for (const path of ['/reset', '/no-error', '/session']) {
    await using visitor = new Http2Visitor(scene.port, HOST);
    const { status: answered, resetCode } = await visitor.request({ ':path': path });
    expect([path, answered, resetCode]).toEqual([path, 200, 2]);
  }
  for (const session of sessions) session.destroy();
  service.close();
});

test('visitors of either version reach services of HTTP/2, with bodies of any size, both ways', async () => {
  const service = createHttp2Server({ settings: { initialWindowSize: 1024 * 1024 } }).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const seen: unknown[] = [];
  service.on('stream', (stream: ServerHttp2Stream, headers) => {
    seen.push([
      headers[':method'],
      headers[':authority'],
      headers[':path'],
      headers['x-forwarded-proto'],
      headers['x'],
    ]);
    stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
    stream.pipe(stream);
  });
  await using scene = await startScene((service.address() as AddressInfo).port);
  await using visitor = new Http2Visitor(scene.port, HOST);
  const body = Buffer.alloc(8_000_000, 'abcdefg');
  const answer = await visitor.request({ ':path': '/two', ':method': 'POST', x: 'y', ':authority': HOST }, body);
  expect(answer).toMatchObject({ status: 200, resetCode: 0, trailers: { 'x-sum': '1' } });
  expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  expect(answer.body === body.toString('latin1')).toBe(true);
  const head = await visitor.request({ ':path': '/head', ':method': 'HEAD', ':authority': HOST });
  expect(head).toMatchObject({ status: 200, endedWithHead: true, resetCode: 0 });
  const socket = tlsConnect({ port: scene.port, host: '127.0.0.1', servername: HOST, rejectUnauthorized: false });
  socket.write(`POST /one HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*hello\r\n0\r\nx-sum: 1\r\n\r\n$/);
  expect(seen).toEqual([
    ['POST', HOST, '/two', 'https', 'y'],
    ['HEAD', HOST, '/head', 'https', undefined],
    ['POST', HOST, '/one', 'https', undefined],
  ]);
  service.close();
});

test('a service that speaks HTTP/1.1 is a bad answer', async () => {
  const service = createHttpServer((_request, response) => response.end('no')).listen(0, '127.0.0.1');
  await once(service, 'listening');
  await using scene = await startScene((service.address() as AddressInfo).port);
  await using visitor = new Http2Visitor(scene.port, HOST);
  const answer = await visitor.request({ ':path': '/' });
  expect([answer.status, answer.headers['tunnel-error']]).toEqual([502, 'bad-answer']);
  service.closeAllConnections();
  service.close();
});
