// Visitors that do not read, services that do not read, and links that are slow: nobody else pays for them.
import { type DataFrame, MEMORY_BUDGET_BYTES } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import type { TunnelProcess } from './support/command.ts';
import { connectByHand, portOf, tunnelRequest } from './support/hand-driven.ts';
import { memoryOf, memoryProbe } from './support/memory-probe.ts';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startSilent, startSink, startSource } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startClientProcess, startServerProcess } from './support/tunnel-processes.ts';
import { timeDownload, visit } from './support/visitor.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** `TUNNEL_TEST_FULL=1`: the sizes of the acceptance, 1 GiB and 1 MiB at 64 kbit/s. */
const isFull = process.env['TUNNEL_TEST_FULL'] === '1';

const DOWNLOAD_BYTES = isFull ? 1024 * MiB : 256 * MiB;

/** What other visitors carry meanwhile. */
const OTHER_BYTES = 64 * MiB;

/** The largest window that a stream can have; all of it may be held. */
const WINDOW_BYTES = 16 * MiB;
const ALLOWANCE_BYTES = MiB;

/** What the records of a test have for each of two visitors: less than half for the one who stops reading. */
const SLOW_BYTES = 6 * KiB;
const FAST_BYTES = 40 * KiB;

/** Both as commands that tell how much memory they hold, with one tunnel for each target. */
async function withProcesses(
  targetPorts: readonly number[],
  act: (server: TunnelProcess, client: TunnelProcess, ports: readonly number[]) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryDirectory();
  const env = await memoryProbe(folder.path);
  const { server, port } = await startServerProcess(['--port', '0'], { env });
  await using _server = server;
  const [first = 0, ...others] = targetPorts;
  const moreTargets = others.map((each) => `127.0.0.1:${each}`);
  await using client = await startClientProcess(port, first, moreTargets, { env });
  const { tunnels } = await client.waitForEvent('ready');
  await act(
    server,
    client,
    (tunnels as { readonly port: number }[]).map((tunnel) => tunnel.port),
  );
}

const OTHER_SEED = 2;
const timeOfDownload = (port: number): Promise<number> => timeDownload(port, OTHER_SEED, OTHER_BYTES);

describe('a visitor who stops reading', () => {
  test('in the middle costs no more than a window, and the others nothing', { timeout: 180_000 }, async () => {
    await using large = await startSource(DOWNLOAD_BYTES, 1);
    await using small = await startSource(OTHER_BYTES, OTHER_SEED);
    await withProcesses([large.port, small.port], async (server, client, ports) => {
      await timeOfDownload(ports[1]!);
      const aloneMs = Math.min(await timeOfDownload(ports[1]!), await timeOfDownload(ports[1]!));
      const before = { server: await memoryOf(server), client: await memoryOf(client) };
      await using visitor = await visit(ports[0]!, { seed: 1 });
      await visitor.waitForBytes(DOWNLOAD_BYTES / 2, 60_000);
      // While its window fills, records hold other visitors' bytes as well: those must not be held with it.
      const beside = [timeOfDownload(ports[1]!), timeOfDownload(ports[1]!)];
      visitor.socket.pause();
      await Promise.all(beside);
      const besideMs = [
        await timeOfDownload(ports[1]!),
        await timeOfDownload(ports[1]!),
        await timeOfDownload(ports[1]!),
      ];
      const after = { server: await memoryOf(server), client: await memoryOf(client) };
      const serverBytes = after.server.arrayBuffers - before.server.arrayBuffers;
      const clientBytes = after.client.arrayBuffers - before.client.arrayBuffers;
      console.log(
        `${mib(DOWNLOAD_BYTES)} paused: the server holds ${mib(serverBytes)} more, the client ${mib(clientBytes)}; ` +
          `${mib(OTHER_BYTES)} took others ${aloneMs.toFixed(0)} ms before, ${Math.min(...besideMs).toFixed(0)} ms beside it`,
      );
      expect(visitor.receivedBytes).toBeLessThan(DOWNLOAD_BYTES);
      expect(serverBytes).toBeLessThan(WINDOW_BYTES + ALLOWANCE_BYTES);
      // The client holds none of the window: what it sent is acknowledged, what it may not send it does not read.
      expect(clientBytes).toBeLessThan(ALLOWANCE_BYTES);
      // The best of three: what else runs on these cores is not to decide.
      expect(Math.min(...besideMs)).toBeLessThan(aloneMs * 2 + 100);
      visitor.socket.resume();
      expect(await visitor.waitForEnding(60_000)).toBe('end');
      visitor.checker?.expectEnd(DOWNLOAD_BYTES);
    });
  });

  test('does not hold what others got in the same records', { timeout: 60_000 }, async () => {
    await using folder = await temporaryDirectory();
    const env = await memoryProbe(folder.path);
    const { server, port } = await startServerProcess(['--port', '0'], { env });
    await using _server = server;
    // By hand, so that every record has something of both.
    await using link = await connectByHand(port);
    link.send(tunnelRequest(1));
    const tunnel = await link.waitFor('tunnel-granted');
    await using slow = await visit(portOf(tunnel));
    const { streamId: slowId } = await link.waitFor('open');
    await using fast = await visit(portOf(tunnel));
    const { streamId: fastId } = await link.waitFor('open', ({ streamId }) => streamId !== slowId);
    const before = await memoryOf(server);
    const data = (streamId: number, bytes: number): DataFrame => ({
      type: 'data',
      streamId,
      data: new Uint8Array(bytes),
    });
    let slowBytes = 0;
    let fastBytes = 0;
    // Its window grows while it reads, and stays as it is when it stops.
    for (; slowBytes < 64 * MiB; slowBytes += FAST_BYTES) {
      await link.waitForCredit(slowId, slowBytes + FAST_BYTES);
      link.send(data(slowId, FAST_BYTES));
    }
    slow.socket.pause();
    // Until it takes nothing any more while the other one took so many more.
    for (let refused = 0; refused < 1_000;) {
      await link.waitForCredit(fastId, fastBytes + FAST_BYTES);
      const isWilling = link.creditOf(slowId) >= slowBytes + SLOW_BYTES;
      link.send(...(isWilling ? [data(slowId, SLOW_BYTES)] : []), data(fastId, FAST_BYTES));
      refused = isWilling ? 0 : refused + 1;
      fastBytes += FAST_BYTES;
      if (isWilling) slowBytes += SLOW_BYTES;
    }
    await fast.waitForBytes(fastBytes);
    // What was just passed on may need another collection to go.
    let heldBytes = Infinity;
    for (let tries = 0; tries < 5 && heldBytes > WINDOW_BYTES; tries += 1) {
      heldBytes = (await memoryOf(server)).arrayBuffers - before.arrayBuffers;
    }
    console.log(`a slow visitor beside a fast one: the server holds ${mib(heldBytes)}`);
    expect(heldBytes).toBeGreaterThan(256 * KiB);
    expect(heldBytes).toBeLessThan(WINDOW_BYTES + ALLOWANCE_BYTES);
  });

  test('before the first byte costs as little, a hundred times over', { timeout: 60_000 }, async () => {
    await using large = await startSource(DOWNLOAD_BYTES, 1);
    await using small = await startSource(OTHER_BYTES, OTHER_SEED);
    await withProcesses([large.port, small.port], async (server, client, ports) => {
      await timeOfDownload(ports[1]!);
      const before = { server: await memoryOf(server), client: await memoryOf(client) };
      await using visitors = new AsyncDisposables();
      for (let count = 0; count < 100; count += 1) {
        const visitor = await visit(ports[0]!);
        visitor.socket.pause();
        visitors.add(visitor);
      }
      await large.waitForConnection(100);
      await timeOfDownload(ports[1]!);
      const after = { server: await memoryOf(server), client: await memoryOf(client) };
      const serverBytes = after.server.arrayBuffers - before.server.arrayBuffers;
      const clientBytes = after.client.arrayBuffers - before.client.arrayBuffers;
      console.log(
        `100 visitors who never read: the server holds ${mib(serverBytes)} more, the client ${mib(clientBytes)}`,
      );
      // All that waits in a process is bounded, windows included.
      expect(serverBytes).toBeLessThan(MEMORY_BUDGET_BYTES + ALLOWANCE_BYTES);
      // Of each service's connection two chunks may have been read ahead: one by us, one by Node.
      expect(clientBytes).toBeLessThan(100 * 2 * 64 * KiB + ALLOWANCE_BYTES);
    });
  });
});

class AsyncDisposables implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = [];

  add(one: AsyncDisposable): void {
    this.#all.push(one);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#all) await one[Symbol.asyncDispose]();
  }
}

function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(2)} MiB`;
}

test(
  'a service that does not read costs no more than a window, and the others nothing',
  { timeout: 60_000 },
  async () => {
    await using silent = await startSilent();
    await using small = await startSource(OTHER_BYTES, OTHER_SEED);
    await withProcesses([silent.port, small.port], async (server, client, ports) => {
      await timeOfDownload(ports[1]!);
      const before = { server: await memoryOf(server), client: await memoryOf(client) };
      await using visitor = await visit(ports[0]!);
      const sending = visitor.send(1, DOWNLOAD_BYTES);
      sending.catch(() => {});
      await silent.waitForConnection(1);
      for (let count = 0; count < 3; count += 1) await timeOfDownload(ports[1]!);
      const after = { server: await memoryOf(server), client: await memoryOf(client) };
      const serverBytes = after.server.arrayBuffers - before.server.arrayBuffers;
      const clientBytes = after.client.arrayBuffers - before.client.arrayBuffers;
      console.log(
        `a service that never reads: the server holds ${mib(serverBytes)} more, the client ${mib(clientBytes)}`,
      );
      expect(visitor.socket.bytesWritten).toBeLessThan(DOWNLOAD_BYTES);
      expect(serverBytes).toBeLessThan(ALLOWANCE_BYTES);
      expect(clientBytes).toBeLessThan(WINDOW_BYTES + ALLOWANCE_BYTES);
      expect(client.events.map(({ event }) => event).filter((name) => name !== 'memory')).toEqual(['ready']);
    });
  },
);

test('a slow link is not taken for a dead one', { timeout: isFull ? 200_000 : 60_000 }, async () => {
  // 1 MiB at 64 kbit/s takes 131 s, of which records of 256 KiB would take 32 each.
  const bytes = isFull ? MiB : 64 * KiB;
  const bytesPerSecond = 8_000;
  const heartbeat = isFull ? { intervalMs: 2_000, timeoutMs: 8_000 } : { intervalMs: 500, timeoutMs: 2_000 };
  await using source = await startSource(bytes, 3);
  await using sink = await startSink();
  await using server = await startServer({ heartbeat });
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [source.port, sink.port], { heartbeat });
  relay.throttle(bytesPerSecond);
  const waitMs = (bytes / bytesPerSecond) * 1000 + 15_000;
  await using download = await visit(client.ports[0]!, { seed: 3 });
  await using upload = await visit(client.ports[1]!);
  await upload.send(4, bytes);
  expect(await download.waitForEnding(waitMs)).toBe('end');
  download.checker?.expectEnd(bytes);
  expect((await sink.waitForReceived(1, waitMs)).bytes).toBe(bytes);
  expect(client.log.names).toEqual(['ready']);
  expect(server.log.all('client-disconnected')).toEqual([]);
  expect(relay.connectionCount).toBe(1);
});
