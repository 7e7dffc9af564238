// A server that is about to stop keeps its control port for one thing: sessions that still have visitors.
import { expect, test } from 'vitest';
import { connectByHand, portOf, tunnelRequest } from './support/hand-driven.ts';
import { cutOff, startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho, startSource } from './support/services.ts';
import { visit } from './support/visitor.ts';

const SEED = 7;
const DOWNLOAD_BYTES = 12 * 1024 * 1024;

test('a link that breaks while the server drains costs a running download not one byte', async () => {
  await using service = await startSource(DOWNLOAD_BYTES, SEED);
  await using server = await startServer({ drainTimeoutMs: 60_000 });
  await using relay = await startRelay({ targetPort: server.port });
  relay.throttle(4 * 1024 * 1024, { direction: 'to-target' });
  await using client = await startClient(relay.port, [service.port], { maxReconnectDelayMs: 200 });
  await using visitor = await visit(client.port, { seed: SEED });
  await visitor.waitForBytes(1024 * 1024);

  const stopping = server.server.stop();
  const { port } = server.server;
  for (const breakAt of [3, 6]) {
    await visitor.waitForBytes(breakAt * 1024 * 1024);
    const resumed = server.log.waitForNext('client-resumed');
    relay.resetAll();
    await resumed;
  }
  expect(port).toBe(server.port);
  expect(await visitor.waitForEnding(30_000)).toBe('end');
  visitor.checker?.expectEnd(DOWNLOAD_BYTES);
  visitor.socket.end();
  // The last visitor is gone: nothing is waited for any more.
  await stopping;
  expect((await client.log.waitFor('retrying', ({ code }) => code === 'server-stopped')).event.delayMs).toBeGreaterThan(
    999,
  );
  expect(server.log.all('client-disconnected').map(({ event: { ended } }) => ended)).toEqual([false, false]);
});

test('whoever resumes while the server drains is told again when to come back', async () => {
  await using server = await startServer({ drainTimeoutMs: 60_000 });
  const instance = Buffer.alloc(16, 1);
  const identity = Buffer.alloc(32, 2);
  const first = await connectByHand(server.port, { instance }, { identity });
  const { sessionId, token } = await first.waitFor('accepted');
  first.send(tunnelRequest(1));
  const port = portOf(await first.waitFor('tunnel-granted'));
  await using visitor = await visit(port);
  await first.waitFor('open');
  const stopping = server.server.stop();
  const { graceMs } = await first.waitFor('drain');
  await first[Symbol.asyncDispose]();

  const resume = { sessionId, token, received: 0, next: 2 };
  await using second = await connectByHand(server.port, { instance, linkNumber: 2, resume }, { identity });
  const again = await second.waitFor('drain');
  expect(again.graceMs).toBeLessThanOrEqual(graceMs);
  visitor.socket.resetAndDestroy();
  expect((await second.waitFor('goodbye')).code).toBe('server-stopped');
  await stopping;
});

test('everybody else is told when to come back, on the port that is still open', async () => {
  await using service = await startEcho();
  await using server = await startServer({ drainTimeoutMs: 60_000 });
  await using relay = await startRelay({ targetPort: server.port });
  await using busy = await startClient(server.port, [service.port]);
  await using idle = await startClient(relay.port, [service.port], { maxReconnectDelayMs: 100 });
  await using visitor = await visit(busy.port);
  visitor.socket.write('x');
  await visitor.waitForBytes(1);

  // Its link is gone when the drain begins, and it has no visitors: there is nothing to carry on.
  await cutOff(server, relay);
  const stopping = server.server.stop();
  await using newcomer = await startClient(server.port, [service.port], { waitsForReady: false });
  for (const each of [newcomer, idle]) {
    if (each === idle) relay.refuse(false);
    const { event } = await each.log.waitFor('retrying', ({ code }) => code === 'server-stopped');
    expect(event.delayMs).toBeGreaterThanOrEqual(1_000);
  }
  expect(server.log.all('client-refused').every(({ event }) => event.code === 'server-stopped')).toBe(true);
  expect(visitor.ending).toBeUndefined();
  visitor.socket.end();
  await stopping;
  expect(server.server.port).toBe(0);
});
