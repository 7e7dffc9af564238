// What a client of the library tells of itself.
import { createServer } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { visit } from './support/visitor.ts';

test('over a life with a refused attempt, a break that a connection survives, and one that it does not', async () => {
  await using service = await startEcho();
  await using server = await startServer({ resumeWindowMs: 60_000 });
  await using relay = await startRelay({ targetPort: server.port });
  relay.refuse();
  const target = { host: '127.0.0.1', port: service.port };
  await using running = await startClient(relay.port, [service.port], { waitsForReady: false });
  const { client, log } = running;
  const started = client.status();
  expect(started).toMatchObject({
    server: `ws://127.0.0.1:${relay.port}`,
    tunnels: [{ target, url: undefined, port: undefined, isOpen: false }],
    roundTripMs: undefined,
    lastError: undefined,
    nextAttempt: undefined,
  });
  const { event: failure } = await log.waitFor('retrying');
  // The wait begins right behind the event.
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = client.status();
  expect(waiting).toMatchObject({
    state: 'waiting',
    since: started.since,
    lastError: { code: failure.code, reason: failure.reason },
    nextAttempt: { attempt: 1 },
  });
  expect(waiting.nextAttempt?.inMs).toBeLessThanOrEqual(failure.delayMs);

  relay.refuse(false);
  client.retryNow();
  await log.waitFor('ready');
  const [port = 0] = running.ports;
  const tunnels = [{ target, url: `tcp://127.0.0.1:${port}`, port, isOpen: true }];
  const counted = { bytesIn: 0, bytesOut: 0, reconnects: 0, resumedStreams: 0, lostStreams: 0 };
  expect(client.status()).toMatchObject({ state: 'ready', tunnels, nextAttempt: undefined, streams: 0, ...counted });
  expect(client.status().lastError).toEqual(waiting.lastError);
  expect(Date.parse(client.status().since)).toBeGreaterThanOrEqual(Date.parse(started.since));

  await using visitor = await visit(port);
  visitor.socket.write('12345');
  await visitor.waitForBytes(5);
  expect(client.status()).toMatchObject({ streams: 1, bytesIn: 5, bytesOut: 5, roundTripMs: expect.any(Number) });
  relay.resetAll();
  await log.waitForNext('ready');
  visitor.socket.write('678');
  await visitor.waitForBytes(8);
  const resumed = { streams: 1, bytesIn: 8, bytesOut: 8, reconnects: 1, resumedStreams: 1, lostStreams: 0 };
  expect(client.status()).toMatchObject({ state: 'ready', ...resumed });

  server.server.abort();
  await log.waitForNext('retrying');
  await using again = await startServer({ identity: server.identity });
  relay.retarget(again.port);
  await log.waitForNext('ready');
  // What was carried in a session counts when that is gone.
  const lost = { streams: 0, bytesIn: 8, bytesOut: 8, reconnects: 2, resumedStreams: 1, lostStreams: 1 };
  expect(client.status()).toMatchObject({ state: 'ready', ...lost });
  client.abort();
  expect(client.status()).toMatchObject({ state: 'stopped', streams: 0, roundTripMs: undefined, lostStreams: 1 });
});

test('a tunnel that is refused for now is waited for, and is asked for at once on request', async () => {
  const identity = randomBytes(32);
  await using service = await startEcho();
  const first = await startServer({ identity });
  await using running = await startClient(first.port, [service.port], { maxReconnectDelayMs: 60_000 });
  const { client, log, port } = running;
  first.server.abort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  await using _second = await startServer({ identity, port: first.port });
  client.retryNow();
  const isRefused = ({ code }: { readonly code: string }): boolean => code === 'port-in-use';
  await log.waitFor('retrying', (event) => isRefused(event) && event.delayMs > 2_000, 20_000);
  const { nextAttempt, ...status } = client.status();
  expect(status).toMatchObject({
    state: 'waiting',
    tunnels: [{ port, isOpen: false }],
    lastError: { code: 'port-in-use' },
  });
  expect(status.roundTripMs).toBeDefined();
  expect(nextAttempt?.inMs).toBeGreaterThan(1_000);
  other.close();
  await once(other, 'close');
  client.retryNow();
  await log.waitForNext('ready');
  expect(Date.now()).toBeLessThan(Date.parse(nextAttempt?.at ?? ''));
  expect(client.status()).toMatchObject({ state: 'ready', tunnels: [{ port, isOpen: true }], nextAttempt: undefined });
});
