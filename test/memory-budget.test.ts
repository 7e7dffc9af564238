// What strangers, and a client with visitors of its own, can make a server hold: there is one budget for the process.
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { TunnelProcess } from './support/command.ts';
import { connectByHand, type HandLink, portOf, tunnelRequest } from './support/hand-driven.ts';
import { type RunningClient, startClient } from './support/pair.ts';
import { type Service, startSource } from './support/services.ts';
import { startServerProcess } from './support/tunnel-processes.ts';
import { timeDownload } from './support/visitor.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** `TUNNEL_TEST_STUCK=10000` for the figures. */
const STREAMS = Number(process.env['TUNNEL_TEST_STUCK'] ?? 1_200);
/** What each of them would make a server hold, if it could. */
const BYTES_PER_STREAM = 512 * KiB;
const SERVER_LIMIT_BYTES = 400 * MiB;
const OTHER_BYTES = 32 * MiB;

/** Visitors that all say `bytes` and read nothing, in a thread of their own. */
async function startVisitors(port: number, count: number, bytes: number): Promise<AsyncDisposable> {
  const program = `
    const { connect } = require('node:net');
    const { parentPort } = require('node:worker_threads');
    const bytes = Buffer.alloc(${bytes}, 1);
    (async () => {
      for (let count = 0; count < ${count}; count += 1) {
        await new Promise((resolve) => {
          const socket = connect(${port}, '127.0.0.1', resolve);
          socket.on('error', resolve);
          socket.pause();
          if (bytes.length > 0) socket.write(bytes);
        });
      }
      parentPort.postMessage('all there');
    })();
  `;
  const worker = new Worker(program, { eval: true });
  await once(worker, 'message');
  return { [Symbol.asyncDispose]: async () => void (await worker.terminate()) };
}

/** Resident memory, and its peak. */
async function residentOf({ pid }: TunnelProcess): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * KiB;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** Waits until the process holds no more than it did a second ago, nearly. */
async function settled(server: TunnelProcess): Promise<void> {
  let calm = 0;
  let last = 0;
  await expect
    .poll(
      async () => {
        const { now } = await residentOf(server);
        calm = now < last + MiB ? calm + 1 : 0;
        last = now;
        return calm;
      },
      { timeout: 120_000, interval: 200 },
    )
    .toBeGreaterThan(5);
}

const OTHER_SEED = 2;
const timeOfDownload = (port: number): Promise<number> => timeDownload(port, OTHER_SEED, OTHER_BYTES);

describe.skipIf(process.platform !== 'linux')('a server', { timeout: 300_000 }, () => {
  let source: Service;
  let server: TunnelProcess;
  let honest: RunningClient;
  let greedy: HandLink;
  let port = 0;
  let aloneMs = 0;

  beforeAll(async () => {
    source = await startSource(OTHER_BYTES, OTHER_SEED);
    const started = await startServerProcess(['--port', '0']);
    server = started.server;
    honest = await startClient(started.port, [source.port]);
    greedy = await connectByHand(started.port);
    greedy.send(tunnelRequest(1));
    port = portOf(await greedy.waitFor('tunnel-granted'));
    await timeOfDownload(honest.port);
    aloneMs = Math.min(await timeOfDownload(honest.port), await timeOfDownload(honest.port));
  });

  afterAll(async () => {
    for (const each of [greedy, honest, server, source]) await each[Symbol.asyncDispose]();
  });

  test('holds little for a client that takes everything and acknowledges nothing', async () => {
    const beat = setInterval(() => {
      greedy.send({ type: 'heartbeat', answerNow: false, timestamp: 0, echo: undefined, nextWithinMs: 2_000 });
      for (const frame of greedy.frames.splice(0)) {
        if (frame.type === 'open') greedy.send({ type: 'credit', streamId: frame.streamId, offset: 2 ** 40 });
      }
    }, 20);
    onTestFinished(() => clearInterval(beat));
    await using _visitors = await startVisitors(port, STREAMS, BYTES_PER_STREAM);
    await settled(server);
    const besideMs = [await timeOfDownload(honest.port), await timeOfDownload(honest.port)];
    await settled(server);
    const { now, peak } = await residentOf(server);
    console.log(
      `${STREAMS} streams that are not acknowledged: ${(now / MiB).toFixed(0)} MiB resident, at most ${(peak / MiB).toFixed(0)}; ` +
        `${OTHER_BYTES / MiB} MiB took an honest visitor ${aloneMs.toFixed(0)} ms before, ${Math.min(...besideMs).toFixed(0)} ms beside them`,
    );
    expect(peak).toBeLessThan(SERVER_LIMIT_BYTES);
    expect(Math.min(...besideMs)).toBeLessThan(aloneMs * 3 + 200);
  });
});
