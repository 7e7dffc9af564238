// A link on which nothing moves any more, and nobody says so: a cable pulled, a forgotten NAT entry, a stopped process.
import { createHash } from 'node:crypto';
import { setTimeout as duration } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { patternBytes, startEcho, startSink, startSource } from './support/services.ts';
import { publicPortOf, startTunnelProcesses } from './support/tunnel-processes.ts';
import { visit, type Visitor } from './support/visitor.ts';

const MiB = 1024 * 1024;

/** What timers and two busy cores may add, in ms. */
const ALLOWANCE_MS = 750;

/** `TUNNEL_TEST_FULL=1`: processes stand still for 20 s, under the default timeout of 8 s. */
const isFull = process.env['TUNNEL_TEST_FULL'] === '1';

async function echoes(visitor: Visitor, message: string, timeoutMs?: number): Promise<void> {
  const before = visitor.receivedBytes;
  visitor.socket.write(message);
  await visitor.waitForBytes(before + message.length, timeoutMs);
}

describe.concurrent('a link that goes silent', () => {
  test.each([
    { timeoutMs: 2_000, intervalMs: 500 },
    { timeoutMs: 8_000, intervalMs: 2_000 },
  ])(
    'is noticed by both sides within $timeoutMs ms',
    async (heartbeat) => {
      await using service = await startEcho();
      await using server = await startServer({ heartbeat });
      await using relay = await startRelay({ targetPort: server.port });
      await using client = await startClient(relay.port, [service.port], { heartbeat });
      const { port } = client;
      await using visitor = await visit(port);
      await echoes(visitor, 'before');
      const beganMs = performance.now();
      relay.silence({ future: true });
      const [atClient, atServer] = await Promise.all([
        client.log.waitFor('disconnected', undefined, 15_000),
        server.log.waitFor('client-disconnected', undefined, 15_000),
      ]);
      for (const { event, atMs } of [atClient, atServer]) {
        expect(event.code).toBe('heartbeat-timeout');
        expect(atMs - beganMs).toBeLessThan(heartbeat.timeoutMs + ALLOWANCE_MS);
        // Not sooner than a peer may be quiet that is well.
        expect(atMs - beganMs).toBeGreaterThan(heartbeat.timeoutMs - heartbeat.intervalMs - ALLOWANCE_MS);
      }
      const ready = client.log.waitForNext('ready', undefined, 15_000);
      relay.unsilence();
      expect((await ready).event).toMatchObject({ resumed: true, tunnels: [{ port }] });
      await echoes(visitor, 'after');
    },
    40_000,
  );

  test.each(['to-target', 'to-client'] as const)('only %s is noticed as well', async (direction) => {
    const heartbeat = { timeoutMs: 2_000, intervalMs: 500 };
    await using service = await startEcho();
    await using server = await startServer({ heartbeat });
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [service.port], { heartbeat });
    await using visitor = await visit(client.port);
    await echoes(visitor, 'before');
    const beganMs = performance.now();
    relay.silence({ direction });
    const { event, atMs } = await client.log.waitForNext('ready');
    expect(event.resumed).toBe(true);
    expect(atMs - beganMs).toBeLessThan(heartbeat.timeoutMs + 250 + ALLOWANCE_MS);
    await echoes(visitor, 'after');
  });

  test('costs a transfer in its middle not a byte, while the old sockets still hang', async () => {
    const bytes = 48 * MiB;
    const heartbeat = { timeoutMs: 2_000, intervalMs: 500 };
    await expectNothingLeftOpen(async () => {
      await using source = await startSource(bytes, 7);
      await using sink = await startSink();
      await using server = await startServer({ heartbeat });
      await using relay = await startRelay({ targetPort: server.port });
      // Slow enough to be in the middle of it when the link goes silent.
      relay.throttle(40 * MiB);
      await using client = await startClient(relay.port, [source.port, sink.port], { heartbeat });
      const ports = [...client.ports];
      await using download = await visit(ports[0]!, { seed: 7 });
      await using upload = await visit(ports[1]!);
      const sent = upload.send(8, bytes);
      await Promise.all([download.waitForBytes(4 * MiB), relay.waitForBytes('to-client', 4 * MiB)]);
      const beganMs = performance.now();
      relay.silence();
      const { event, atMs } = await client.log.waitForNext('ready');
      expect(event).toMatchObject({ resumed: true, lostStreams: 0 });
      expect(client.ports).toEqual(ports);
      // The first wait is 250 ms at most.
      expect(atMs - beganMs).toBeLessThan(heartbeat.timeoutMs + 250 + ALLOWANCE_MS);
      // The client has destroyed its old socket, and the relay knows nothing of that.
      expect(relay.connectionCount).toBe(2);
      expect(relay.openConnectionCount).toBe(2);
      expect(download.receivedBytes).toBeLessThan(bytes);
      expect(await download.waitForEnding(20_000)).toBe('end');
      download.checker?.expectEnd(bytes);
      download.socket.end();
      await sent;
      const received = await sink.waitForReceived(1, 20_000);
      expect(received).toEqual({ bytes, sha256: sha256(8, bytes), ending: 'end' });
      expect(server.log.all('client-resumed')).toHaveLength(1);
    });
  }, 60_000);
});

function sha256(seed: number, bytes: number): string {
  return createHash('sha256')
    .update(patternBytes(seed, 0, bytes))
    .digest('hex');
}

describe.concurrent('a process that stands still', () => {
  const shortTimeout = ['--heartbeat-timeout', '2s', '--heartbeat-interval', '500ms'];

  test('for less than the timeout is not dead', async () => {
    await using service = await startEcho();
    await using processes = await startTunnelProcesses(service.port);
    const { client, server, port } = processes;
    await using visitor = await visit(port);
    await echoes(visitor, 'before');
    client.kill('SIGSTOP');
    const answered = echoes(visitor, 'meanwhile', 20_000);
    await duration(3_000);
    client.kill('SIGCONT');
    await answered;
    await echoes(visitor, 'after');
    expect(client.events.map(({ event }) => event)).toEqual(['ready']);
    expect(server.events.map(({ event }) => event)).not.toContain('client-disconnected');
  });

  test('for longer than the timeout is back soon after it goes on', async () => {
    await using service = await startEcho();
    await using processes = await startTunnelProcesses(service.port, isFull ? [] : shortTimeout);
    const { client, server, port } = processes;
    await using visitor = await visit(port);
    await echoes(visitor, 'before');
    const lost = server.waitForEvent('client-disconnected', undefined, 30_000);
    client.kill('SIGSTOP');
    await duration(isFull ? 20_000 : 5_000);
    // It cannot have been taken for well all the time.
    expect((await lost)['code']).toBe('heartbeat-timeout');
    const ready = client.waitForNextEvent('ready');
    const beganMs = performance.now();
    client.kill('SIGCONT');
    const event = await ready;
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    expect(event['resumed']).toBe(true);
    expect(publicPortOf(event)).toBe(port);
    await echoes(visitor, 'after');
  }, 60_000);

  test('together with its peer is no reason for anything', async () => {
    await using service = await startEcho();
    await using processes = await startTunnelProcesses(service.port, shortTimeout);
    const { client, server, port } = processes;
    await using visitor = await visit(port);
    await echoes(visitor, 'before');
    // As when the machine that both run on sleeps.
    for (const each of [client, server]) each.kill('SIGSTOP');
    await duration(5_000);
    for (const each of [server, client]) each.kill('SIGCONT');
    await echoes(visitor, 'after');
    // Past the deadline that was armed anew.
    await duration(2_500);
    await echoes(visitor, 'and later');
    expect(client.events.map(({ event }) => event)).toEqual(['ready']);
    expect(server.events.map(({ event }) => event)).not.toContain('client-disconnected');
  });
});
