// Services that speak HTTPS: the client does TLS to them.
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { readCertificates } from './support/certificates.ts';
import { startClient, startServer } from './support/pair.ts';

const certificates = readCertificates();

async function startHttps(listener: RequestListener): Promise<Server> {
  const [cert, key] = [certificates.get('TEST_CERTIFICATE'), certificates.get('TEST_KEY')];
  const server = createServer({ cert, key }, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** All that comes until the other side closes. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write(bytes, 'latin1');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test('bodies pass both ways, and an answer that breaks off is a reset', async () => {
  const service = await startHttps((request, response) => {
    if (request.url === '/half') {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('half', () => request.socket.destroy());
      return;
    }
    request.pipe(response);
  });
  const { port } = service.address() as AddressInfo;
  await using server = await startServer();
  await using _client = await startClient(server.port, [], {
    tunnels: [{ target: { host: 'localhost', port }, http: { host: 'safe', upstream: 'https' } }],
  });
  const body = 'x'.repeat(3_000_000);
  const head = `Host: safe.localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answer = await exchange(server.port, `POST / HTTP/1.1\r\n${head}${body}`);
  expect(answer.slice(0, 15)).toBe('HTTP/1.1 200 OK');
  expect(answer.match(/x/g)?.length).toBeGreaterThanOrEqual(body.length);
  const half = exchange(server.port, 'GET /half HTTP/1.1\r\nHost: safe.localhost\r\n\r\n');
  await expect(half).rejects.toMatchObject({ code: 'ECONNRESET' });
  service.closeAllConnections();
  service.close();
});

test('a service without TLS is told, and visitors get 502', async () => {
  const service = await startHttps(() => {});
  const { port } = service.address() as AddressInfo;
  service.closeAllConnections();
  service.close();
  await once(service, 'close');
  const { createServer: createHttp } = await import('node:http');
  const plain = createHttp((_request, response) => response.end('no')).listen(port, '127.0.0.1');
  await once(plain, 'listening');
  await using server = await startServer();
  await using client = await startClient(server.port, [], {
    tunnels: [{ target: { host: '127.0.0.1', port }, http: { host: 'plain', upstream: 'https' } }],
  });
  const told = client.next('service');
  const answer = await exchange(server.port, 'GET / HTTP/1.1\r\nHost: plain.localhost\r\nConnection: close\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 502 [^]*Tunnel-Error: service-unavailable/);
  expect(await told).toMatchObject({ state: 'down' });
  plain.closeAllConnections();
  plain.close();
});
