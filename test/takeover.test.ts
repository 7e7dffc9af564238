import { connect } from 'node:net';
import type { Lease, LeaseStore } from '@tunnel/server';
import { randomBytes } from '@tunnel/shared/node';
import { expect, test, vi } from 'vitest';
import { connectByHand, portOf, tunnelRequest } from './support/hand-driven.ts';
import { cutOff, startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { answerTo } from './support/visitor.ts';

/** Leases that outlive a server of the test. */
function memoryLeases(): LeaseStore {
  let leases: readonly Lease[] | undefined;
  return {
    read: async () => ({ value: leases }),
    write: async (value) => {
      leases = value;
    },
  };
}

function asking(
  targetPort: number,
  port: number,
): { readonly tunnels: [{ target: { host: string; port: number }; port: number }] } {
  return { tunnels: [{ target: { host: '127.0.0.1', port: targetPort }, port }] };
}

test('a client that was killed gets its port back at once, though the server still keeps its session', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const identity = randomBytes(32);
  await using first = await startClient(relay.port, [service.port], { identity });
  const port = first.ports[0]!;
  await cutOff(server, relay);
  await using second = await startClient(server.port, [service.port], { identity, ...asking(service.port, port) });
  expect(second.ports).toEqual([port]);
  expect(await answerTo(port, 'hello')).toBe('hello');
});

test('a zombie whose link went silent gives the port up after a second', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const identity = randomBytes(32);
  await using first = await startClient(relay.port, [service.port], { identity });
  const port = first.ports[0]!;
  relay.silence({ future: true });
  const began = performance.now();
  await using second = await startClient(server.port, [service.port], { identity, ...asking(service.port, port) });
  expect(second.ports).toEqual([port]);
  expect(performance.now() - began).toBeLessThan(4_000);
  expect(await answerTo(port, 'hello')).toBe('hello');
});

test('a second live process is refused', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  const identity = randomBytes(32);
  await using first = await startClient(server.port, [service.port], { identity });
  const port = first.ports[0]!;
  const options = { identity, ...asking(service.port, port), waitsForReady: false };
  await using second = await startClient(server.port, [service.port], options);
  expect(await second.next('stopped')).toMatchObject({ code: 'port-in-use', exitCode: 5 });
  expect(await answerTo(port, 'still here')).toBe('still here');
});

test('a second live process that asks for any port gets another one', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  const identity = randomBytes(32);
  await using first = await startClient(server.port, [service.port], { identity });
  await using second = await startClient(server.port, [service.port], { identity });
  expect(second.ports[0]).not.toBe(first.ports[0]);
  expect(await answerTo(first.ports[0]!, 'one')).toBe('one');
  expect(await answerTo(second.ports[0]!, 'two')).toBe('two');
});

test('another client never gets a port whose session lives', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using first = await startClient(relay.port, [service.port]);
  await cutOff(server, relay);
  const options = { ...asking(service.port, first.ports[0]!), waitsForReady: false };
  await using stranger = await startClient(server.port, [service.port], options);
  expect(await stranger.next('stopped')).toMatchObject({ code: 'port-in-use', exitCode: 5 });
});

test('a lease brings a client back to its port after both were started anew', async () => {
  await using service = await startEcho();
  const leases = memoryLeases();
  const identity = randomBytes(32);
  let port: number | undefined;
  for (let round = 0; round < 3; round += 1) {
    await using server = await startServer({ leases });
    await using client = await startClient(server.port, [service.port], { identity });
    port ??= client.ports[0];
    expect(client.ports[0]).toBe(port);
  }
});

test('a leased port is kept for its client for one resume window after a server start, and no longer', async () => {
  await using service = await startEcho();
  const leases = memoryLeases();
  let port = 0;
  {
    await using server = await startServer({ leases });
    await using client = await startClient(server.port, [service.port]);
    port = client.ports[0]!;
  }
  {
    await using server = await startServer({ leases, resumeWindowMs: 60_000 });
    await using stranger = await startClient(server.port, [], { ...asking(service.port, port), waitsForReady: false });
    expect(await stranger.next('stopped')).toMatchObject({ code: 'port-in-use' });
  }
  await using server = await startServer({ leases, resumeWindowMs: 0 });
  await using stranger = await startClient(server.port, [], asking(service.port, port));
  expect(stranger.ports).toEqual([port]);
});

test('who asks for any port gets no leased one within that window either, and one behind it', async () => {
  await using service = await startEcho();
  const leases = memoryLeases();
  const identity = randomBytes(32);
  const first = await startServer({ leases });
  const owner = await startClient(first.port, [service.port], { identity });
  const { port } = owner;
  await owner[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  const onlyThat = { leases, minPort: port, maxPort: port };
  {
    await using server = await startServer(onlyThat);
    await using stranger = await startClient(server.port, [service.port], { waitsForReady: false });
    expect(await stranger.next('retrying')).toMatchObject({ code: 'port-unavailable' });
    await using back = await startClient(server.port, [service.port], { identity });
    expect(back.port).toBe(port);
  }
  await using server = await startServer({ ...onlyThat, resumeWindowMs: 500 });
  await using stranger = await startClient(server.port, [service.port], { waitsForReady: false });
  expect(await stranger.next('retrying')).toMatchObject({ code: 'port-unavailable' });
  await stranger.next('ready');
  expect(stranger.port).toBe(port);
});

test('a lease does not grow old while its tunnel is open', async () => {
  const timers = vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  try {
    const leases = memoryLeases();
    await using server = await startServer({ leases });
    await using link = await connectByHand(server.port);
    link.send(tunnelRequest(1));
    const port = portOf(await link.waitFor('tunnel-granted'));
    timers.advanceTimersByTime(31 * 24 * 60 * 60 * 1000);
    const refreshed = { name: `port/${port}`, usedAt: Date.now() };
    await expect.poll(async () => (await leases.read()).value).toMatchObject([refreshed]);
    server.server.abort();
    expect(timers.getTimerCount()).toBe(0);
  } finally {
    timers.useRealTimers();
  }
});

test('a server that stops says when to come back, lets a visitor finish, and the client returns to the same port', async () => {
  await using service = await startEcho();
  const identity = randomBytes(32);
  const first = await startServer({ identity, drainTimeoutMs: 5_000 });
  await using client = await startClient(first.port, [service.port]);
  const port = client.ports[0]!;
  const visitor = connect(port, '127.0.0.1');
  visitor.write('before');
  await new Promise((resolve) => visitor.once('data', resolve));
  const stopping = first.server.stop();
  visitor.write('while it drains');
  const answer = await new Promise<Buffer>((resolve) => visitor.once('data', resolve));
  expect(answer.toString()).toBe('while it drains');
  const retrying = client.next('retrying');
  visitor.end();
  await stopping;
  const { code, delayMs } = await retrying;
  expect(code).toBe('server-stopped');
  expect(delayMs).toBeGreaterThanOrEqual(1_000);
  await using _second = await startServer({ identity, port: first.port });
  const ready = await client.next('ready');
  expect(ready.tunnels[0]!.port).toBe(port);
  expect(ready).toMatchObject({ resumed: false, lostStreams: 0 });
});
