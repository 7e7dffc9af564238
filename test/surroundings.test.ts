import { monotonicNow } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';

/** A machine whose clock and network can be moved. */
class Machine {
  sleptMs = 0;
  addresses = 'eth0 192.0.2.1';
  onLook: () => void = () => {};

  readonly look = (): { monotonicMs: number; wallMs: number; addresses: string } => {
    this.onLook();
    return { monotonicMs: monotonicNow(), wallMs: Date.now() + this.sleptMs, addresses: this.addresses };
  };

  /** Resolves when the machine was looked at this many times more. */
  looks(count: number): Promise<void> {
    return new Promise((resolve) => {
      let left = count;
      this.onLook = () => {
        left -= 1;
        if (left === 0) resolve();
      };
    });
  }
}

const CHANGES: [string, (machine: Machine) => void][] = [
  ['the machine slept for a minute', (machine) => (machine.sleptMs += 60_000)],
  ['the set of addresses changed', (machine) => (machine.addresses = 'wlan0 198.51.100.7')],
];

test.each(CHANGES)(
  '%s: a link that does not answer is replaced within 3 s, long before its timeout',
  async (_, change) => {
    await using service = await startEcho();
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    const machine = new Machine();
    await using client = await startClient(relay.port, [service.port], {
      lookAround: machine.look,
      heartbeat: { intervalMs: 10_000, timeoutMs: 60_000 },
    });
    relay.silence();
    const ready = client.next('ready');
    const began = monotonicNow();
    change(machine);
    expect(await ready).toMatchObject({ resumed: true });
    expect(monotonicNow() - began).toBeLessThan(3_000);
  },
);

test.each(CHANGES)(
  '%s: a wait is cut short',
  async (_, change) => {
    await using service = await startEcho();
    const first = await startServer();
    const machine = new Machine();
    await using client = await startClient(first.port, [service.port], { lookAround: machine.look });
    const retrying = new Promise<void>((resolve) => {
      client.client.on('retrying', ({ delayMs }) => {
        if (delayMs > 5_000) resolve();
      });
    });
    first.server.abort();
    await retrying;
    await using _second = await startServer({ identity: first.identity, port: first.port });
    const ready = client.next('ready');
    const began = monotonicNow();
    change(machine);
    await ready;
    expect(monotonicNow() - began).toBeLessThan(3_000);
  },
  120_000,
);

test('a link that answers is left alone', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  const machine = new Machine();
  await using client = await startClient(server.port, [service.port], { lookAround: machine.look });
  let ended = 0;
  client.client.on('disconnected', () => (ended += 1));
  machine.sleptMs += 60_000;
  // The link has a second to answer.
  await machine.looks(3);
  expect(ended).toBe(0);
});
