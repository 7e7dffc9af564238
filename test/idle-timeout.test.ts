// --idle-timeout: visitors' connections on which nothing moves.
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { startTunnelProcesses } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

const IDLE_MS = 1_000;

test('resets a visitor who is silent, and none who speaks, until it is silent, too', async () => {
  await using service = await startEcho();
  await using tunnel = await startTunnelProcesses(service.port, [], ['--idle-timeout', `${IDLE_MS}ms`]);
  await using silent = await visit(tunnel.port);
  await using talker = await visit(tunnel.port);
  silent.socket.write('hello');
  await silent.waitForBytes(5);
  const begin = performance.now();
  let bytes = 0;
  while (silent.ending === undefined) {
    talker.socket.write('x');
    bytes += 1;
    await talker.waitForBytes(bytes);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 20));
  }
  expect(silent.ending).toBe('ECONNRESET');
  expect(performance.now() - begin).toBeGreaterThan(IDLE_MS * 0.9);
  expect(talker.ending).toBeUndefined();
  expect(bytes).toBeGreaterThan(1);
  expect(await talker.waitForEnding()).toBe('ECONNRESET');
  await service.waitForOpenConnections(0);
  await tunnel.client.waitForStderr(/visitor reset by --idle-timeout/);
  expect(tunnel.client.events.map(({ event }) => event)).toEqual(['ready']);
});

test('does not count time without a link', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const tunnels = [{ target: { host: '127.0.0.1', port: service.port }, idleTimeoutMs: IDLE_MS }];
  await using client = await startClient(relay.port, [], { tunnels });
  // A client that keeps its link shows how long it takes.
  await using steadyClient = await startClient(server.port, [], { tunnels });
  await using visitor = await visit(client.port);
  visitor.socket.write('hello');
  await visitor.waitForBytes(5);
  const lost = client.next('disconnected');
  relay.refuse();
  relay.resetAll();
  await lost;
  for (let count = 0; count < 2; count += 1) {
    await using steady = await visit(steadyClient.port);
    expect(await steady.waitForEnding()).toBe('ECONNRESET');
  }
  expect(visitor.ending).toBeUndefined();
  const ready = client.next('ready');
  relay.refuse(false);
  expect(await ready).toMatchObject({ resumed: true });
  visitor.socket.write('still');
  await visitor.waitForBytes(10);
  // From here on it counts again.
  expect(await visitor.waitForEnding()).toBe('ECONNRESET');
});
