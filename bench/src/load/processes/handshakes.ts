// Clients that shake hands, are accepted, and go away.
import { connectByHand } from '@tunnel/test/support/hand-driven';
import { serveCalls } from '../calls.ts';

async function shakeUntil(serverPort: number, deadlineMs: number): Promise<number> {
  let count = 0;
  for (; performance.now() < deadlineMs; count += 1) {
    await using _link = await connectByHand(serverPort);
  }
  return count;
}

const calls = {
  /** Whole handshakes, `atOnce` at a time; returns how many there were. */
  async shakeHands(options: { serverPort: number; atOnce: number; durationMs: number }): Promise<number> {
    const { serverPort, atOnce, durationMs } = options;
    const deadlineMs = performance.now() + durationMs;
    const counts = await Promise.all(Array.from({ length: atOnce }, () => shakeUntil(serverPort, deadlineMs)));
    return counts.reduce((sum, count) => sum + count, 0);
  },
};

export type HandshakesCalls = typeof calls;

serveCalls(calls);
