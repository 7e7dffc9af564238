// Who holds connections to the control port without going on keeps nobody else out.
import { describe, expect, test } from 'vitest';
import { HeldUpgrades } from './support/held-upgrades.ts';
import { connectByHand } from './support/hand-driven.ts';
import { startServer } from './support/pair.ts';

/** As many as it takes to fill every place and the whole queue, and some more. */
const HELD = 5_000;
const REFILLS_PER_SECOND = 200;
const ATTACKER = '127.0.0.1';
const ATTEMPTS = 100;

/** From the first packet to the server's `accepted`, for one client after another, in ms. */
async function admissionTimes(port: number, localAddress: string, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let attempt = 0; attempt < count; attempt += 1) {
    const began = performance.now();
    await using _link = await connectByHand(port, {}, { localAddress });
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b);
}

describe('a crowd that holds handshakes', { timeout: 120_000 }, () => {
  test('keeps out nobody: neither clients elsewhere nor those at its own address', async () => {
    await using server = await startServer();
    await using _crowd = await HeldUpgrades.start({
      port: server.port,
      fromAddress: ATTACKER,
      count: HELD,
      refillsPerSecond: REFILLS_PER_SECOND,
    });
    const elsewhere = await admissionTimes(server.port, '127.0.0.2', ATTEMPTS);
    const beside = await admissionTimes(server.port, ATTACKER, 10);
    const p99Ms = elsewhere[Math.ceil(elsewhere.length * 0.99) - 1]!;
    console.log(
      `${HELD} held handshakes: in after ${p99Ms.toFixed(0)} ms (p99) from elsewhere, ` +
        `${beside.at(-1)!.toFixed(0)} ms at most from the same address`,
    );
    expect(p99Ms).toBeLessThan(2_000);
    expect(beside.at(-1)).toBeLessThan(10_000);
  });
});
