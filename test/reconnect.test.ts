// Servers that go and come back, and clients that are told not to wait for them.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { randomBytes } from '@tunnel/shared/node';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { httpReply, startRelay } from './support/relay.ts';
import { startEcho, startSource } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startClientProcess, startServerProcess } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

/** What timers, two handshakes and busy cores may add, in ms. */
const ALLOWANCE_MS = 1_000;

const CAP_MS = 500;

async function echoThrough(port: number, message: string): Promise<void> {
  await using visitor = await visit(port);
  visitor.socket.write(message);
  await visitor.waitForBytes(message.length);
}

describe('a server that comes back', () => {
  test('has its client again within one backoff step, on the same public port', async () => {
    await expectNothingLeftOpen(async () => {
      const identity = randomBytes(32);
      await using service = await startEcho();
      const first = await startServer({ identity });
      await using client = await startClient(first.port, [service.port], { maxReconnectDelayMs: CAP_MS });
      const { port } = client;
      await using visitor = await visit(port);
      visitor.socket.write('before');
      await visitor.waitForBytes(6);
      first.server.abort();
      // Its session was in that server's memory.
      expect(await visitor.waitForEnding()).toBe('ECONNRESET');
      await client.log.waitFor('retrying', ({ attempt }) => attempt >= 4);
      const ready = client.log.waitForNext('ready');
      await using second = await startServer({ identity, port: first.port });
      const beganMs = performance.now();
      const { event, atMs } = await ready;
      expect(atMs - beganMs).toBeLessThan(CAP_MS + ALLOWANCE_MS);
      expect(event).toMatchObject({ resumed: false, tunnels: [{ port }] });
      await echoThrough(port, 'after');
      expect(second.log.all('client-refused').every(({ event: { code } }) => code === 'session-unknown')).toBe(true);
    });
  });

  test('after it was killed in the middle of everything', async () => {
    await using home = await temporaryDirectory();
    await using service = await startEcho();
    const cap = ['--max-reconnect-delay', `${CAP_MS}ms`];
    const { server: first, port: controlPort } = await startServerProcess(['--port', '0'], { home: home.path });
    await using client = await startClientProcess(controlPort, service.port, cap);
    try {
      const port = publicPortOf(await client.waitForEvent('ready'));
      first.kill('SIGKILL');
      await first.exit;
      await client.waitForNextEvent('retrying', ({ attempt }) => Number(attempt) >= 3);
      const ready = client.waitForNextEvent('ready');
      const { server: second } = await startServerProcess(['--port', String(controlPort)], { home: home.path });
      await using _second = second;
      const listening = second.events.find(({ event }) => event === 'listening');
      const event = await ready;
      expect(publicPortOf(event)).toBe(port);
      expect(Date.parse(event.time) - Date.parse(listening?.time ?? '')).toBeLessThan(CAP_MS + ALLOWANCE_MS);
      await echoThrough(port, 'after');
    } finally {
      await first[Symbol.asyncDispose]();
    }
  });

  test('under another key is not taken for the one that it was', async () => {
    await using service = await startEcho();
    const identity = randomBytes(32);
    const first = await startServer({ identity });
    await using client = await startClient(first.port, [service.port], { maxReconnectDelayMs: 100 });
    first.server.abort();
    const stranger = await startServer({ port: first.port });
    await client.log.waitFor('retrying', ({ code }) => code === 'server-key-changed');
    stranger.server.abort();
    await using _again = await startServer({ identity, port: first.port });
    await client.log.waitForNext('ready');
    expect(stranger.log.all('client-connected')).toEqual([]);
  });
});

describe.concurrent('without reconnecting', () => {
  test('a client ends with 0 once its link is gone', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClientProcess(relay.port, service.port, ['--no-reconnect']);
    const port = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(port);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    relay.resetAll();
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
    expect(client.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 0 });
    expect(client.events.map(({ event }) => event)).not.toContain('retrying');
    expect(relay.connectionCount).toBe(1);
  });

  test.each([
    { name: 'when the server ends', code: 0, secret: undefined, answer: undefined, ends: true },
    { name: 'when there is none', code: 4, secret: undefined, answer: 503, ends: false },
    { name: 'when the secret is wrong', code: 3, secret: 'another secret', answer: undefined, ends: false },
  ])('a client ends with $code $name', async ({ code, secret, answer, ends }) => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    if (answer !== undefined) relay.answerWith(httpReply(answer));
    const options = { reconnect: false, waitsForReady: false, ...(secret !== undefined && { secret }) };
    await using client = await startClient(relay.port, [service.port], options);
    if (ends) {
      await client.log.waitFor('ready');
      server.server.abort();
    }
    expect((await client.log.waitFor('stopped')).event.exitCode).toBe(code);
    expect(client.log.all('retrying')).toEqual([]);
    expect(relay.connectionCount).toBe(1);
  });

  test('visitors see a reset, not an end', async () => {
    await using service = await startSource(64 * 1024 * 1024);
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    relay.throttle(8 * 1024 * 1024);
    await using client = await startClient(relay.port, [service.port], { reconnect: false });
    await using visitor = await visit(client.port);
    await visitor.waitForBytes(1024 * 1024);
    relay.resetAll();
    await client.log.waitFor('stopped');
    // What is on its way to the visitor: libuv takes a reset right behind data for an end.
    await delay(300);
    server.server.abort();
    expect(await visitor.waitForEnding()).toBe('ECONNRESET');
  });
});

describe.concurrent('ports', () => {
  test('several targets of one client have one each, also over a break', async () => {
    await using first = await startSource(100_000, 1);
    await using second = await startSource(200_000, 2);
    await using third = await startSource(300_000, 3);
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(
      relay.port,
      [first, second, third].map(({ port }) => port),
    );
    const ports = [...client.ports];
    expect(new Set(ports).size).toBe(3);
    const ready = client.log.waitForNext('ready');
    for (const round of ['before', 'after']) {
      await Promise.all(
        ports.map(async (port, index) => {
          await using visitor = await visit(port, { seed: index + 1 });
          expect([round, await visitor.waitForEnding()]).toEqual([round, 'end']);
          visitor.checker?.expectEnd((index + 1) * 100_000);
        }),
      );
      if (round === 'before') relay.resetAll();
      await ready;
      expect(client.ports).toEqual(ports);
    }
  });

  test('one that was asked for is given', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    const identity = randomBytes(32);
    const target = { host: '127.0.0.1', port: service.port };
    // A port that was free a moment ago.
    const before = await startClient(server.port, [service.port], { identity });
    const { port } = before;
    await before.client.stop();
    await using client = await startClient(server.port, [], { identity, tunnels: [{ target, port }] });
    expect(client.port).toBe(port);
    await echoThrough(port, 'hello');
  });

  test('one that is not allowed ends the client with 5', async () => {
    await using server = await startServer({ minPort: 20_000, maxPort: 20_010 });
    const tunnels = [{ target: { host: '127.0.0.1', port: 9 }, port: 19_999 }];
    await using client = await startClient(server.port, [], { tunnels, waitsForReady: false });
    expect((await client.log.waitFor('stopped')).event).toMatchObject({ code: 'port-not-allowed', exitCode: 5 });
    expect(client.log.names).toEqual(['stopped']);
  });

  test('one that another program has ends the client with 5 at its start', async () => {
    const holder = createServer();
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
    try {
      const { port } = holder.address() as AddressInfo;
      await using server = await startServer();
      await using client = await startClientProcess(server.port, 9, ['--port', String(port)]);
      expect(await client.waitForExit()).toEqual({ code: 5, signal: null });
      expect(client.events.at(-1)).toMatchObject({ event: 'stopped', code: 'port-in-use', exitCode: 5 });
      expect(client.logs.at(-1)).toMatchObject({
        code: 'port-in-use',
        hint: 'ask for another port, or leave out --port to get a free one',
      });
    } finally {
      holder.close();
    }
  });

  test('one that another program took meanwhile is waited for', async () => {
    await using service = await startEcho();
    const identity = randomBytes(32);
    const first = await startServer({ identity });
    await using client = await startClient(first.port, [service.port], { maxReconnectDelayMs: 100 });
    const { port } = client;
    first.server.abort();
    const holder = createServer();
    holder.listen(port, '127.0.0.1');
    await once(holder, 'listening');
    await using _second = await startServer({ identity, port: first.port });
    const { event: retrying } = await client.log.waitFor('retrying', ({ code }) => code === 'port-in-use');
    expect(retrying.hint).toEqual({ id: 'port-awaited' });
    holder.close();
    const { event } = await client.log.waitForNext('ready');
    expect(event.tunnels[0]?.port).toBe(port);
    await echoThrough(port, 'after');
    expect(client.log.all('stopped')).toEqual([]);
  });
});
