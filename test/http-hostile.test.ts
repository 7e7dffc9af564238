// HTTP tunnels, and visitors and services that mean harm.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { randomBytes } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { cutOff, startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';

interface Service extends AsyncDisposable {
  readonly port: number;
}

/** A service that is no HTTP server: what it does with each piece that comes. */
async function startRaw(onData: (socket: Socket, text: string) => void): Promise<Service> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setEncoding('latin1').on('error', () => {}));
    socket.on('data', (text) => onData(socket, String(text)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Sends these bytes to a loopback port, and resolves with all that comes until the other side closes. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write(bytes, 'latin1');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

function tunnelTo(port: number, host = 'shop'): { readonly tunnels: [unknown] & readonly never[] } {
  return { tunnels: [{ target: { host: '127.0.0.1', port }, http: { host } }] as never };
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n${headers}\r\n`;
}

const WEB_SOCKET = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

test('a visitor who announces trailers of a body that has none is served', async () => {
  await using service = await startRaw((socket, text) => {
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${text.includes('Trailer') ? 'yes!' : 'none'}`);
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port));
  const trailer = 'Trailer: X-Sum\r\n';
  for (const bytes of [
    get('/', trailer),
    get('/', `${trailer}Content-Length: 0\r\n`),
    `GET / HTTP/1.1\r\nHost: shop.localhost\r\n${trailer}${WEB_SOCKET}\r\n`,
  ]) {
    expect(await exchange(server.port, bytes)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*none$/);
  }
  const chunked = get('/', `${trailer}Transfer-Encoding: chunked\r\n`).replace('GET', 'POST');
  expect(await exchange(server.port, `${chunked}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*yes!$/);
});

test('an answer that announces trailers where none can be passed on is passed on without them', async () => {
  const answers: Readonly<Record<string, string>> = {
    length: '200 OK\r\nContent-Length: 2\r\nTrailer: X-Sum\r\n\r\nok',
    chunked: '200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    empty: '204 No Content\r\nTrailer: X-Sum\r\n\r\n',
    unchanged: '304 Not Modified\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n',
  };
  await using service = await startRaw((socket, text) => {
    socket.end(`HTTP/1.1 ${answers[/ \/(\w+) /.exec(text)?.[1] ?? '']}`);
  });
  await using server = await startServer();
  await using _client = await startClient(server.port, [], tunnelTo(service.port));
  for (const name of ['length', 'empty', 'unchanged']) {
    const answer = await exchange(server.port, get(`/${name}`));
    expect(answer).toMatch(/^HTTP\/1\.1 (200|204|304) /);
    expect(answer).not.toContain('Trailer');
  }
  expect(await exchange(server.port, get('/chunked'))).toContain('Trailer: X-Sum\r\n');
  const old = get('/chunked').replace('HTTP/1.1', 'HTTP/1.0');
  expect(await exchange(server.port, old)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
});

test.each(['HTTP/1.1 200 \u0001', 'HTTP/1.1 200 \u007f', 'HTTP/1.1 099 Low', 'HTTP/1.1 000 None'])(
  'an answer that begins with %j is a bad one, to a request and to a WebSocket',
  async (line) => {
    const status = line.replace('200', '101');
    await using service = await startRaw((socket, text) => {
      const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
      if (text.includes(' /join ')) socket.write(`${status}\r\n${upgrade}\r\n`, 'latin1');
      else socket.write(`HTTP/1.1 103 \u0001\r\n\r\n${line}\r\nContent-Length: 0\r\n\r\n`, 'latin1');
    });
    await using server = await startServer();
    await using _client = await startClient(server.port, [], tunnelTo(service.port));
    const bad = /^HTTP\/1\.1 502 Bad Gateway\r\nTunnel-Error: bad-answer\r\n/;
    expect(await exchange(server.port, get('/'))).toMatch(bad);
    for (const path of ['/join', '/']) {
      const bytes = `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\n${WEB_SOCKET}\r\n`;
      expect(await exchange(server.port, bytes)).toMatch(bad);
    }
  },
);

test('on a kept connection, requests go to the client that has the name now, not to the one that gave it back', async () => {
  const word = (text: string) =>
    startRaw((socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${text}`));
  await using first = await word('1');
  await using second = await word('2');
  await using server = await startServer({ resumeWindowMs: 0 });
  await using one = await startClient(server.port, [], tunnelTo(first.port));
  const visitor = connect(server.port, '127.0.0.1').setEncoding('latin1');
  const ask = async (): Promise<string> => {
    visitor.write('GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n');
    const [answer] = (await once(visitor, 'data')) as [string];
    return answer.slice(9);
  };
  expect(await ask()).toMatch(/^200 [^]*1$/);
  const closed = server.log.waitForNext('tunnel-closed');
  await one.client.setTunnels(tunnelTo(first.port, 'elsewhere').tunnels);
  await closed;
  await using _two = await startClient(server.port, [], tunnelTo(second.port));
  expect(await ask()).toMatch(/^200 [^]*2$/);
  visitor.destroy();
});

test('a request that waited for a client which came back with a password needs it', async () => {
  await using service = await startRaw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const identity = randomBytes(32);
  await using _before = await startClient(relay.port, [], { identity, ...tunnelTo(service.port) });
  await cutOff(server, relay);
  const answer = exchange(server.port, get('/'));
  const target = { host: '127.0.0.1', port: service.port };
  const tunnels = [{ target, http: { host: 'shop', basicAuth: ['ben:secret'] } }] as never;
  await using _after = await startClient(server.port, [], { identity, tunnels });
  expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
});
