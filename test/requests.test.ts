// What clients tell of the requests that pass through them, beside what `node:http` at both ends says of the same ones.
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type ClientEvents, connect, type HttpOptions } from '@tunnel/client';
import { expect, test } from 'vitest';
import { startClient, startServer, TEST_SECRET } from './support/pair.ts';

const HOST = 'shop.localhost';

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly body?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service, a server, a client of which somebody listens to the requests, and a visitor with one connection. */
async function start(listener: RequestListener, http: Partial<HttpOptions> = {}) {
  const service = createServer(listener).listen(0, '127.0.0.1');
  service.on('upgrade', (_request, socket: Socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
  await once(service, 'listening');
  const server = await startServer();
  const target = { host: '127.0.0.1', port: (service.address() as AddressInfo).port };
  const tunnels = [{ target, http: { host: 'shop', ...http } }] as const;
  const client = await startClient(server.port, [], { tunnels });
  const told: ClientEvents['request'][] = [];
  client.client.on('request', (event) => told.push(event));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const begin = ({ method = 'GET', path = '/', headers = {} }: Asked) =>
    request({ port: server.port, host: '127.0.0.1', agent, method, path, headers: { host: HOST, ...headers } });
  return {
    told,
    target,
    client: client.client,
    begin,
    /** Resolves with the status and the number of bytes that came. */
    ask: async (asked: Asked): Promise<readonly [status: number | undefined, bytes: number]> => {
      const outgoing = begin(asked);
      for (const part of asked.body ?? []) outgoing.write(part);
      outgoing.end();
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      let bytes = 0;
      for await (const chunk of answer) bytes += (chunk as Buffer).length;
      return [answer.statusCode, bytes];
    },
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      service.closeAllConnections();
      service.close();
    },
  };
}

/** Answers as the path says: a status, a number of bytes, and how their end is told. */
const answering: RequestListener = (incoming, response) => {
  const [, status = '200', bytes = '0', how] = (incoming.url ?? '').split('/');
  incoming.resume();
  incoming.on('end', () => {
    const body = 'x'.repeat(Number(bytes));
    if (how === 'close') response.shouldKeepAlive = response.useChunkedEncodingByDefault = false;
    response.writeHead(Number(status), how === 'length' ? { 'content-length': body.length } : { 'x-a': 'b' });
    if (how === 'chunks') for (const character of body) response.write(character);
    response.end(how === 'chunks' ? undefined : body);
  });
};

test('each request is told with what both ends know of it', async () => {
  await using world = await start(answering);
  const asked: Asked[] = [
    { path: '/200/5/length' },
    { path: '/200/2100/chunks', method: 'POST', body: ['a', 'bc'] },
    { path: '/404/9/length', method: 'PUT', body: ['abc'], headers: { 'content-length': '3' } },
    { path: '/200/7/length', method: 'HEAD' },
    { path: '/204/0' },
    { path: '/304/0', headers: { 'if-none-match': '"a"' } },
    { path: '/200/100000/close' },
    { path: '/500/300000/chunks?q=%0a', method: 'DELETE' },
  ];
  for (const [index, each] of asked.entries()) {
    const [status, bytes] = await world.ask(each);
    await expect.poll(() => world.told.length).toBe(index + 1);
    expect(world.told[index]).toMatchObject({
      target: world.target,
      method: each.method ?? 'GET',
      path: each.path,
      status,
      sentBytes: bytes,
      receivedBytes: (each.body ?? []).join('').length,
      host: HOST,
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
    });
    expect(world.told[index]?.durationMs).toBeGreaterThanOrEqual(0);
  }
});

test('an upgrade is told when it is accepted, and what ends without an answer when it ends', async () => {
  await using world = await start((incoming) => void incoming.socket.destroy());
  const upgrade = world.begin({ path: '/ws', headers: { connection: 'Upgrade', upgrade: 'websocket' } }).end();
  const [, socket] = (await once(upgrade, 'upgrade')) as [IncomingMessage, Socket];
  socket.write('GET /no HTTP/1.1\r\n\r\n');
  await once(socket, 'data');
  expect(world.told).toMatchObject([{ path: '/ws', status: 101 }]);
  socket.destroy();
  expect(await world.ask({ path: '/gone' })).toEqual([502, expect.any(Number)]);
  await expect.poll(() => world.told.slice(1)).toMatchObject([{ path: '/gone', status: undefined, sentBytes: 0 }]);
});

test('a dev server that refuses the public name is told of once, unless its own is used', async () => {
  const refusing: RequestListener = (incoming, response) => {
    if (incoming.headers.host?.startsWith('127.0.0.1') === true) response.end('hello');
    else response.writeHead(403).end('Blocked request. This host ("shop.localhost") is not allowed.');
  };
  await using world = await start(refusing);
  const warnings: string[] = [];
  world.client.on('warning', ({ code, reason }) => warnings.push(`${code} ${reason}`));
  for (let count = 0; count < 2; count += 1) expect(await world.ask({})).toEqual([403, 61]);
  await expect.poll(() => world.told.length).toBe(2);
  expect(warnings).toEqual([expect.stringMatching(/^host-refused .*: 127\.0\.0\.1:\d+ \(Vite\)$/)]);
  await using other = await start(refusing, { hostHeader: 'local' });
  expect(await other.ask({})).toEqual([200, 5]);
  // The service does not learn the public name, but whoever looks on does.
  await expect.poll(() => other.told).toMatchObject([{ host: HOST }]);
});

test('connect tells of them as well', async () => {
  await using server = await startServer();
  await using tunnel = await connect({
    to: `127.0.0.1:${server.port}`,
    secret: TEST_SECRET,
    target: createServer((_incoming, response) => response.end('hello')),
    http: {},
  });
  expect(tunnel.url).toMatch(/^http:\/\/in-process-[a-z2-7]{10}\.localhost:\d+$/);
  expect(tunnel.addresses).toMatchObject([{ urls: [tunnel.url] }]);
  expect(tunnel.port).toBe(0);
  const told = once(tunnel, 'request');
  const { host } = new URL(tunnel.url);
  const [answer] = (await once(request({ port: server.port, headers: { host } }).end(), 'response')) as [
    IncomingMessage,
  ];
  answer.resume();
  expect(await told).toMatchObject([{ method: 'GET', path: '/', status: 200, sentBytes: 5 }]);
});
