// A long line: what goes through it takes its time.
import { startRelay } from '@tunnel/test/support/relay';
import { serveCalls } from '../calls.ts';

const calls = {
  /** Opens a way to a loopback port that delays each direction; returns where it listens. */
  async open({ targetPort, delayMs }: { targetPort: number; delayMs: number }): Promise<number> {
    const relay = await startRelay({ targetPort });
    relay.delay(delayMs);
    return relay.port;
  },
};

export type RelayCalls = typeof calls;

serveCalls(calls);
