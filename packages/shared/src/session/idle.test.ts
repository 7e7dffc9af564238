import { describe, expect, test } from 'vitest';
import type { HeartbeatSettings } from '../link/heartbeat.ts';
import { RecordBuilder } from '../link/record-builder.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { Session } from './session.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const BASE: HeartbeatSettings = { intervalMs: 2_000, timeoutMs: 8_000 };
const ONE_WAY_MS = 10;

/** A client and a server on a link that never breaks, with a clock of their own. */
class IdlePair {
  now = 0;
  messages = 0;
  isSilent = false;
  readonly client = new Session({ role: 'client', budget: new MemoryBudget(0) });
  readonly server = new Session({ role: 'server', budget: new MemoryBudget(0) });
  readonly #builder = new RecordBuilder();
  #inFlight: { readonly at: number; readonly to: Session; readonly record: Uint8Array }[] = [];
  #bytes = 0;

  constructor(idleMaxMs: number | undefined) {
    const own = { ...BASE, idleMaxMs };
    this.client.beginLink(0, own, 2 * ONE_WAY_MS, 0);
    this.server.acceptLink(
      0,
      BASE,
      2 * ONE_WAY_MS,
      { received: 0, next: 1, heartbeat: BASE, ...this.client.firstCredit, features: 0 },
      { sessionId: new Uint8Array(16), token: new Uint8Array(32), resumeWindowMs: 0, agent: '' },
    );
    this.flush();
  }

  /** Runs to `end`, or until one side declares the link dead; returns when that was. */
  run(end: number): number | undefined {
    for (;;) {
      const next = Math.min(this.client.deadline, this.server.deadline, this.#inFlight[0]?.at ?? Infinity);
      if (next > end) break;
      this.now = next;
      while (this.#inFlight[0] && this.#inFlight[0].at <= next) {
        const { to, record } = this.#inFlight.shift()!;
        if (!this.isSilent) to.receive(record, next, (this.#bytes += record.length));
      }
      for (const session of [this.client, this.server]) {
        if (session.deadline <= next && session.tick(next, 0) === 'dead') return next;
      }
      this.flush();
    }
    this.now = end;
    return undefined;
  }

  flush(): void {
    for (const [from, to] of [
      [this.client, this.server],
      [this.server, this.client],
    ] as const) {
      for (;;) {
        const parts = from.nextRecord(this.now, this.#builder, 65_536);
        if (!parts) break;
        this.messages += 1;
        this.#inFlight.push({ at: this.now + ONE_WAY_MS, to, record: Buffer.concat(parts) });
      }
    }
  }

  /** The visitor sends. */
  write(data: Uint8Array): void {
    this.server.write(1, data);
    this.flush();
  }

  /** A visitor connects on the server's side. */
  visit(): void {
    this.server.openStream(1, [], this.now);
    this.flush();
  }
}

function messagesOfADay(idleMaxMs: number | undefined): number {
  const pair = new IdlePair(idleMaxMs);
  expect(pair.run(DAY_MS)).toBeUndefined();
  return pair.messages;
}

describe('an idle link', () => {
  test('says this much a day', () => {
    const always = messagesOfADay(undefined);
    const table = [24_000, 45_000, 120_000].map((capMs) => {
      const messages = messagesOfADay(capMs);
      return { capMs, messages, fewer: Math.round((always / messages) * 10) / 10 };
    });
    expect(always).toBeCloseTo((2 * DAY_MS) / BASE.intervalMs, -2);
    expect(table.map(({ fewer }) => Math.round(fewer))).toEqual([12, 22, 59]);
  });

  test.each([24_000, 45_000, 120_000])(
    'that is stretched to %i ms is found dead within that and the timeout',
    (capMs) => {
      const pair = new IdlePair(capMs);
      pair.run(DAY_MS / 24);
      const silentSince = pair.now;
      pair.isSilent = true;
      const deadAt = pair.run(DAY_MS);
      expect(deadAt! - silentSince).toBeLessThanOrEqual(capMs + BASE.timeoutMs);
      expect(deadAt! - silentSince).toBeGreaterThan(BASE.timeoutMs);
    },
  );

  test.each([24_000, 45_000, 120_000])(
    'that is stretched to %i ms and dead is found out within the timeout by a visitor',
    (capMs) => {
      const pair = new IdlePair(capMs);
      pair.run(DAY_MS / 24);
      pair.isSilent = true;
      const cameAt = pair.now;
      pair.visit();
      expect(pair.run(DAY_MS)! - cameAt).toBeLessThanOrEqual(BASE.timeoutMs);
    },
  );

  test('is not taken for dead when a credit goes out in a long pause', () => {
    const pair = new IdlePair(120_000);
    pair.visit();
    pair.run(1_000);
    const data = new Uint8Array(60_000);
    pair.write(data);
    pair.run(DAY_MS / 24);
    pair.client.consumed(1, data.length, pair.now);
    pair.flush();
    expect(pair.run(DAY_MS)).toBeUndefined();
  });

  test('snaps back when a visitor comes, on both sides', () => {
    const pair = new IdlePair(120_000);
    pair.run(DAY_MS / 24);
    pair.visit();
    const before = pair.messages;
    pair.run(pair.now + 5_000);
    // OPEN, its acknowledgement, and heartbeats every few seconds again from both sides.
    expect(pair.messages - before).toBeGreaterThanOrEqual(4);
  });
});
