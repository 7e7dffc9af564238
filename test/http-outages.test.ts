// Whatever is under way when the link breaks goes on when it is back, and what begins meanwhile waits.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
} from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as duration } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { Condition } from './support/condition.ts';
import { type HttpTunnel, startHttpTunnel, TUNNEL_HOST } from './support/http/tunnel.ts';
import { patternBytes, PatternChecker } from './support/pattern.ts';
import type { Direction } from './support/relay.ts';
import { patternStream } from './support/services.ts';
import { TcpService } from './support/tcp-service.ts';

const MiB = 1024 * 1024;

/** `TUNNEL_TEST_FULL=1`: the link is away for a minute, and transfers are of 1 GiB. */
const isFull = process.env['TUNNEL_TEST_FULL'] === '1';
const OUTAGE_MS = isFull ? 60_000 : 2_000;
const TRANSFER_BYTES = (isFull ? 1024 : 24) * MiB;

/** How long a visitor waits for a link before it is told that there is none. */
const PATIENCE_MS = 30_000;

/** For one test. */
const TIMEOUT_MS = OUTAGE_MS + (isFull ? 180_000 : 25_000);

/** The pace of events and messages, and how many there are: some before the outage, many in it, some after it. */
const INTERVAL_MS = 20;
const MESSAGES = Math.ceil((1.5 * OUTAGE_MS) / INTERVAL_MS) + 20;

const ASSETS = 100;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface Asked extends Pick<RequestOptions, 'agent' | 'method' | 'path'> {
  readonly headers?: Readonly<Record<string, number>>;
}

/** Without the five minutes that Node gives a request. */
function startHttp(listener: RequestListener): Promise<TcpService> {
  return TcpService.start(createServer({ requestTimeout: 0 }, listener), {});
}

/** Resolves with the answer, whose body is still to be read. */
async function begin(tunnel: HttpTunnel, options: Asked, body?: Readable): Promise<IncomingMessage> {
  const { port } = tunnel;
  const sent = request({ host: '127.0.0.1', port, ...options, headers: { Host: TUNNEL_HOST, ...options.headers } });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  if (body) await Promise.all([pipeline(body, sent), answered]);
  else sent.end();
  return (await answered)[0];
}

async function fetchWhole(tunnel: HttpTunnel, options: Asked, body?: Readable): Promise<Answer> {
  const answer = await begin(tunnel, options, body);
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) };
}

/** The link breaks once so many more bytes have passed in this direction. Resolves when it may come back. */
async function breakAfter(tunnel: HttpTunnel, direction: Direction, bytes: number): Promise<void> {
  const lost = tunnel.server.log.waitForNext('client-disconnected', undefined, 60_000);
  tunnel.relay.refuse();
  tunnel.relay.cutAfter({ direction, bytes });
  await lost;
  await duration(OUTAGE_MS); // the outage itself, not a wait to be sure
  tunnel.relay.refuse(false);
}

async function cutOff({ server, relay }: HttpTunnel): Promise<void> {
  const lost = server.log.waitForNext('client-disconnected');
  relay.refuse();
  relay.resetAll();
  await lost;
}

/** Of each link so far: whether the session went on. */
function linksOf({ client }: HttpTunnel): readonly string[] {
  return client.log.all('ready').map(({ event }) => (event.resumed ? 'resumed' : 'new'));
}

describe.concurrent('while the link is away', () => {
  test('an upload waits, and loses nothing', { timeout: TIMEOUT_MS }, async () => {
    await using service = await startHttp((incoming, response) => {
      const checker = new PatternChecker(1);
      incoming.on('data', (part: Buffer) => checker.update(part));
      incoming.on('end', () => response.end(`${checker.offset} ${checker.problem ?? 'right'}`));
    });
    await using tunnel = await startHttpTunnel(service.port);
    const back = breakAfter(tunnel, 'to-client', TRANSFER_BYTES / 3);
    const headers = { 'Content-Length': TRANSFER_BYTES };
    const uploaded = fetchWhole(tunnel, { method: 'POST', headers }, patternStream(1, TRANSFER_BYTES));
    const [{ status, body }] = await Promise.all([uploaded, back]);
    expect([status, body.toString()]).toEqual([200, `${TRANSFER_BYTES} right`]);
    expect(linksOf(tunnel)).toEqual(['new', 'resumed']);
  });

  test('a download waits, and loses nothing', { timeout: TIMEOUT_MS }, async () => {
    await using service = await startHttp((_request, response) => {
      response.writeHead(200, { 'Content-Length': TRANSFER_BYTES });
      patternStream(2, TRANSFER_BYTES).pipe(response);
    });
    await using tunnel = await startHttpTunnel(service.port);
    const back = breakAfter(tunnel, 'to-target', TRANSFER_BYTES / 3);
    const answer = await begin(tunnel, {});
    const checker = new PatternChecker(2);
    for await (const part of answer) checker.update(part as Buffer);
    await back;
    checker.expectEnd(TRANSFER_BYTES);
    expect(linksOf(tunnel)).toEqual(['new', 'resumed']);
  });

  test('server-sent events wait, and all of them come', { timeout: TIMEOUT_MS }, async () => {
    await using service = await startHttp((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      let event = 0;
      const timer = setInterval(() => {
        response.write(`data: ${event}\n\n`);
        event += 1;
        if (event < MESSAGES) return;
        clearInterval(timer);
        response.end();
      }, INTERVAL_MS);
      response.on('close', () => clearInterval(timer));
    });
    await using tunnel = await startHttpTunnel(service.port);
    const back = breakAfter(tunnel, 'to-target', 500);
    const { body } = await fetchWhole(tunnel, {});
    await back;
    expect(body.toString()).toBe(Array.from({ length: MESSAGES }, (_, event) => `data: ${event}\n\n`).join(''));
    expect(linksOf(tunnel)).toEqual(['new', 'resumed']);
  });

  test('a WebSocket conversation waits, and all that was said comes', { timeout: TIMEOUT_MS }, async () => {
    const server = createServer();
    await using service = await TcpService.start(server, {});
    const heard: string[] = [];
    new WebSocketServer({ server }).on('connection', (webSocket) => {
      webSocket.on('error', () => {});
      webSocket.on('message', (data) => {
        heard.push((data as Buffer).toString());
        webSocket.send(`answer to ${heard.at(-1)}`);
      });
    });
    await using tunnel = await startHttpTunnel(service.port);
    const webSocket = new WebSocket(`ws://127.0.0.1:${tunnel.port}/`, { headers: { Host: TUNNEL_HOST } });
    using _visitor = { [Symbol.dispose]: () => webSocket.terminate() };
    await once(webSocket, 'open');
    const answers: string[] = [];
    const condition = new Condition(() => `${answers.length} answers`);
    webSocket.on('message', (data: RawData) => {
      answers.push((data as Buffer).toString());
      condition.changed();
    });
    const back = breakAfter(tunnel, 'to-client', 500);
    const said = Array.from({ length: MESSAGES }, (_, index) => `message ${index}`);
    for (const message of said) {
      webSocket.send(message);
      await duration(INTERVAL_MS); // the pace of the conversation
    }
    await back;
    await condition.until('all answers', () => answers.length === MESSAGES, 20_000);
    expect(heard).toEqual(said);
    expect(answers).toEqual(said.map((message) => `answer to ${message}`));
    webSocket.close(1000);
    const [code] = (await once(webSocket, 'close')) as [number];
    expect(code).toBe(1000);
    expect(linksOf(tunnel)).toEqual(['new', 'resumed']);
  });

  test('requests wait for it, also those with a body', async () => {
    const got: string[] = [];
    await using service = await startHttp((incoming, response) => {
      got.push(`${incoming.method} ${incoming.url}`);
      const hash = createHash('sha256');
      incoming.on('data', (part: Buffer) => hash.update(part));
      incoming.on('end', () => response.end(hash.digest('hex')));
    });
    await using tunnel = await startHttpTunnel(service.port);
    await cutOff(tunnel);
    const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    const body = patternBytes(3, 0, MiB);
    const requests = [
      fetchWhole(tunnel, { path: '/get' }),
      fetchWhole(tunnel, { path: '/post', method: 'POST' }, patternStream(3, MiB)),
      fetchWhole(tunnel, { path: '/head', method: 'HEAD' }),
    ];
    const first = await Promise.race([...requests, duration(1_000, 'nobody was answered')]); // a part of the outage
    expect(first).toBe('nobody was answered');
    expect(got).toEqual([]);
    tunnel.relay.refuse(false);
    const [get, post, head] = await Promise.all(requests);
    expect([get?.status, get?.body.toString()]).toEqual([200, sha256(Buffer.alloc(0))]);
    expect([post?.status, post?.body.toString()]).toEqual([200, sha256(body)]);
    expect([head?.status, head?.body.length]).toEqual([200, 0]);
    expect(got.toSorted()).toEqual(['GET /get', 'HEAD /head', 'POST /post']);
  });

  test.each(['ends', 'resets'] as const)('a kept connection that the service %s costs no request', async (how) => {
    const server = createServer((_request, response) => response.end('here'));
    await using service = await TcpService.start(server, {});
    await using tunnel = await startHttpTunnel(service.port);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    using _connection = { [Symbol.dispose]: () => agent.destroy() };
    await fetchWhole(tunnel, { agent });
    await cutOff(tunnel);
    if (how === 'ends') server.closeAllConnections();
    else service.resetAll();
    const answer = fetchWhole(tunnel, { agent });
    tunnel.relay.refuse(false);
    const { status, headers, body } = await answer;
    expect([status, headers['tunnel-error'], body.toString()]).toEqual([200, undefined, 'here']);
    expect(service.connectionCount).toBe(2);
  });

  test('requests that wait for a session whose time is over are told to come again', async () => {
    await using service = await startHttp((_request, response) => response.end('here'));
    await using tunnel = await startHttpTunnel(service.port, { resumeWindowMs: 1_000 });
    await cutOff(tunnel);
    const { status, headers } = await fetchWhole(tunnel, {});
    expect(status).toBe(503);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(headers['tunnel-error']).toBeDefined();
    tunnel.relay.refuse(false);
    await tunnel.client.log.waitForNext('ready');
    expect((await fetchWhole(tunnel, {})).body.toString()).toBe('here');
  });

  // The time itself is the lobby's, whose own tests need not wait for it.
  test.runIf(isFull)('requests that wait too long are told to come again', { timeout: 60_000 }, async () => {
    await using service = await startHttp((_request, response) => response.end('here'));
    await using tunnel = await startHttpTunnel(service.port);
    await cutOff(tunnel);
    const beganMs = performance.now();
    const { status, headers } = await fetchWhole(tunnel, {});
    expect(performance.now() - beganMs).toBeGreaterThan(PATIENCE_MS - 100);
    expect(performance.now() - beganMs).toBeLessThan(PATIENCE_MS + 2_000);
    expect(status).toBe(503);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  });

  test.each([
    { connections: 6, loaded: 0 },
    { connections: 6, loaded: 30 },
    { connections: ASSETS, loaded: 0 },
  ])(
    `a page of ${ASSETS} assets loses none, over $connections connections, $loaded loaded before`,
    { timeout: TIMEOUT_MS },
    async ({ connections, loaded }) => {
      const bytesOf = (asset: number): Buffer => patternBytes(5, 1_009 * asset, 1_000 + 997 * (asset % 37));
      await using service = await startHttp((incoming, response) =>
        response.end(bytesOf(Number(incoming.url?.slice(1)))),
      );
      await using tunnel = await startHttpTunnel(service.port);
      const agent = new Agent({ keepAlive: true, maxSockets: connections });
      using _connections = { [Symbol.dispose]: () => agent.destroy() };
      let loadedCount = 0;
      const condition = new Condition(() => `${loadedCount} were loaded`);
      const load = async (asset: number): Promise<Answer> => {
        const answer = await fetchWhole(tunnel, { path: `/${asset}`, agent });
        loadedCount += 1;
        condition.changed();
        return answer;
      };
      const page = (): Promise<readonly Answer[]> =>
        Promise.all(Array.from({ length: ASSETS }, (_, asset) => load(asset)));
      await page();
      loadedCount = 0;
      if (loaded === 0) await cutOff(tunnel);
      const reloaded = page();
      if (loaded > 0) {
        await condition.until('the first assets', () => loadedCount >= loaded);
        await cutOff(tunnel);
      }
      await duration(Math.min(OUTAGE_MS, PATIENCE_MS / 2)); // the outage itself, not a wait to be sure
      expect(loadedCount).toBeLessThan(ASSETS);
      tunnel.relay.refuse(false);
      for (const [asset, { status, headers, body }] of (await reloaded).entries()) {
        expect([status, headers['tunnel-error']]).toEqual([200, undefined]);
        expect(body.equals(bytesOf(asset))).toBe(true);
      }
      expect(linksOf(tunnel)).toEqual(['new', 'resumed']);
    },
  );
});

test.runIf(isFull)('an upload of ten minutes at 2 MB/s passes', { timeout: 700_000 }, async () => {
  await using service = await startHttp((incoming, response) => {
    let bytes = 0;
    incoming.on('data', (part: Buffer) => (bytes += part.length));
    incoming.on('end', () => response.end(String(bytes)));
  });
  await using tunnel = await startHttpTunnel(service.port);
  const sent = request({ host: '127.0.0.1', port: tunnel.port, method: 'POST', headers: { Host: TUNNEL_HOST } });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  const part = patternBytes(4, 0, 200_000);
  const beganMs = performance.now();
  for (let tenth = 1; tenth <= 6_000; tenth += 1) {
    if (!sent.write(part)) await once(sent, 'drain');
    await duration(Math.max(0, beganMs + tenth * 100 - performance.now())); // the pace of the upload
  }
  sent.end();
  const [answer] = await answered;
  let body = '';
  for await (const text of answer) body += String(text);
  expect([answer.statusCode, body]).toEqual([200, String(6_000 * part.length)]);
});
