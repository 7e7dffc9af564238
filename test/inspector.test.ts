// The inspector of `tunnel http`: what it records, what it sends again, and whom it answers.
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { WebSocket, WebSocketServer } from 'ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTunnel, type TunnelProcess } from './support/command.ts';
import { type HttpService, startHttpService, visitHost } from './support/http-visits.ts';
import { Inspector } from './support/inspector.ts';
import { memoryOf, memoryProbe } from './support/memory-probe.ts';
import { TEST_SECRET } from './support/pair.ts';
import { RawService } from './support/raw-service.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import {
  type HttpTunnelProcess,
  publicPortOf,
  startHttpProcess,
  startServerProcess,
} from './support/tunnel-processes.ts';

/** `TUNNEL_TEST_FULL=1`: the size of the acceptance. */
const LARGE_BYTES = process.env['TUNNEL_TEST_FULL'] === '1' ? 1_000_000_000 : 100_000_000;
/** What a recorded body of that size may leave in memory, with all that a test has around it. */
const LEFT_BYTES = 16_000_000;

/** Of all pages together, compressed: this one takes half at most. */
const PAGE_LIMIT_BYTES = 60_000;

const ATTACK = '<img src=x onerror=alert(1)>';

let server: { readonly server: TunnelProcess; readonly port: number };

beforeAll(async () => {
  server = await startServerProcess(['--port', '0']);
});
afterAll(() => server.server[Symbol.asyncDispose]());

interface Scene extends AsyncDisposable {
  readonly tunnel: HttpTunnelProcess;
  readonly inspector: Inspector;
}

async function inspect(targetPort: number, ...args: readonly string[]): Promise<Scene> {
  const tunnel = await startHttpProcess(server.port, targetPort, ['--inspect', '0', ...args]);
  return {
    tunnel,
    inspector: await Inspector.of(tunnel.client),
    [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose](),
  };
}

function visit(url: string, options: RequestOptions = {}, body: string | Buffer = ''): Promise<IncomingMessage> {
  return visitHost(server.port, url, options, body);
}

describe('what passes', () => {
  test('is listed, shown, found, told live, saved and dropped', async () => {
    await using service = await startHttpService(({ url }, response) => {
      const body = gzipSync(JSON.stringify({ path: url, words: 'größer' }));
      response.writeHead(url === '/missing' ? 404 : 200, {
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
        'Content-Length': body.length,
        'Set-Cookie': 'sid=open-sesame',
      });
      response.end(body);
    });
    await using scene = await inspect(service.port);
    const { inspector, tunnel } = scene;
    const events = await fetch(`http://127.0.0.1:${inspector.port}/api/events`, {
      headers: { authorization: `Bearer ${inspector.token}` },
    });
    let told = '';
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
    const isTold = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(told)) told += (await reader?.read())?.value ?? '';
    };
    await visit(`${tunnel.url}/items?b=2`, { headers: { 'X-Visitor': 'yes', authorization: 'Bearer open-sesame' } });
    await visit(`${tunnel.url}/missing`, { method: 'POST', headers: { 'content-type': 'text/plain' } }, 'what I ask');

    await expect
      .poll(() => inspector.list())
      .toMatchObject([
        { method: 'GET', path: '/items?b=2', status: 200, state: 'whole', target: `127.0.0.1:${service.port}` },
        { method: 'POST', path: '/missing', status: 404, receivedBytes: 10 },
      ]);
    const [first, second] = await inspector.list();
    expect(first?.endMs).toBeGreaterThanOrEqual(first?.firstByteMs ?? Infinity);
    const detail = await inspector.detail(first?.id ?? 0);
    expect(detail.requestHeaders).toContainEqual({ name: 'X-Visitor', value: 'yes' });
    expect(JSON.stringify(detail)).not.toContain('open-sesame');
    expect(JSON.stringify(await inspector.detail(first?.id ?? 0, '?reveal=1')).match(/open-sesame/g)).toHaveLength(2);

    const decoded = await inspector.ask(`/api/exchanges/${first?.id}/answer?form=decoded`);
    expect(JSON.parse(decoded.body.toString())).toEqual({ path: '/items?b=2', words: 'größer' });
    expect(decoded.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
    });
    expect((await inspector.ask(`/api/exchanges/${second?.id}/request?form=raw`)).body.toString()).toBe('what I ask');
    expect(await inspector.list('?text=WHAT%20I')).toMatchObject([{ id: second?.id }]);
    expect(await inspector.list('?text=gr%C3%B6sser')).toEqual([]);

    const archive = (await inspector.ask('/api/har')).body.toString();
    expect(JSON.parse(archive)).toMatchObject({ log: { version: '1.2', entries: [{}, {}] } });
    expect(archive).not.toContain('open-sesame');

    await isTold(/"type":"changed".*"path":"\/items\?b=2"/);
    await inspector.ask('/api/exchanges', { method: 'DELETE' });
    expect(await inspector.list()).toEqual([]);
    await isTold(/"type":"dropped","ids":\[1,2\]/);
    await reader?.cancel();
  });

  test('messages of a WebSocket and events of a server are recorded', async () => {
    await using service = await startHttpService((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.end('data: one\n\nid: 2\ndata: two\n\n');
    });
    new WebSocketServer({ server: service.http }).on('connection', (socket) => {
      socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`));
    });
    await using scene = await inspect(service.port);
    await visit(scene.tunnel.url);
    const { host } = new URL(scene.tunnel.url);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, { headers: { host }, perMessageDeflate: false });
    await once(socket, 'open');
    socket.send('hello');
    await once(socket, 'message');
    socket.close(4001, 'bye');
    await once(socket, 'close');
    await expect
      .poll(() => scene.inspector.list())
      .toMatchObject([
        { kind: 'events', messageCount: 2, state: 'whole' },
        { kind: 'websocket', messageCount: 4, status: 101, state: 'whole' },
      ]);
    const told = async (id: number): Promise<readonly string[]> =>
      (await scene.inspector.detail(id)).messages.map(
        ({ direction, kind, payload }) => `${direction} ${kind} ${Buffer.from(payload, 'base64').toString('latin1')}`,
      );
    expect(await told(1)).toEqual(['sent event data: one\n', 'sent event id: 2\ndata: two\n']);
    expect(await told(2)).toEqual([
      'received text hello',
      'sent text echo hello',
      'received close \u000f¡bye',
      'sent close \u000f¡bye',
    ]);
  });

  test(`${LARGE_BYTES / 1e6} MB in both directions leave no more than a beginning`, { timeout: 180_000 }, async () => {
    await using directory = await temporaryDirectory();
    await using service = await startHttpService((request, response) => {
      response.writeHead(200, { 'Content-Length': request.headers['content-length'] ?? '0' });
      request.pipe(response);
    });
    const args = ['http', `127.0.0.1:${service.port}`, '--to', `127.0.0.1:${server.port}`, '--inspect', '0'];
    const env = { TUNNEL_SECRET: TEST_SECRET, ...(await memoryProbe(directory.path)) };
    await using client = await startTunnel([...args, '--output', 'json'], { env });
    const [{ url }] = (await client.waitForEvent('ready'))['tunnels'] as [{ url: string }];
    const inspector = await Inspector.of(client);
    const before = await memoryOf(client);
    const headers = { host: new URL(url).host, 'content-length': LARGE_BYTES };
    const sent = request({ host: '127.0.0.1', port: server.port, method: 'PUT', headers, agent: false });
    const chunk = Buffer.alloc(1_000_000, 'x');
    const write = async (): Promise<void> => {
      for (let bytes = 0; bytes < LARGE_BYTES; bytes += chunk.length) if (!sent.write(chunk)) await once(sent, 'drain');
      sent.end();
    };
    const written = write();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let receivedBytes = 0;
    for await (const part of answer) receivedBytes += (part as Buffer).length;
    await written;
    expect(receivedBytes).toBe(LARGE_BYTES);
    await expect.poll(() => inspector.list()).toMatchObject([{ receivedBytes: LARGE_BYTES, sentBytes: LARGE_BYTES }]);
    const { requestBody, noReplay } = await inspector.detail(1);
    expect(requestBody).toMatchObject({ keptBytes: 256 * 1024, isWhole: false });
    expect(noReplay).toMatch(/first 256 KiB/);
    expect((await inspector.replay(1)).status).toBe(409);
    const after = await memoryOf(client);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(LEFT_BYTES);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(LEFT_BYTES);
  });
});

describe('a replay', () => {
  const gzipped = gzipSync('compressed words').toString('latin1');
  const END = 'the end';
  const framed = (body: string): string => `${Buffer.byteLength(body, 'latin1').toString(16)}\r\n${body}\r\n`;
  const chunked = `${framed('one')}${framed('twothree')}${framed(gzipped)}${framed(END)}`;

  test.each([
    ['with a length', `Content-Length: ${5 + END.length}\r\nX-ODD-case: a\r\nx-odd-case: b`, `12345${END}`, END],
    ['that is compressed', `content-encoding: gzip\r\ncontent-length: ${gzipped.length}`, gzipped, gzipped.slice(-8)],
    ['in chunks', 'Transfer-Encoding: chunked', `${chunked}0\r\n\r\n`, '0\r\n\r\n'],
    [
      'compressed, in chunks',
      'content-ENCODING: gzip\r\nTransfer-Encoding: chunked',
      `${framed(gzipped)}0\r\n\r\n`,
      '0\r\n\r\n',
    ],
  ])('of a request %s is the same bytes', async (_what, headers, body, end) => {
    await using service = await RawService.start(end);
    await using scene = await inspect(service.port);
    const { host } = new URL(scene.tunnel.url);
    const visitor = connect(server.port, '127.0.0.1');
    visitor.write(Buffer.from(`POST /hook HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n\r\n${body}`, 'latin1'));
    visitor.resume();
    const original = await service.request(0);
    await expect.poll(() => scene.inspector.list()).toMatchObject([{ state: 'whole' }]);
    expect((await scene.inspector.replay(1)).status).toBe(202);
    const again = await service.request(1);
    expect(again.toString('latin1')).toBe(original.toString('latin1'));
    expect(original.toString('latin1')).toMatch(/\bvia: /i);
    await expect.poll(() => scene.inspector.list()).toMatchObject([{}, { replayOf: 1, status: 200, state: 'whole' }]);
    visitor.destroy();
  });

  test('that was edited goes out as it was edited, with what is masked as it was', async () => {
    await using service = await RawService.start('!');
    await using scene = await inspect(service.port);
    const headers = { authorization: 'Bearer open-sesame', 'content-length': 2 };
    await visit(scene.tunnel.url, { method: 'POST', headers }, '1!');
    const { requestHeaders } = await scene.inspector.detail(1);
    const kept = requestHeaders.filter(({ name }) => /^(?:host|authorization|content-length)$/i.test(name));
    const body = Buffer.from('longer!').toString('base64');
    const edited = { method: 'PUT', path: '/other?x', headers: [...kept, { name: 'X-New', value: 'yes' }], body };
    expect((await scene.inspector.replay(1, edited)).status).toBe(202);
    const { host } = new URL(scene.tunnel.url);
    const lines = (await service.request(1)).toString().split('\r\n');
    expect(lines[0]).toBe('PUT /other?x HTTP/1.1');
    expect(
      lines
        .slice(1)
        .map((line) => line.toLowerCase())
        .toSorted(),
    ).toEqual(
      [
        '',
        `authorization: bearer open-sesame`,
        'content-length: 7',
        `host: ${host}`,
        'longer!',
        'x-new: yes',
      ].toSorted(),
    );
    expect((await scene.inspector.replay(1, { ...edited, path: '/ HTTP/1.1\r\nX: y' })).status).toBe(400);
    expect((await scene.inspector.replay(1, { path: '/' })).status).toBe(400);
    await service[Symbol.asyncDispose]();
    const { status, body: reason } = await scene.inspector.replay(1);
    expect([status, reason.toString()]).toEqual([502, expect.stringContaining('refused')]);
  });
});

describe('who is answered', () => {
  let service: HttpService;
  let scene: Scene;
  let inspector: Inspector;

  beforeAll(async () => {
    service = await startHttpService((_request, response) => response.setHeader('X-Attack', ATTACK).end(ATTACK));
    scene = await inspect(service.port);
    ({ inspector } = scene);
    await visit(scene.tunnel.url, { path: `/${encodeURI(ATTACK)}`, headers: { 'user-agent': ATTACK } });
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  });

  const PATHS = [
    '/api/exchanges',
    '/api/exchanges/1',
    '/api/exchanges/1/answer',
    '/api/events',
    '/api/har',
    '/nowhere',
  ];

  test.each(PATHS)('%s: nobody without the token, who is told how to get it', async (path) => {
    for (const authorization of ['', 'Bearer', `Bearer ${inspector.token}x`, `Basic ${inspector.token}`]) {
      const { status, body } = await inspector.ask(path, { headers: { authorization } });
      expect([status, body.toString()]).toEqual([401, expect.stringMatching(/^[^\n]*open the link[^\n]*\n$/)]);
    }
    // Not in the address, where it would be in histories and logs.
    const { status } = await inspector.ask(`${path}?token=${inspector.token}`, { headers: { authorization: '' } });
    expect(status).toBe(401);
  });

  test.each([...PATHS, '/', '/inspector.js'])('%s: nobody by a name that only leads here', async (path) => {
    for (const host of ['evil.example', `evil.example:${inspector.port}`, `web.localhost:${inspector.port}`]) {
      expect((await inspector.ask(path, { headers: { host } })).status).toBe(403);
    }
  });

  test.each([...PATHS, '/'])('%s: no page of another origin', async (path) => {
    for (const origin of ['http://evil.example', 'null', 'http://localhost:3000', scene.tunnel.url]) {
      const { status, headers } = await inspector.ask(path, { headers: { origin } });
      expect([status, headers['access-control-allow-origin']]).toEqual([403, undefined]);
    }
  });

  test('no form of another page, and no question whether a script may ask', async () => {
    const options = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect((await inspector.ask('/api/exchanges/1/replay', options, '{}')).status).toBe(415);
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'GET', authorization: '' };
    const preflight = await inspector.ask('/api/exchanges', { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(403);
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each(['/', '/inspector.js', '/inspector.css', '/api/exchanges/1/answer', '/api/exchanges'])(
    '%s: what comes is run, framed, guessed at and kept by nobody else',
    async (path) => {
      const { status, headers } = await inspector.ask(path);
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        'content-security-policy': expect.stringMatching(
          /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'/,
        ),
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      });
      expect(headers['set-cookie']).toBeUndefined();
      expect(headers['content-type']).toMatch(path === '/' ? /^text\/html/ : /^(?!text\/html)/);
    },
  );

  test('nobody through a tunnel, also with the token', async () => {
    await using other = await startHttpProcess(server.port, inspector.port, ['--host-header', 'local']);
    const headers = { authorization: `Bearer ${inspector.token}` };
    expect((await visit(`${other.url}/api/exchanges`, { headers })).statusCode).toBe(403);
    expect((await visit(other.url)).statusCode).toBe(403);
  });

  test('nobody through a tunnel of the same process, whatever it speaks', async () => {
    await using directory = await temporaryDirectory();
    const config = join(directory.path, 'tunnel.toml');
    const web = `[tunnels.web]\ntype = "http"\ntarget = "127.0.0.1:${service.port}"\n`;
    await writeFile(config, web);
    const words = ['run', '--config', config, '--inspect', '0', '--to', `127.0.0.1:${server.port}`, '--output', 'json'];
    await using client = await startTunnel(words, { env: { TUNNEL_SECRET: TEST_SECRET } });
    await client.waitForEvent('ready');
    const own = await Inspector.of(client);
    await writeFile(config, `${web}[tunnels.self]\ntarget = "127.0.0.1:${own.port}"\n`);
    client.kill('SIGHUP');
    const { tunnels } = await client.waitForEvent('ready', (event) => (event['tunnels'] as unknown[]).length === 2);
    const self = (tunnels as { name: string; port: number }[]).find(({ name }) => name === 'self');
    const port = publicPortOf({ tunnels: [self] });
    const headers = { host: `127.0.0.1:${own.port}` };
    const direct = await own.ask('/api/exchanges', { headers });
    const tunnelled = await own.ask('/api/exchanges', { headers, port });
    expect([direct.status, tunnelled.status, tunnelled.body.toString()]).toEqual([200, 403, 'a tunnel leads here\n']);
  });
});

test('a port that is taken: the next free one', async () => {
  await using service = await startHttpService((_request, response) => response.end());
  await using first = await inspect(service.port);
  const { port } = first.inspector;
  await using second = await startHttpProcess(server.port, service.port, ['--inspect', String(port)]);
  const other = await Inspector.of(second.client);
  expect(other.port).toBeGreaterThan(port);
  expect((await first.inspector.ask('/api/exchanges')).status).toBe(200);
  expect((await other.ask('/api/exchanges')).status).toBe(200);
  expect(
    (await other.ask('/api/exchanges', { headers: { authorization: `Bearer ${first.inspector.token}` } })).status,
  ).toBe(401);
});

test('the public name is shown, whatever the service sees', async () => {
  await using service = await startHttpService(({ headers }, response) => response.end(headers.host));
  await using scene = await inspect(service.port, '--host-header', 'local');
  await visit(scene.tunnel.url);
  await expect.poll(() => scene.inspector.list()).toMatchObject([{ host: new URL(scene.tunnel.url).hostname }]);
});

test('the page is small', async () => {
  await using service = await startHttpService((_request, response) => response.end());
  await using scene = await inspect(service.port);
  const files = await Promise.all(['/', '/inspector.js', '/inspector.css'].map((path) => scene.inspector.ask(path)));
  const bytes = files.map(({ body }) => gzipSync(body).length).reduce((sum, each) => sum + each);
  expect(bytes).toBeLessThan(PAGE_LIMIT_BYTES);
});

test('there is none for scripts that do not ask for it', async () => {
  await using service = await startHttpService((_request, response) => response.end());
  for (const args of [[], ['--inspect', 'off']]) {
    await using tunnel = await startHttpProcess(server.port, service.port, args);
    await visit(tunnel.url);
    await tunnel.client.waitForEvent('request');
    expect(tunnel.client.stdout + tunnel.client.stderr).not.toContain('inspector');
  }
});
