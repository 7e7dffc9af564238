// The configurations of docs/http.md, run as they stand there but for addresses, names and files.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseServerAddress } from '@tunnel/client';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { readCertificates } from './support/certificates.ts';
import { namedBlocks, readDocument } from './support/documents.ts';
import { startClient, startServer } from './support/pair.ts';
import { requirePrograms } from './support/program.ts';
import { type ReverseProxyName, type ReverseProxyOptions, startReverseProxy } from './support/reverse-proxies.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const ca = readCertificates().get('TEST_AUTHORITY') ?? '';
const blocks = namedBlocks(readDocument('http.md'));

const HOST = 'shop.localhost';

interface ReverseProxy {
  readonly name: ReverseProxyName;
  readonly replacements: ReverseProxyOptions['replacements'];
}

const PROXIES: readonly ReverseProxy[] = [
  {
    name: 'nginx',
    replacements: ({ port, serverPort, file }) => [
      ['listen 443 ssl;\n    listen [::]:443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['.tunnel.example.org;', '.localhost;'],
      ['/etc/letsencrypt/live/tunnel.example.org/fullchain.pem', file('cert.pem')],
      ['/etc/letsencrypt/live/tunnel.example.org/privkey.pem', file('key.pem')],
      [':7835;', `:${serverPort};`],
    ],
  },
  {
    name: 'caddy',
    replacements: ({ port, serverPort, file }) => [
      [
        'tunnel.example.org, *.tunnel.example.org {',
        `https://localhost:${port}, https://*.localhost:${port} {\n bind 127.0.0.1`,
      ],
      ['/etc/caddy/fullchain.pem', file('cert.pem')],
      ['/etc/caddy/privkey.pem', file('key.pem')],
      [':7835', `:${serverPort}`],
    ],
  },
];

/** Tells what it got; `/events` begins an answer and waits; a WebSocket gets back what it sends. */
async function startSite(): Promise<AsyncDisposable & { readonly port: number }> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: 1\n\n');
      return;
    }
    const { length } = await text(request);
    response.end(JSON.stringify({ headers: request.headers, length }));
  };
  const http = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  return {
    port: (http.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      http.close();
    },
  };
}

/** A visitor's request for a path of the host. */
async function visit(port: number, path: string, options: RequestOptions = {}, body = ''): Promise<IncomingMessage> {
  const request = httpsRequest({ ...visitorOf(port), path, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** The certificate of the tests is for `localhost` alone. */
function visitorOf(port: number, host = HOST, more: Readonly<Record<string, string>> = {}): RequestOptions {
  const headers = { host: `${host}:${port}`, ...more };
  return { host: '127.0.0.1', port, servername: 'localhost', ca, agent: false, headers };
}

describe.concurrent.each(PROXIES)('behind $name', { timeout: 60_000 }, (proxy) => {
  test('one name and port is for visitors, their WebSockets, and clients', async (context) => {
    requirePrograms(context, proxy.name);
    await using directory = await temporaryDirectory();
    await using site = await startSite();
    await using server = await startServer({ trustedProxies: ['127.0.0.1'] });
    const configuration = blocks.get(`http-${proxy.name}`) ?? '';
    const options = { ...proxy, text: configuration, serverPort: server.port, directory };
    await using running = await startReverseProxy(options);
    const { port } = running;
    await using _client = await startClient(port, [], {
      server: parseServerAddress(`wss://localhost:${port}`),
      ca,
      tunnels: [{ target: { host: '127.0.0.1', port: site.port }, http: { host: 'shop' } }],
    });

    const got = JSON.parse(await text(await visit(port, '/'))) as { headers: Record<string, string> };
    expect(got.headers).toMatchObject({
      host: `${HOST}:${port}`,
      'x-forwarded-for': expect.stringMatching(/^127\.0\.0\.1\b/),
      'x-forwarded-proto': 'https',
      'x-forwarded-host': `${HOST}:${port}`,
    });
    const claim = visitorOf(port, HOST, { 'x-forwarded-proto': 'ftp' });
    expect(await text(await visit(port, '/', claim))).not.toContain('ftp');

    // More than nginx takes by default.
    const length = 3_000_000;
    const answer = await visit(port, '/', { method: 'POST' }, 'x'.repeat(length));
    expect(JSON.parse(await text(answer))).toMatchObject({ length });

    // An answer that has only begun.
    const events = await visit(port, '/events');
    expect(String((await once(events, 'data'))[0])).toBe('data: 1\n\n');
    events.destroy();

    const socket = new WebSocket(`wss://127.0.0.1:${port}/`, visitorOf(port));
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.terminate();

    const nobody = await visit(port, '/', visitorOf(port, 'nobody.localhost'));
    expect([nobody.statusCode, nobody.headers['tunnel-error']]).toEqual([404, 'no-such-host']);
    expect((await visit(port, '/healthz', visitorOf(port, 'localhost'))).statusCode).toBe(200);
  });
});
