import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';

const ROUND_TRIP_MS = 50;
/** TCP, upgrade, two messages, accepted, data. */
const ROUND_TRIPS = 4.5;
const ALLOWANCE_MS = 50;

/** `TUNNEL_TEST_BREAKS=200` for the figures. */
const BREAKS = Number(process.env['TUNNEL_TEST_BREAKS'] ?? 8);

/** Sends a byte and waits for its echo. */
async function roundTrip(visitor: Socket): Promise<void> {
  const answered = new Promise((resolve, reject) => {
    visitor.once('data', resolve);
    visitor.once('close', () => reject(new Error('the visitor was cut off')));
  });
  visitor.write('x');
  await answered;
  visitor.removeAllListeners('close');
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

async function measureStalls(
  breakLink: (relay: Awaited<ReturnType<typeof startRelay>>) => void,
  heartbeat: { readonly intervalMs: number; readonly timeoutMs: number },
): Promise<number[]> {
  await using service = await startEcho();
  await using server = await startServer({ heartbeat });
  await using relay = await startRelay({ targetPort: server.port });
  relay.delay(ROUND_TRIP_MS / 2);
  await using client = await startClient(relay.port, [service.port], { heartbeat, maxReconnectDelayMs: 200 });
  const visitor = connect(client.ports[0]!, '127.0.0.1');
  visitor.setNoDelay(true);
  const stalls: number[] = [];
  for (let count = 0; count < BREAKS; count += 1) {
    await roundTrip(visitor);
    let waitedMs = 0;
    client.client.on('retrying', ({ delayMs }) => {
      waitedMs += delayMs;
    });
    const ready = client.next('ready');
    breakLink(relay);
    const began = performance.now();
    await roundTrip(visitor);
    stalls.push(performance.now() - began - waitedMs);
    await ready;
    client.client.removeAllListeners('retrying');
  }
  visitor.destroy();
  return stalls;
}

test('a visitor hardly notices a reset link', async () => {
  const stalls = await measureStalls((relay) => relay.resetAll(), { intervalMs: 2_000, timeoutMs: 8_000 });
  const p50 = percentile(stalls, 0.5);
  const p99 = percentile(stalls, 0.99);
  console.log(`stall after a reset, less the backoff: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
  expect(p99).toBeLessThan(ROUND_TRIPS * ROUND_TRIP_MS + ALLOWANCE_MS);
}, 600_000);

test('a silent link costs no more than its heartbeat timeout on top', async () => {
  const heartbeat = { intervalMs: 250, timeoutMs: 1_000 };
  const stalls = await measureStalls((relay) => relay.silence(), heartbeat);
  const p50 = percentile(stalls, 0.5);
  const p99 = percentile(stalls, 0.99);
  console.log(`stall on a silent link, less the backoff: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
  expect(p99).toBeLessThan(heartbeat.timeoutMs + ROUND_TRIPS * ROUND_TRIP_MS + ALLOWANCE_MS);
}, 600_000);
