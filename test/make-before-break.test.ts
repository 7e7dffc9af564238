import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';

test('a worn link is replaced without a word: visitors and watchers notice nothing', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  const heartbeat = { intervalMs: 50, timeoutMs: 5_000 };
  await using client = await startClient(server.port, [service.port], { linkLifeMs: 300, heartbeat });
  let told = 0;
  for (const name of ['ready', 'disconnected', 'retrying'] as const) client.client.on(name, () => (told += 1));
  const resumed: unknown[] = [];
  server.server.on('client-resumed', (event) => resumed.push(event));
  const visitor = connect(client.ports[0]!, '127.0.0.1');
  for (let count = 0; resumed.length < 3; count += 1) {
    const message = `message ${count}`;
    visitor.write(message);
    const answer = await new Promise<Buffer>((resolve) => visitor.once('data', resolve));
    expect(answer.toString()).toBe(message);
  }
  visitor.destroy();
  expect(told).toBe(0);
});

test('a link that is late is replaced before it is given up', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const heartbeat = { intervalMs: 500, timeoutMs: 4_000 };
  await using client = await startClient(relay.port, [service.port], { heartbeat });
  const disconnected = client.next('disconnected');
  const ready = client.next('ready');
  let retries = 0;
  client.client.on('retrying', () => (retries += 1));
  const began = performance.now();
  relay.silence();
  expect(await disconnected).toMatchObject({ code: 'heartbeat-timeout' });
  expect(await ready).toMatchObject({ resumed: true });
  expect(performance.now() - began).toBeLessThan(4_000);
  expect(retries).toBe(0);
});

test('a late link that shows life again is kept', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const heartbeat = { intervalMs: 500, timeoutMs: 4_000 };
  await using client = await startClient(relay.port, [service.port], { heartbeat });
  let told = 0;
  for (const name of ['ready', 'disconnected', 'retrying'] as const) client.client.on(name, () => (told += 1));
  relay.silence();
  // The next link is under way, and gets no answer to its upgrade either.
  relay.delay(1_000, { connections: 'future' });
  await relay.waitForConnection(2);
  relay.unsilence();
  const visitor = connect(client.ports[0]!, '127.0.0.1');
  visitor.write('hello');
  await new Promise((resolve) => visitor.once('data', resolve));
  await relay.waitForOpenConnections(1);
  visitor.destroy();
  expect(told).toBe(0);
});

test('with the client the dial for the next link ends, too', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const heartbeat = { intervalMs: 500, timeoutMs: 4_000 };
  let toldLater = 0;
  await expectNothingLeftOpen(async () => {
    await using client = await startClient(relay.port, [service.port], { heartbeat, connectTimeoutMs: 30_000 });
    client.client.on('stopped', () => client.client.on('attempt', () => (toldLater += 1)));
    relay.silence();
    await relay.waitForConnection(2);
    client.client.abort();
  });
  expect(toldLater).toBe(0);
});
