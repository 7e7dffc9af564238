// How soon a whole answer is there: a visitor must not wait for credit if memory is plentiful.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';

const ANSWER_BYTES = 200_000;
const ROUND_TRIP_MS = 50;
const ATTEMPTS = 10;

/** The least time in which a new visitor sends a request and has the answer whole, in ms. */
async function bestTime(port: number, answerBytes: number): Promise<number> {
  let bestMs = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1)
    bestMs = Math.min(bestMs, await timeOfAnswer(port, answerBytes));
  return bestMs;
}

async function timeOfAnswer(port: number, answerBytes: number): Promise<number> {
  const beganMs = performance.now();
  const socket = connect(port, '127.0.0.1');
  socket.write(String(answerBytes));
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) bytes += chunk.length;
  expect(bytes).toBe(answerBytes);
  return performance.now() - beganMs;
}

test('200 kB of an answer arrive in one round trip', async () => {
  const service = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes: Buffer) => socket.end(Buffer.alloc(Number(bytes.toString()), 1)));
  });
  await once(service.listen(0, '127.0.0.1'), 'listening');
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [(service.address() as AddressInfo).port]);
  relay.delay(ROUND_TRIP_MS / 2);
  const littleMs = await bestTime(client.port, 1);
  const bestMs = await bestTime(client.port, ANSWER_BYTES);
  service.close();
  console.log(
    `over ${ROUND_TRIP_MS} ms, 200 kB took ${bestMs.toFixed(1)} ms, and one byte ${littleMs.toFixed(1)} ms (best of ${ATTEMPTS})`,
  );
  // A second round trip, for credit, would make it twice as long.
  expect(bestMs).toBeLessThan(1.5 * ROUND_TRIP_MS);
});
