// HTTP under a name: which host is whose, what services and visitors see, and what the server answers itself.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { HttpOptions, VisitorSocket } from '@tunnel/client';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';

interface Service extends AsyncDisposable {
  readonly port: number;
}

async function startHttp(listener: RequestListener): Promise<Service> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What a service got, as JSON. */
const mirror: RequestListener = (request, response) => {
  const { method, url, rawHeaders } = request;
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => response.end(JSON.stringify({ method, url, rawHeaders, body })));
};

/** Sends these bytes to a loopback port, and resolves with all that comes until the other side closes. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write(bytes, 'latin1');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

function get(host: string, path = '/', headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}\r\n`;
}

function tunnelTo(port: number, http: HttpOptions): { readonly tunnels: [unknown] & readonly never[] } {
  return { tunnels: [{ target: { host: '127.0.0.1', port }, http }] as never };
}

test('the host alone decides: a granted one is the service, others below the domain nobody, all else the server', async () => {
  await using service = await startHttp(mirror);
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  expect(await exchange(server.port, get('shop.localhost', '/a?b=c'))).toContain('"url":"/a?b=c"');
  expect(await exchange(server.port, get('SHOP.localhost.:99'))).toMatch(/^HTTP\/1\.1 200 /);
  expect(await exchange(server.port, get('other.localhost'))).toMatch(/^HTTP\/1\.1 404 [^]*Tunnel-Error: no-such-host/);
  for (const own of ['localhost', '127.0.0.1', `127.0.0.1:${server.port}`, 'alias.example']) {
    expect(await exchange(server.port, get(own))).toMatch(/^HTTP\/1\.1 426 /);
    expect(await exchange(server.port, get(own, '/healthz'))).toMatch(/^HTTP\/1\.1 200 /);
  }
  expect(await exchange(server.port, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
});

test('an upgrade with a handshake header to a granted host is a visitor', async () => {
  await using service = await startHttp(mirror);
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nTunnel-Handshake: AAAA\r\n';
  const bytes = `GET /x HTTP/1.1\r\nHost: shop.localhost\r\n${upgrade}\r\n`;
  // The service wants no WebSocket, and got the header.
  expect(await exchange(server.port, bytes)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*"Tunnel-Handshake","AAAA"/);
});

test('other upgrades are requests without one', async () => {
  await using service = await startHttp(mirror);
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const bytes =
    'POST /x HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n\r\nhello';
  const answer = await exchange(server.port, bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain('"body":"hello"');
  expect(answer).not.toContain('h2c');
});

test('a service learns who the visitor is, and nothing that the visitor only claims', async () => {
  await using service = await startHttp(mirror);
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const claims =
    'X-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Proto: https\r\n';
  const answer = await exchange(server.port, get('shop.localhost', '/', claims));
  expect(answer).not.toContain('1.2.3.4');
  expect(answer).toContain(
    '"X-Forwarded-For","127.0.0.1","X-Forwarded-Proto","http","X-Forwarded-Host","shop.localhost"',
  );
});

test('headers are changed as the tunnel says', async () => {
  await using service = await startHttp((request, response) => {
    response.setHeader('Server', 'secret');
    mirror(request, response);
  });
  await using server = await startServer();
  const http: HttpOptions = {
    host: 'shop',
    hostHeader: 'local',
    setHeaders: [{ name: 'X-Set', value: 'new' }],
    removeHeaders: ['X-Gone'],
    setResponseHeaders: [{ name: 'Server', value: 'tunnel' }],
  };
  await using _client = await startClient(server.port, [], tunnelTo(service.port, http));
  const answer = await exchange(
    server.port,
    get('shop.localhost', '/', 'X-Set: old\r\nx-gone: 1\r\nOrigin: http://shop.localhost\r\n'),
  );
  expect(answer).toMatch(/\r\nServer: tunnel\r\n/);
  expect(answer).toContain(`"Host","127.0.0.1:${service.port}"`);
  expect(answer).toContain(`"Origin","http://127.0.0.1:${service.port}"`);
  expect(answer).toContain('"X-Set","new"');
  for (const gone of ['old', 'gone', 'secret']) expect(answer).not.toContain(gone);
});

test('basic auth: right, wrong, and ten wrong ones; the service never sees the credentials', async () => {
  await using service = await startHttp(mirror);
  await using server = await startServer();
  const http: HttpOptions = { host: 'shop', basicAuth: ['anna:pass', 'otto:a:b'] };
  await using _client = await startClient(server.port, [], tunnelTo(service.port, http));
  const auth = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;
  const status = async (headers: string): Promise<string> =>
    (await exchange(server.port, get('shop.localhost', '/', headers))).slice(9, 12);
  const answer = await exchange(server.port, get('shop.localhost', '/', auth('otto:a:b')));
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).not.toContain('Authorization');
  expect(await status('')).toBe('401');
  for (let guess = 0; guess < 10; guess += 1) expect(await status(auth(`anna:${guess}`))).toBe('401');
  expect(await status(auth('anna:pass'))).toBe('429');
});

test('a loop through the server is 508', async () => {
  await using server = await startServer();
  const http: HttpOptions = { host: 'loop', hostHeader: 'loop.localhost' };
  await using _client = await startClient(server.port, [], tunnelTo(server.port, http));
  expect(await exchange(server.port, get('loop.localhost'))).toMatch(/^HTTP\/1\.1 508 /);
});

test('a service that refuses, hangs up or speaks something else is 502', async () => {
  await using service = await startHttp((request) => request.socket.destroy());
  await using server = await startServer();
  const gone = await startHttp(mirror);
  await gone[Symbol.asyncDispose]();
  await using _client = await startClient(server.port, [], {
    tunnels: [
      { target: { host: '127.0.0.1', port: service.port }, http: { host: 'rude' } },
      { target: { host: '127.0.0.1', port: gone.port }, http: { host: 'gone' } },
      { target: (visitor) => void visitor.end('SSH-2.0-x\r\n'), http: { host: 'other' } },
    ],
  });
  const codeOf = async (host: string): Promise<string | undefined> =>
    /^HTTP\/1\.1 502 [^]*Tunnel-Error: ([a-z-]+)/.exec(await exchange(server.port, get(`${host}.localhost`)))?.[1];
  expect(await codeOf('rude')).toBe('no-answer');
  expect(await codeOf('gone')).toBe('service-unavailable');
  expect(await codeOf('other')).toBe('bad-answer');
});

test('an answer that breaks off is a reset for the visitor', async () => {
  await using service = await startHttp((_request, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('half', () => response.socket?.resetAndDestroy());
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  await expect(exchange(server.port, get('shop.localhost'))).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('requests of one connection keep their order and their service connection', async () => {
  const ports = new Set<number | undefined>();
  await using service = await startHttp((request, response) => {
    ports.add(request.socket.remotePort);
    // After all that came in the same segment was looked at.
    setImmediate(() => response.end(`<${request.url}>`));
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
  const pipelined = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n`).join('');
  const answer = await exchange(server.port, pipelined + get('shop.localhost', '/last'));
  expect([...answer.matchAll(/<(.*?)>/g)].map(([, path]) => path)).toEqual([...paths, '/last']);
  expect(ports.size).toBe(1);
});

test('visitors are answered in the form that they ask for, with nothing of theirs in it', async () => {
  await using server = await startServer();
  const answers = await Promise.all(
    ['text/html', 'application/json', '*/*'].map((accept) =>
      exchange(server.port, get('none.localhost', '/<script>', `Accept: ${accept}\r\n`)),
    ),
  );
  expect(answers.map((answer) => /\r\nContent-Type: (.*)\r\n/.exec(answer)?.[1])).toEqual([
    'text/html; charset=utf-8',
    'application/json',
    'text/plain; charset=utf-8',
  ]);
  for (const answer of answers) expect(answer).not.toContain('script');
});

test('there are as many requests at once as the tunnel allows', async () => {
  const waiting: (() => void)[] = [];
  await using service = await startHttp((_request, response) => void waiting.push(() => response.end()));
  await using server = await startServer();
  await using _client = await startClient(server.port, [], {
    tunnels: [{ target: { host: '127.0.0.1', port: service.port }, http: { host: 'shop' }, maxConnections: 1 }],
  });
  const first = exchange(server.port, get('shop.localhost'));
  await expect.poll(() => waiting.length).toBe(1);
  expect(await exchange(server.port, get('shop.localhost'))).toMatch(/^HTTP\/1\.1 503 [^]*Tunnel-Error: visitor-limit/);
  waiting[0]?.();
  expect(await first).toMatch(/^HTTP\/1\.1 200 /);
  const second = exchange(server.port, get('shop.localhost'));
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]?.();
  expect(await second).toMatch(/^HTTP\/1\.1 200 /);
});

test('a service that upgrades without being asked is 502', async () => {
  await using server = await startServer();
  const target = (visitor: VisitorSocket): void =>
    void visitor.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await using _client = await startClient(server.port, [], { tunnels: [{ target, http: { host: 'odd' } }] });
  expect(await exchange(server.port, get('odd.localhost'))).toMatch(/^HTTP\/1\.1 502 /);
});

test('what is not a request is answered after those before it, and ends the connection', async () => {
  await using service = await startHttp((request, response) => {
    setImmediate(() => response.end(`<${request.url}>`));
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const request = (path: string, headers = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\n${headers}\r\n`;
  const answer = await exchange(server.port, `${request('/1')}${request('/2')}rubbish\r\n\r\n`);
  expect(answer).toMatch(
    /^HTTP\/1\.1 200 [^]*<\/1>HTTP\/1\.1 200 [^]*<\/2>HTTP\/1\.1 400 [^]*Tunnel-Error: bad-request/,
  );
  const closed = await exchange(
    server.port,
    `${request('/1')}${request('/2', 'Connection: close\r\n')}${request('/3')}`,
  );
  expect([...closed.matchAll(/<(.*?)>/g)].map(([, path]) => path)).toEqual(['/1', '/2']);
  expect(await exchange(server.port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}`)).toMatch(
    /^HTTP\/1\.1 431 [^]*Tunnel-Error: head-too-large/,
  );
});

test('a body that breaks off in the middle is whole for nobody', async () => {
  let outcome = '';
  await using service = await startHttp((request) => {
    request
      .resume()
      .on('error', () => (outcome = 'broken'))
      .on('end', () => (outcome = 'whole'));
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port, { host: 'shop' }));
  const bytes =
    'POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n';
  await expect(exchange(server.port, bytes)).rejects.toMatchObject({ code: 'ECONNRESET' });
  await expect.poll(() => outcome).toBe('broken');
});
