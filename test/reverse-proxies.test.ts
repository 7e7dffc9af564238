// The configurations of docs/reverse-proxies.md, run as they stand there but for addresses, files and shorter timeouts.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseServerAddress } from '@tunnel/client';
import { HANDSHAKE_HEADER, Initiator, PROTOCOL_VERSION } from '@tunnel/shared';
import { nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { describe, expect, test } from 'vitest';
import { readCertificates } from './support/certificates.ts';
import { namedBlocks, readDocument } from './support/documents.ts';
import { startClient, startServer } from './support/pair.ts';
import { requirePrograms } from './support/program.ts';
import type { ProxyProgram } from './support/proxy-programs.ts';
import { type ReverseProxyName, type ReverseProxyOptions, startReverseProxy } from './support/reverse-proxies.ts';
import { startEcho } from './support/services.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';
import { visit } from './support/visitor.ts';

const ca = readCertificates().get('TEST_AUTHORITY') ?? '';
const blocks = namedBlocks(readDocument('reverse-proxies.md'));

/** Instead of 60 and 50 s. A heartbeat comes every 2 s. */
const TIMEOUT = '3s';
/** Two of them and some more. */
const LONGER_MS = 7_000;

interface ReverseProxy {
  readonly name: ReverseProxyName;
  readonly replacements: ReverseProxyOptions['replacements'];
}

const PROXIES: readonly ReverseProxy[] = [
  {
    name: 'nginx',
    replacements: ({ port, serverPort, file }) => [
      ['listen 443 ssl;\n    listen [::]:443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['tunnel.example.org;', 'localhost;'],
      ['/etc/letsencrypt/live/tunnel.example.org/fullchain.pem', file('cert.pem')],
      ['/etc/letsencrypt/live/tunnel.example.org/privkey.pem', file('key.pem')],
      [':7835;', `:${serverPort};\n proxy_read_timeout ${TIMEOUT};\n proxy_send_timeout ${TIMEOUT};`],
    ],
  },
  {
    name: 'haproxy',
    replacements: ({ port, serverPort, file }) => [
      [':443 ssl', `127.0.0.1:${port} ssl`],
      ['/etc/haproxy/tunnel.example.org.pem', file('both.pem')],
      ['timeout client 50s', `timeout client ${TIMEOUT}`],
      ['timeout server 50s', `timeout server ${TIMEOUT}`],
      [':7835', `:${serverPort}`],
    ],
  },
  {
    name: 'caddy',
    replacements: ({ port, serverPort, file }) => [
      [
        'tunnel.example.org {',
        `https://localhost:${port} {\n bind 127.0.0.1\n tls ${file('cert.pem')} ${file('key.pem')}`,
      ],
      [':7835', `:${serverPort}`],
    ],
  },
];

function start(proxy: ReverseProxy, serverPort: number, directory: TemporaryDirectory): Promise<ProxyProgram> {
  return startReverseProxy({ ...proxy, text: blocks.get(proxy.name) ?? '', serverPort, directory });
}

/** An upgrade request with this handshake header, by hand, from an address of its own. */
async function upgrade(port: number, handshake: string): Promise<IncomingMessage> {
  const request = httpsRequest({
    host: '127.0.0.1',
    localAddress: '127.0.0.2',
    servername: 'localhost',
    port,
    ca,
    path: '/tunnel/',
    headers: {
      host: `localhost:${port}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'x-forwarded-for': '192.0.2.7',
      [HANDSHAKE_HEADER]: handshake,
    },
    agent: false,
  });
  request.end();
  const [response] = (await Promise.race([once(request, 'response'), once(request, 'upgrade')])) as [IncomingMessage];
  response.socket.destroy();
  return response;
}

function urlAt(port: number): ReturnType<typeof parseServerAddress> {
  return parseServerAddress(`wss://localhost:${port}/tunnel`);
}

describe.concurrent.each(PROXIES)('behind $name', { timeout: 60_000 }, (proxy) => {
  test('a link outlives its timeouts, and a session its restart', async (context) => {
    requirePrograms(context, proxy.name);
    await using directory = await temporaryDirectory();
    await using service = await startEcho();
    await using server = await startServer({ trustedProxies: ['127.0.0.1'] });
    await using running = await start(proxy, server.port, directory);
    await using client = await startClient(running.port, [service.port], { server: urlAt(running.port), ca });
    // What came directly would have a port as well.
    expect(server.log.all('client-connected').map(({ event }) => event.address)).toEqual(['127.0.0.1']);
    await using visitor = await visit(client.port);
    visitor.socket.write('before');
    await visitor.waitForBytes(6);

    // Time has to pass here: it is what the proxy waits for.
    await sleep(LONGER_MS);
    expect(client.log.names).toEqual(['ready']);
    visitor.socket.write('later');
    await visitor.waitForBytes(11);

    const ready = client.log.waitForNext('ready');
    await running.restart();
    expect((await ready).event).toMatchObject({ resumed: true, lostStreams: 0 });
    visitor.socket.write('after');
    await visitor.waitForBytes(16);
    expect(visitor.ending).toBeUndefined();
  });

  test('the handshake passes in the headers, and nobody else says where he comes from', async (context) => {
    requirePrograms(context, proxy.name);
    await using directory = await temporaryDirectory();
    await using server = await startServer({ trustedProxies: ['127.0.0.1'] });
    await using running = await start(proxy, server.port, directory);
    const initiator = new Initiator({
      crypto: nodeCrypto,
      s: randomBytes(32),
      e: randomBytes(32),
      offer: { versions: [PROTOCOL_VERSION], features: 0 },
    });
    const accepted = await upgrade(running.port, Buffer.from(initiator.message1()).toString('base64url'));
    expect(accepted.statusCode).toBe(101);
    expect(String(accepted.headers[HANDSHAKE_HEADER])).toMatch(/^[\w-]{64,}$/);
    expect((await upgrade(running.port, 'AAAA')).statusCode).toBe(400);
    await server.log.waitFor('client-refused', ({ address }) => address === '127.0.0.2');
  });
});

test('nginx cuts a link on which less comes, and the session goes on', { timeout: 60_000 }, async (context) => {
  requirePrograms(context, 'nginx');
  await using directory = await temporaryDirectory();
  await using service = await startEcho();
  await using server = await startServer();
  const [nginx] = PROXIES;
  await using running = await start(nginx as ReverseProxy, server.port, directory);
  const heartbeat = { intervalMs: 2_000, timeoutMs: 8_000, idleMaxMs: 20_000 };
  await using client = await startClient(running.port, [service.port], { server: urlAt(running.port), ca, heartbeat });
  await client.log.waitFor('disconnected', () => true, 30_000);
  expect((await client.log.waitForNext('ready')).event.resumed).toBe(true);
});
