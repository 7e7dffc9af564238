import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../wire/encode.ts';
import { KNOWN_FEATURES } from '../../wire/constants.ts';
import { CROWDED_LOG_BYTES, SEND_QUEUE_BYTES } from '../constants.ts';
import { FIRST_CREDIT_BYTES } from './constants.ts';
import type { SessionEvent } from '../events.ts';
import { MemoryBudget, type MemoryShare } from './memory-budget.ts';
import { RecordBuilder } from '../../link/record-builder.ts';
import { Session } from '../session.ts';

const KiB = 1024;
const HEARTBEAT = { intervalMs: 2000, timeoutMs: 8000 };
const IDENTITY = { sessionId: new Uint8Array(16), token: new Uint8Array(32), resumeWindowMs: 1000, agent: '' };
const OFFER = { firstCreditBytes: FIRST_CREDIT_BYTES, firstCreditTotalBytes: 2 ** 26, features: KNOWN_FEATURES };
const builder = new RecordBuilder();

describe('a budget', () => {
  it('leaves as much for the next one as each of those has who want all there is', () => {
    const budget = new MemoryBudget(1_200_000);
    const shares: MemoryShare[] = [];
    for (let count = 1; count <= 3; count += 1) {
      shares.push(budget.share());
      // Each takes a little at a time until none may take more.
      while (shares.some(({ isCrowded }) => !isCrowded)) {
        for (const share of shares) if (!share.isCrowded) share.wait(1000);
      }
      // Earlier ones keep what they hold beyond their share, but get no more.
      expect(budget.limitBytes - budget.usedBytes).toBeGreaterThanOrEqual(1_200_000 / 2 ** count - 3000);
    }
    expect(shares.map(({ waitingBytes }) => waitingBytes)).toEqual([600_000, 300_000, 150_000]);
  });

  it('promises at most half of what is left beyond what the session uses', () => {
    const budget = new MemoryBudget(1000);
    const share = budget.share();
    expect(share.promise(100)).toBe(100);
    expect(share.promise(10_000)).toBe(400);
    expect(share.promise(1)).toBe(0);
    share.takeBack(500);
    expect(budget.usedBytes).toBe(0);
  });

  it('takes from the one that has most, and no more than is needed and a bit', () => {
    const budget = new MemoryBudget(16_000);
    const asked: string[] = [];
    const make = (name: string): MemoryShare => {
      const share: MemoryShare = budget.share((bytes, now) => {
        asked.push(`${name} ${bytes} at ${now}`);
        share.wait(-bytes);
        return bytes;
      });
      return share;
    };
    const [small, large] = [make('small'), make('large')];
    small.wait(6000);
    large.wait(10_000);
    budget.keepWithinLimit(1);
    expect(asked).toEqual([]);
    small.wait(1);
    budget.keepWithinLimit(2);
    expect(asked).toEqual(['large 1001 at 2']);
    expect(budget.waitingBytes).toBe(15_000);
  });

  it('does not ask on and on where nothing can be given up', () => {
    const budget = new MemoryBudget(100);
    budget.share().wait(200);
    budget.keepWithinLimit(0);
    expect(budget.waitingBytes).toBe(200);
  });
});

/** A server's session whose peer is scripted by the test. */
class Server {
  readonly session: Session;
  givenUp = 0;
  #now = 0;

  constructor(budget: MemoryBudget) {
    this.session = new Session({ role: 'server', budget });
    this.session.onGivenUp = () => (this.givenUp += 1);
    this.session.acceptLink(0, HEARTBEAT, 20, { received: 0, next: 1, heartbeat: HEARTBEAT, ...OFFER }, IDENTITY);
    this.send();
  }

  /** Opens streams whose peer grants the maximum. */
  open(count: number): number[] {
    const ids = Array.from({ length: count }, () => this.session.openStream(1, [], this.#now)!);
    this.send();
    for (const streamId of ids) this.hear({ type: 'credit', streamId, offset: 1e12 });
    return ids;
  }

  hear(frame: Parameters<typeof encodeFrame>[0]): void {
    this.session.receive(encodeFrame(frame), this.#now, 0);
  }

  /** The link takes everything. */
  send(): void {
    while (this.session.nextRecord(this.#now, builder, 65_536));
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  get events(): string[] {
    const word = (event: SessionEvent): string =>
      'streamId' in event ? `${event.type} ${event.streamId}` : event.type;
    return this.session.takeEvents().map(word);
  }
}

/** Writes as a socket is read: 64 KiB at a time, until told to stop. Returns how much. */
function fill({ session }: Server, id: number): number {
  for (let bytes = 0; ; bytes += 64 * KiB)
    if (session.write(id, new Uint8Array(64 * KiB)) <= 0) return bytes + 64 * KiB;
}

describe('a session', () => {
  it('that has its share takes a chunk of each stream, and each goes on when its chunk is sent', () => {
    const budget = new MemoryBudget(4 * SEND_QUEUE_BYTES);
    const server = new Server(budget);
    const ids = server.open(6);
    expect(ids.map((id) => fill(server, id))).toEqual([6, 6, 1, 1, 1, 1].map((chunks) => chunks * 64 * KiB));
    expect(server.session.isCrowded).toBe(true);
    server.send();
    server.hear({ type: 'acknowledgement', number: ids.length });
    server.send();
    // Without acknowledgements little is kept.
    expect(server.session.logBytes).toBeLessThan(CROWDED_LOG_BYTES + 64 * KiB + 1024);
    // The log is full; acknowledgements make room, and no stream is forgotten.
    const told = new Set<string>();
    for (let number = ids.length + 1; budget.waitingBytes > 0; number += 1) {
      server.hear({ type: 'acknowledgement', number });
      server.send();
      for (const event of server.events) told.add(event);
    }
    for (const id of ids) expect(told).toContain(`stream-writable ${id}`);
  });

  it('counts what is held, queued and kept, and gives all of it back', () => {
    const budget = new MemoryBudget(1e9);
    const server = new Server(budget);
    const [id] = server.open(1);
    server.hear({ type: 'acknowledgement', number: 1 });
    expect(budget.waitingBytes).toBe(0);
    server.session.write(id!, new Uint8Array(1000));
    expect(budget.waitingBytes).toBe(1000);
    server.send();
    expect(budget.waitingBytes).toBe(1064);
    server.session.write(id!, new Uint8Array(500));
    server.hear({ type: 'data', streamId: id!, data: new Uint8Array(300) });
    expect(budget.waitingBytes).toBe(1864);
    server.session.consumed(id!, 100, 0);
    expect(budget.waitingBytes).toBe(1764);
    server.session.reset(id!, 'stream-reset');
    expect(budget.waitingBytes).toBe(1064);
    server.session.dispose();
    expect(budget.usedBytes).toBe(0);
  });

  it('that has most gives up what waits longest, for whoever needs it', () => {
    const budget = new MemoryBudget((40 * 16 + 8) * KiB);
    const greedy = new Server(budget);
    const honest = new Server(budget);
    const held = (server: Server, id: number): void =>
      server.hear({ type: 'data', streamId: id, data: new Uint8Array(16 * KiB) });
    const [mine] = honest.open(1);
    held(honest, mine!);
    const ids = greedy.open(39);
    for (const id of ids.slice(0, 30)) held(greedy, id);
    greedy.pass(60_000);
    // These make progress, so their bytes are young.
    for (const id of ids.slice(0, 5)) greedy.session.consumed(id, 1, 60_000);
    for (const id of ids.slice(30)) held(greedy, id);
    expect(greedy.events.filter((event) => event.startsWith('stream-reset'))).toEqual([]);
    honest.pass(60_000);
    honest.send();
    honest.session.write(mine!, new Uint8Array(16 * KiB));

    // The excess, and a sixteenth of the limit.
    const reset = greedy.events.filter((event) => event.startsWith('stream-reset'));
    expect(reset).toEqual(ids.slice(5, 9).map((id) => `stream-reset ${id}`));
    expect([greedy.givenUp, honest.givenUp]).toEqual([1, 0]);
    expect(honest.events).not.toContain(`stream-reset ${mine}`);
    expect(budget.waitingBytes).toBeLessThan(budget.limitBytes);
  });

  it('lets go of what it kept for streams that it gives up', () => {
    const budget = new MemoryBudget(1024 * KiB);
    const server = new Server(budget);
    const ids = server.open(40);
    for (const id of ids) {
      server.session.write(id, new Uint8Array(64 * KiB));
      server.send();
      expect(budget.waitingBytes).toBeLessThanOrEqual(budget.limitBytes + 64 * KiB);
    }
    expect(server.givenUp).toBeGreaterThan(0);
    // All that is left of them is one VOID frame and their resets.
    server.session.endLink();
    const peer = { received: ids.length, next: 1, heartbeat: HEARTBEAT, ...OFFER };
    server.session.acceptLink(0, HEARTBEAT, 20, peer, IDENTITY);
    let sent = 0;
    for (let parts; (parts = server.session.nextRecord(0, builder, 65_536));) {
      for (const part of parts) sent += part.length;
    }
    expect(sent).toBeLessThan(budget.limitBytes);
  });
});
