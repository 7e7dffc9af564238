// Bulk both ways at once over a link that breaks at random moments: the checksums are right, and no visitor sees an error.
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { patternBytes, PatternChecker } from './support/pattern.ts';
import { type Random, randomInteger, seededRandom } from './support/random.ts';
import { type Relay, startRelay } from './support/relay.ts';
import { TcpService } from './support/tcp-service.ts';

const MiB = 1024 * 1024;

/** For the figures: `TUNNEL_TEST_BULK_MIB=2048 TUNNEL_TEST_BREAKS=100 TUNNEL_TEST_SEEDS=20`. */
const BYTES = Number(process.env['TUNNEL_TEST_BULK_MIB'] ?? 96) * MiB;
const BREAKS = Number(process.env['TUNNEL_TEST_BREAKS'] ?? 12);
const SEEDS = Number(process.env['TUNNEL_TEST_SEEDS'] ?? 1);
const FIRST_SEED = Number(process.env['TUNNEL_TEST_SEED'] ?? Math.floor(Math.random() * 0xffff_0000));

const CHUNK_BYTES = 256 * 1024;
const HEARTBEAT = { intervalMs: 250, timeoutMs: 1_000 };

/** Sends `BYTES` of a pattern and ends. */
function send(socket: Socket, seed: number): void {
  let sent = 0;
  const more = (): void => {
    while (sent < BYTES) {
      const chunk = patternBytes(seed, sent, Math.min(CHUNK_BYTES, BYTES - sent));
      sent += chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}

/** Checks what comes. Resolves at a clean end after all of it; rejects for anything else. */
function receive(socket: Socket, seed: number, onBytes: (bytes: number) => void): Promise<void> {
  const checker = new PatternChecker(seed);
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      onBytes(chunk.length);
      if (!checker.update(chunk)) reject(new Error(checker.problem));
    });
    socket.once('end', () => {
      try {
        checker.expectEnd(BYTES);
        resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before the end')));
  });
}

/** Breaks the link in one of the ways in which links break. */
function breakLink(relay: Relay, random: Random): string {
  const direction = random() < 0.5 ? 'to-target' : 'to-client';
  relay.delay(0);
  relay.throttle(undefined);
  switch (randomInteger(random, 0, 5)) {
    case 0:
      relay.silence();
      return 'silence';
    case 1:
      relay.cutAfter({ direction, bytes: randomInteger(random, 1, 400_000) });
      return 'cut inside a record';
    case 2:
      relay.delay(randomInteger(random, 1, 30));
      relay.resetAll();
      return 'reset, then a delay';
    case 3:
      relay.throttle(randomInteger(random, 8, 64) * MiB);
      relay.resetAll();
      return 'reset, then a throttle';
    case 4:
      relay.endAll();
      return 'end';
    default:
      relay.resetAll();
      return 'reset';
  }
}

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  `${BYTES / MiB} MiB each way survive ${BREAKS} breaks, seed %i`,
  async (seed) => {
    const random = seededRandom(seed);
    const served: Promise<void>[] = [];
    let received = 0;
    let onProgress: () => void = () => {};
    const onBytes = (bytes: number): void => {
      received += bytes;
      onProgress();
    };
    await using service = await TcpService.listen({}, (socket) => {
      send(socket, seed + 1);
      served.push(receive(socket, seed, onBytes));
    });
    await using server = await startServer({ heartbeat: HEARTBEAT });
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [service.port], {
      heartbeat: HEARTBEAT,
      maxReconnectDelayMs: 1_000,
    });
    let resumes = 0;
    let lost = 0;
    client.client.on('ready', ({ resumed, lostStreams }) => {
      if (resumed) resumes += 1;
      lost += lostStreams;
    });
    const visitor = connect({ port: client.ports[0]!, host: '127.0.0.1', allowHalfOpen: true });
    const began = performance.now();
    const visited = receive(visitor, seed + 1, onBytes);
    send(visitor, seed);
    const done = Promise.all([visited, new Promise<void>((resolve) => visitor.once('end', resolve))]);
    const breaks: string[] = [];
    for (let count = 1; count <= BREAKS; count += 1) {
      // At a random place of the next part of all the bytes.
      const at = ((count - random()) / (BREAKS + 1)) * 2 * BYTES;
      await Promise.race([
        done,
        new Promise<void>((resolve) => {
          onProgress = () => {
            if (received >= at) resolve();
          };
          onProgress();
        }),
      ]);
      breaks.push(breakLink(relay, random));
    }
    await done.catch((error: unknown) => {
      throw new Error(`seed ${seed}, breaks: ${breaks.join(', ')}`, { cause: error });
    });
    await Promise.all(served);
    const seconds = (performance.now() - began) / 1000;
    console.log(
      `seed ${seed}: ${BYTES / MiB} MiB each way in ${seconds.toFixed(1)} s over ${BREAKS} breaks, ${resumes} resumes`,
    );
    expect(received).toBe(2 * BYTES);
    expect(served).toHaveLength(1);
    expect(lost).toBe(0);
    expect(resumes).toBeGreaterThan(0);
    visitor.destroy();
  },
  60_000 + (BYTES / MiB) * 1_000 + BREAKS * 3_000,
);
