import { EventEmitter, once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';

import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { parseServerAddress } from './address.ts';
import { TEST_AUTHORITY, TEST_CERTIFICATE, TEST_KEY } from './certificates.fixture.ts';
import { dial, type DialOptions } from './dial.ts';
import { closeOf, failureOf, listen, listenRaw, refusedPort } from './loopback.fixture.ts';
import { parseProxyAddress } from './proxy-address.ts';
import type { OpenedWebSocket } from './upgrade.ts';

function dialThrough(proxy: string, server: string, options: Partial<DialOptions> = {}): Promise<OpenedWebSocket> {
  return dial(parseServerAddress(server), {
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    maxPayloadBytes: 65_536,
    ca: TEST_AUTHORITY,
    proxy: parseProxyAddress(proxy),
    ...options,
  });
}

/** A WebSocket server that says hello at once. */
async function listenHello(secure: boolean): Promise<number> {
  const server = secure ? createHttpsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }) : createHttpServer();
  new WebSocketServer({ server }).on('connection', (webSocket) => {
    webSocket.on('error', () => {});
    webSocket.send('hello');
  });
  return listen(server);
}

interface HttpProxy {
  readonly port: number;
  readonly requests: readonly IncomingMessage[];
}

/** A proxy that connects every request to loopback, even for unknown names. */
async function listenProxy(secure = false): Promise<HttpProxy> {
  const requests: IncomingMessage[] = [];
  const server = secure ? createHttpsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }) : createHttpServer();
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    requests.push(request);
    const upstream = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1');
    onTestFinished(() => void upstream.destroy());
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(upstream).pipe(socket);
  });
  return { port: await listen(server), requests };
}

function listenAnswering(answer: string): Promise<number> {
  return listenRaw((socket) => void socket.once('data', () => socket.end(answer)));
}

async function expectHello({ webSocket }: OpenedWebSocket): Promise<void> {
  const message = once(webSocket, 'message');
  webSocket.resume();
  const [data] = (await message) as [Buffer];
  expect(String(data)).toBe('hello');
  webSocket.terminate();
  await closeOf(webSocket);
}

describe('an HTTP proxy', () => {
  test.each([
    ['http', 'ws', false, ['lookup', 'connect', 'proxy', 'upgrade']],
    ['http', 'wss', false, ['lookup', 'connect', 'proxy', 'tls', 'upgrade']],
    ['https', 'ws', true, ['lookup', 'connect', 'proxy', 'upgrade']],
    ['https', 'wss', true, ['lookup', 'connect', 'proxy', 'tls', 'upgrade']],
  ])('by %s leads to %s', async (proxyScheme, scheme, secure, steps) => {
    const port = await listenHello(scheme === 'wss');
    const proxy = await listenProxy(secure);
    const phases: string[] = [];
    const onPhase = (phase: string): void => void phases.push(phase);
    const opened = await dialThrough(`${proxyScheme}://localhost:${proxy.port}`, `${scheme}://localhost:${port}`, {
      onPhase,
    });
    await expectHello(opened);
    expect(phases).toEqual(steps);
    const [{ url, headers } = {} as IncomingMessage] = proxy.requests;
    expect(url).toBe(`localhost:${port}`);
    expect(headers).toMatchObject({ host: `localhost:${port}` });
    expect(headers).not.toHaveProperty('proxy-authorization');
  });

  test('looks the name up, and is told who asks', async () => {
    const port = await listenHello(false);
    const proxy = await listenProxy();
    await expectHello(
      await dialThrough(`me:a%3Ab@127.0.0.1:${proxy.port}`, `ws://only.the.proxy.knows.invalid:${port}`),
    );
    const [request] = proxy.requests;
    expect(request?.url).toBe(`only.the.proxy.knows.invalid:${port}`);
    expect(request?.headers['proxy-authorization']).toBe(`Basic ${Buffer.from('me:a:b').toString('base64')}`);
  });

  test('may send what the destination says along with its answer', async () => {
    const upgrade = 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n';
    const port = await listenAnswering(upgrade);
    expect(await failureOf(dialThrough(`127.0.0.1:${port}`, 'ws://a'))).toMatchObject({ code: 'upgrade-refused' });
  });

  test.each([
    ['HTTP/1.1 403 No way\u0007\r\n\r\n', 'proxy-refused', 'HTTP 403 Forbidden'],
    ['HTTP/1.1 405 x\r\n\r\n', 'proxy-refused', 'HTTP 405 Method Not Allowed'],
    ['HTTP/1.1 302 x\r\nLocation: http://login/\r\n\r\n', 'proxy-refused', 'HTTP 302 Found'],
    ['HTTP/1.1 502 x\r\n\r\n', 'proxy-failed', 'HTTP 502 Bad Gateway'],
    ['HTTP/1.1 407 x\r\n\r\n', 'proxy-auth-required', 'HTTP 407 Proxy Authentication Required'],
    [
      'HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n',
      'proxy-auth-required',
      'HTTP 407 Proxy Authentication Required; it accepts NTLM, Negotiate only',
    ],
    ['SSH-2.0-x\r\n', 'proxy-unusable', 'it does not speak HTTP (HPE_INVALID_CONSTANT)'],
    ['\u0005\u00ff', 'proxy-unusable', 'it does not speak HTTP (HPE_INVALID_CONSTANT)'],
    ['', 'proxy-unusable', 'it closed the connection without an answer (ECONNRESET)'],
  ])('that answers %j', async (answer, code, reason) => {
    const port = await listenAnswering(answer);
    const error = await failureOf(dialThrough(`127.0.0.1:${port}`, 'ws://server.example'));
    expect(error).toMatchObject({ code, detail: `http://127.0.0.1:${port}, ${reason}` });
  });

  test('that does not take the credentials', async () => {
    const port = await listenAnswering('HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n');
    const error = await failureOf(dialThrough(`me:word@127.0.0.1:${port}`, 'ws://server.example'));
    expect(error.detail).toBe(
      `http://127.0.0.1:${port}, HTTP 407 Proxy Authentication Required; it rejected the given credentials`,
    );
    expect(error.kind.exitCode).toBe(3);
  });
});

describe('a SOCKS proxy', () => {
  test.each([
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'proxy-unusable', 'it does not speak SOCKS 5'],
    ['\u0005\u00ff', 'proxy-auth-required', 'it accepts none of the authentication methods offered'],
    ['\u0005\u0003', 'proxy-unusable', 'it wants to authenticate in a way that was not offered'],
    ['\u0005\u0002\u0001\u0001', 'proxy-auth-required', 'it rejected the given credentials'],
    ['\u0005\u0000\u0005\u0001\u0000\u0001\u0000', 'proxy-failed', 'it says: general failure'],
    ['\u0005\u0000\u0005\u0002\u0000\u0001\u0000', 'proxy-refused', 'its rules do not allow it'],
    ['\u0005\u0000\u0005\u0005\u0000\u0001\u0000', 'proxy-failed', 'it says: connection refused'],
    ['', 'proxy-failed', 'it closed the connection without an answer'],
  ])('that answers %j', async (answer, code, reason) => {
    const port = await listenRaw((socket) => void socket.once('data', () => socket.end(answer, 'latin1')));
    const error = await failureOf(dialThrough(`socks5h://me:hidden@127.0.0.1:${port}`, 'ws://server.example'));
    expect(error).toMatchObject({ code, detail: `socks5h://127.0.0.1:${port}, ${reason}` });
    expect(JSON.stringify(error)).not.toContain('hidden');
    expect(error.cause).toBeUndefined();
  });

  test('is asked for one address after another, where names are looked up here', async () => {
    const asked: string[] = [];
    const port = await listenRaw((socket) => {
      socket.once('data', () => {
        socket.write('\u0005\u0000', 'latin1');
        socket.once('data', (request: Buffer) => {
          asked.push(request.toString('hex', 3, request.length));
          socket.end(Buffer.from([5, 4, 0, 1, 0, 0, 0, 0, 0, 0]));
        });
      });
    });
    const lookup = (): Promise<{ address: string; family: number }[]> =>
      Promise.resolve([
        { address: '192.0.2.1', family: 4 },
        { address: '2001:db8::1', family: 6 },
      ]);
    const error = await failureOf(dialThrough(`socks5://127.0.0.1:${port}`, 'server.example', { lookup }));
    expect(error).toMatchObject({ code: 'proxy-failed' });
    expect(asked).toEqual(['0420010db80000000000000000000000011e9b', '01c00002011e9b']);
  });
});

describe.each(['http', 'https', 'socks5h'])('any proxy, as %s', (scheme) => {
  test('that is not there', async () => {
    const port = await refusedPort();
    expect(await failureOf(dialThrough(`${scheme}://127.0.0.1:${port}`, 'ws://a'))).toMatchObject({
      code: 'proxy-unreachable',
      detail: `${scheme}://127.0.0.1:${port}, connection refused: 127.0.0.1:${port} (ECONNREFUSED)`,
    });
  });

  test('whose name nobody knows', async () => {
    const lookup = (): Promise<never> => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    const error = await failureOf(dialThrough(`${scheme}://proxy.invalid:1`, 'ws://a', { lookup }));
    expect(error.code).toBe('proxy-unreachable');
    expect(error.detail).toContain('cannot resolve the host name');
  });

  test('that is silent, until time is up or somebody gives up', async () => {
    const connections = new EventEmitter();
    const port = await listenRaw((socket) => connections.emit('connection', socket.resume()));
    const arrived = once(connections, 'connection');
    const late = dialThrough(`${scheme}://127.0.0.1:${port}`, 'ws://a', { timeoutMs: 300 });
    const failure = failureOf(late);
    const [socket] = (await arrived) as [Socket];
    const closed = closeOf(socket);
    expect(await failure).toMatchObject({
      code: 'attempt-timeout',
      detail: 'a:80, given up after 0.3s while waiting for the proxy',
    });
    await closed;

    const controller = new AbortController();
    const again = once(connections, 'connection');
    const stopped = failureOf(dialThrough(`${scheme}://127.0.0.1:${port}`, 'ws://a', { signal: controller.signal }));
    const [other] = (await again) as [Socket];
    const ended = closeOf(other);
    controller.abort();
    expect((await stopped).code).toBe('stopped');
    await ended;
  });
});

test('a proxy whose certificate is wrong is not taken for the server', async () => {
  const { port } = await listenProxy(true);
  const error = await failureOf(dialThrough(`https://127.0.0.1:${port}`, 'ws://a', { ca: undefined }));
  expect(error.code).toBe('proxy-unreachable');
  expect(error.detail).toContain('the issuer of the certificate is not trusted here');
});
