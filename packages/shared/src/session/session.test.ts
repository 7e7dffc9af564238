import { describe, expect, it } from 'vitest';
import { CONTROL_QUEUE_LIMIT, HALF_CLOSED_IDLE_MS, SEND_QUEUE_BYTES } from './constants.ts';
import { FIRST_CREDIT_BYTES, LEAST_WINDOW_BYTES } from './memory/constants.ts';
import { KNOWN_FEATURES, MAX_PLAINTEXT_BYTES, STREAM_LIMIT } from '../wire/constants.ts';
import { encodeFrame } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import type { SessionEvent } from './events.ts';
import type { FirstCredit } from './memory/first-credit.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { RecordBuilder } from '../link/record-builder.ts';
import { Flight } from './flight.ts';
import { type ResumePoint, Session } from './session.ts';

const HEARTBEAT = { intervalMs: 2000, timeoutMs: 8000 };
const IDENTITY = {
  sessionId: new Uint8Array(16),
  token: new Uint8Array(32),
  resumeWindowMs: 120_000,
  agent: 'test',
};
const TIMES = { heartbeatIntervalMs: 2000, heartbeatTimeoutMs: 8000 };
const PROTOCOL_ERROR: object = expect.objectContaining({ code: 'protocol-error' });
const builder = new RecordBuilder();

/** A client and a server with a link that the test operates by hand. */
class Pair {
  now = 0;
  readonly budget = new MemoryBudget(1e9);
  readonly client = new Session({ role: 'client', budget: this.budget });
  readonly server = new Session({ role: 'server', budget: this.budget });
  readonly told: { client: SessionEvent[]; server: SessionEvent[] } = { client: [], server: [] };

  get offer(): FirstCredit & { readonly features: number } {
    return { ...this.client.firstCredit, features: KNOWN_FEATURES };
  }

  /** A new link that has carried nothing but message 3. */
  connect(): void {
    const peer = { ...this.client.resumePoint, heartbeat: HEARTBEAT, ...this.offer };
    if (!this.server.canResumeFrom(peer)) throw new Error('cannot resume');
    this.client.beginLink(this.now, HEARTBEAT, 20, KNOWN_FEATURES);
    this.server.acceptLink(this.now, HEARTBEAT, 20, peer, IDENTITY);
  }

  /** A new link with this hello from the client. */
  resume(hello: ResumePoint): void {
    if (!this.server.canResumeFrom(hello)) throw new Error('cannot resume');
    this.client.beginLink(this.now, HEARTBEAT, 20, KNOWN_FEATURES);
    this.server.acceptLink(this.now, HEARTBEAT, 20, { ...hello, heartbeat: HEARTBEAT, ...this.offer }, IDENTITY);
  }

  disconnect(): void {
    this.client.endLink();
    this.server.endLink();
  }

  /** One record, or undefined. It may be delivered later or never. */
  record(from: 'client' | 'server', limitBytes = 65_536): Buffer | undefined {
    const parts = this[from].nextRecord(this.now, builder, limitBytes);
    return parts && Buffer.concat(parts);
  }

  deliver(to: 'client' | 'server', record: Uint8Array): void {
    this[to].receive(record, this.now, 0);
    this.told[to].push(...this[to].takeEvents());
  }

  /** Exchanges records until neither side has anything to send. */
  settle(): void {
    for (let isBusy = true; isBusy;) {
      isBusy = false;
      this.now += 30;
      for (const [from, to] of [
        ['client', 'server'],
        ['server', 'client'],
      ] as const) {
        for (let record = this.record(from); record; record = this.record(from)) {
          isBusy = true;
          this.deliver(to, record);
        }
        this.told[from].push(...this[from].takeEvents());
      }
    }
  }

  /** Events since the last call, without the data. */
  events(of: 'client' | 'server'): string[] {
    const words = this.told[of].map((event) => ('streamId' in event ? `${event.type} ${event.streamId}` : event.type));
    this.told[of] = [];
    return words;
  }

  /** A stream known to both sides. */
  open(): number {
    const id = this.server.openStream(1, [], this.now)!;
    this.settle();
    this.events('client');
    this.events('server');
    return id;
  }
}

function connected(): Pair {
  const pair = new Pair();
  pair.connect();
  pair.settle();
  return pair;
}

function lie(...frames: Frame[]): Uint8Array {
  return Buffer.concat(frames.map((frame) => encodeFrame(frame)));
}

describe('a link', () => {
  it('begins with accepted, and is answered', () => {
    const pair = new Pair();
    pair.connect();
    expect(pair.client.hasLink).toBe(true);
    pair.settle();
    expect(pair.events('client')).toEqual(['accepted', 'answered']);
    expect(pair.events('server')).toEqual(['answered']);
    expect(pair.client.heartbeatTimeoutMs).toBe(8000);
    expect(pair.client.roundTripMs).toBe(0);
  });

  it('carries nothing that the server says before accepted', () => {
    for (const frame of [
      { type: 'acknowledgement', number: 0 },
      { type: 'goodbye', code: '' },
      { type: 'end', streamId: 1 },
    ] satisfies Frame[]) {
      const pair = new Pair();
      pair.client.beginLink(0, HEARTBEAT, 20, KNOWN_FEATURES);
      expect(() => pair.client.receive(lie(frame), 0, 0)).toThrow(PROTOCOL_ERROR);
    }
    const pair = new Pair();
    pair.client.beginLink(0, HEARTBEAT, 20, KNOWN_FEATURES);
    pair.deliver('client', lie({ type: 'refused', code: 'draining', retryAfterMs: 9, detail: '' }));
    expect(pair.told.client).toEqual([{ type: 'refused', code: 'draining', retryAfterMs: 9, detail: '' }]);
  });

  it('refuses to resume from where the session never was', () => {
    const pair = connected();
    pair.open();
    const { received, next } = pair.server.resumePoint;
    expect({ received, next }).toEqual({ received: 0, next: 2 });
    expect(pair.client.canResumeFrom({ received, next })).toBe(true);
    expect(pair.client.canResumeFrom({ received: received + 1, next })).toBe(false);
    expect(pair.client.canResumeFrom({ received, next: next + 1 })).toBe(false);
    expect(pair.server.canResumeFrom({ received: 9, next: 1 })).toBe(false);

    // Nor does a client if `accepted` would leave a gap or withdraw what it acknowledged.
    for (const point of [
      { received: 0, next: 3 },
      { received: 1, next: 2 },
    ]) {
      pair.client.beginLink(pair.now, HEARTBEAT, 20, KNOWN_FEATURES);
      const times = { heartbeatIntervalMs: 2000, heartbeatTimeoutMs: 8000 };
      expect(() => pair.client.receive(lie({ type: 'accepted', ...IDENTITY, ...times, ...point }), 0, 0)).toThrow(
        PROTOCOL_ERROR,
      );
    }
  });

  it('has no deadline in the past after a tick, also where it takes no record', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(10));
    pair.deliver('client', pair.record('server')!);
    const acknowledgeAt = pair.client.deadline;
    expect(acknowledgeAt).toBe(pair.now + 25);
    expect(pair.client.tick(acknowledgeAt, 0)).toBe('alive');
    expect(pair.client.deadline).toBeGreaterThan(acknowledgeAt);
    pair.now = pair.client.deadline;
    expect(pair.client.tick(pair.now, 0)).toBe('alive');
    expect(pair.client.deadline).toBeGreaterThan(pair.now);
    expect(pair.client.nextRecord(pair.now, builder, 4096)).toBeDefined();
  });

  it('answers a probe at once', () => {
    const pair = connected();
    pair.now += 100;
    expect(pair.record('client')).toBeUndefined();
    pair.client.probe(0);
    pair.deliver('server', pair.record('client')!);
    pair.deliver('client', pair.record('server')!);
    expect(pair.client.roundTripMs).toBe(0);
  });
});

describe('a stream', () => {
  it('that is opened without a link waits with its data', () => {
    const pair = new Pair();
    const id = pair.server.openStream(7, [], 0)!;
    pair.server.write(id, new Uint8Array(10));
    pair.server.end(id, 0);
    pair.connect();
    pair.settle();
    expect(pair.events('client')).toEqual([
      'accepted',
      'answered',
      'stream-opened 1',
      'stream-data 1',
      'stream-ended 1',
    ]);
  });

  it('may be resumed before its OPEN arrived', () => {
    const pair = new Pair();
    pair.connect();
    pair.server.openStream(1, [], 0);
    pair.record('server');
    pair.disconnect();
    pair.connect();
    pair.settle();
    expect(pair.events('client')).toContain('stream-opened 1');
  });

  it('frees its slot on both sides after both ends, and gives its window back', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.end(id, pair.now);
    pair.settle();
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([1, 1]);
    pair.client.end(id, pair.now);
    pair.settle();
    expect(pair.events('server')).toEqual(['stream-ended 1']);
    expect(pair.events('client')).toEqual(['stream-ended 1']);
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
    expect(pair.budget.usedBytes).toBe(0);
    expect(pair.server.logBytes).toBe(0);
  });

  it('that is reset on both sides at once is over without a word', () => {
    const pair = connected();
    const id = pair.open();
    pair.client.reset(id, 'stream-reset');
    pair.server.reset(id, 'stream-reset');
    pair.settle();
    expect([...pair.events('client'), ...pair.events('server')]).toEqual([]);
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
  });

  it('whose peer ended and reset it tells nothing after its own reset', () => {
    const pair = connected();
    const id = pair.open();
    pair.client.end(id, pair.now);
    const ended = pair.record('client')!;
    pair.client.reset(id, 'stream-reset');
    const reset = pair.record('client')!;
    pair.server.reset(id, 'stream-reset');
    pair.deliver('server', ended);
    pair.deliver('server', reset);
    pair.settle();
    expect([...pair.events('client'), ...pair.events('server')]).toEqual([]);
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
  });

  it('sends one reset, however often it is asked to', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.reset(id, 'stream-reset');
    pair.deliver('client', pair.record('server')!);
    // The client acknowledges, but its own reset is lost, so the server still has the stream.
    pair.client.nextRecord(pair.now, builder, 65_536);
    pair.deliver('server', lie({ type: 'acknowledgement', number: 2 }));
    expect(pair.server.streamCount).toBe(1);
    pair.server.reset(id, 'stream-reset');
    expect(pair.record('server')).toBeUndefined();
  });

  it('that is half-closed is reset after a long time in which nothing moves, and no link is no such time', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.end(id, pair.now);
    pair.settle();
    pair.events('client');
    const keepAlive = (ms: number): void => {
      for (const end = pair.now + ms; pair.now < end; pair.now += 1000) {
        expect(pair.server.tick(pair.now, pair.now)).toBe('alive');
        expect(pair.client.tick(pair.now, pair.now)).toBe('alive');
        pair.settle();
      }
    };
    keepAlive(HALF_CLOSED_IDLE_MS - 30_000);
    pair.client.write(id, new Uint8Array(1));
    keepAlive(HALF_CLOSED_IDLE_MS - 30_000);
    pair.disconnect();
    pair.now += 2 * HALF_CLOSED_IDLE_MS;
    pair.connect();
    keepAlive(HALF_CLOSED_IDLE_MS - 30_000);
    expect(pair.events('server').filter((event) => event.startsWith('stream-'))).toEqual(['stream-data 1']);
    keepAlive(60_000);
    expect(pair.events('server')).toEqual(['stream-reset 1']);
    expect(pair.server.streamCount).toBe(0);
    expect(pair.client.streamCount).toBe(0);
  });
});

describe('a stream whose local side is gone', () => {
  const MUCH = 3 * FIRST_CREDIT_BYTES;

  /** Consumes what the client receives until nothing more arrives. */
  function takeAll(pair: Pair, id: number): { readonly bytes: number; readonly events: string[] } {
    let bytes = 0;
    const events: string[] = [];
    const count = (): void => {
      for (const event of pair.told.client) {
        if (event.type === 'stream-data') bytes += event.data.length;
        else if ('streamId' in event) events.push(event.type);
      }
      pair.told.client = [];
    };
    for (let before = -1; before !== bytes;) {
      before = bytes;
      pair.settle();
      count();
      pair.client.consumed(id, pair.client.heldBytes(id), pair.now);
    }
    return { bytes, events };
  }

  it('still gives what was written before, and then the reset', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(MUCH));
    pair.server.fail(id, 'stream-reset', pair.now);
    expect(pair.server.write(id, new Uint8Array(1))).toBe(0);
    expect(takeAll(pair, id)).toEqual({ bytes: MUCH, events: ['stream-reset'] });
    expect(pair.events('server')).toEqual([]);
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
    expect([pair.server.logBytes, pair.budget.usedBytes]).toEqual([0, 0]);
  });

  it('gives it over a link that breaks in the middle, and its end where it had one', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(MUCH));
    pair.server.end(id, pair.now);
    pair.server.fail(id, 'stream-reset', pair.now);
    // Lost in transit.
    expect(pair.record('server')).toBeDefined();
    pair.disconnect();
    pair.connect();
    expect(takeAll(pair, id)).toEqual({ bytes: MUCH, events: ['stream-ended', 'stream-reset'] });
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
  });

  it('says the reset also where its end was already said, and acknowledged', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(10));
    pair.server.end(id, pair.now);
    pair.settle();
    pair.client.write(id, new Uint8Array(10));
    pair.settle();
    pair.server.fail(id, 'stream-reset', pair.now);
    expect(takeAll(pair, id)).toEqual({ bytes: 10, events: ['stream-ended', 'stream-reset'] });
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
  });

  /** A stream without credit, since the client takes nothing. */
  function stuck(): { readonly pair: Pair; readonly id: number } {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(MUCH));
    pair.server.fail(id, 'stream-reset', pair.now);
    pair.settle();
    expect(pair.server.streamCount).toBe(1);
    return { pair, id };
  }

  function expectGone(pair: Pair): void {
    pair.settle();
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
    expect(pair.events('server')).toEqual([]);
  }

  it('drops what is left where the peer resets it', () => {
    const { pair, id } = stuck();
    pair.client.reset(id, 'stream-idle');
    expectGone(pair);
    expect(pair.budget.usedBytes).toBe(0);
  });

  it('drops what is left after a long time in which nothing moves', () => {
    const { pair, id } = stuck();
    for (const end = pair.now + HALF_CLOSED_IDLE_MS + 30_000; pair.now < end; pair.now += 1000) {
      expect([pair.server.tick(pair.now, pair.now), pair.client.tick(pair.now, pair.now)]).toEqual(['alive', 'alive']);
      pair.settle();
    }
    expectGone(pair);
    expect(pair.client.heldBytes(id)).toBe(FIRST_CREDIT_BYTES);
    pair.client.reset(id, 'stream-reset');
    expect([pair.client.heldBytes(id), pair.budget.usedBytes]).toEqual([0, 0]);
  });

  it('sends one reset, also where it is withdrawn after it failed', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.write(id, new Uint8Array(10));
    pair.server.fail(id, 'stream-reset', pair.now);
    const lost = pair.record('server');
    expect(lost).toBeDefined();
    pair.server.reset(id, 'stream-idle');
    expect(pair.record('server')).toBeUndefined();
    pair.disconnect();
    pair.connect();
    expect(takeAll(pair, id)).toEqual({ bytes: 0, events: ['stream-reset'] });
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
  });

  it('that never wrote anything is reset at once', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.fail(id, 'stream-reset', pair.now);
    const other = pair.server.openStream(1, [], pair.now)!;
    pair.server.write(other, new Uint8Array(10));
    pair.settle();
    expect(pair.events('client')).toEqual([`stream-reset ${id}`, `stream-opened ${other}`, `stream-data ${other}`]);
  });
});

describe('what a side holds of a stream whose peer has ended', () => {
  /** A stream whose window grew and that is over on both sides, with data that the client has not consumed yet. */
  function overAndHeld(): { readonly pair: Pair; readonly id: number; readonly heldBytes: number } {
    const pair = connected();
    const id = pair.open();
    for (let count = 0; count < 20; count += 1) {
      pair.server.write(id, new Uint8Array(2 * FIRST_CREDIT_BYTES));
      pair.now += 4;
      for (let record = pair.record('server'); record; record = pair.record('server')) pair.deliver('client', record);
      pair.client.consumed(id, pair.client.heldBytes(id), pair.now);
      for (let record = pair.record('client'); record; record = pair.record('client')) pair.deliver('server', record);
    }
    pair.server.write(id, new Uint8Array(4 * FIRST_CREDIT_BYTES));
    pair.server.end(id, pair.now);
    pair.settle();
    const heldBytes = pair.client.heldBytes(id);
    expect(heldBytes).toBeGreaterThan(2 * FIRST_CREDIT_BYTES);
    // The server's window is still as it was at first.
    expect(pair.budget.promisedBytes).toBe(heldBytes - LEAST_WINDOW_BYTES + (FIRST_CREDIT_BYTES - LEAST_WINDOW_BYTES));
    pair.client.end(id, pair.now);
    pair.settle();
    expect([pair.client.streamCount, pair.server.streamCount]).toEqual([0, 0]);
    expect(pair.client.heldBytes(id)).toBe(heldBytes);
    expect(pair.budget.promisedBytes).toBe(heldBytes - LEAST_WINDOW_BYTES);
    return { pair, id, heldBytes };
  }

  it('counts until it is consumed', () => {
    const { pair, id, heldBytes } = overAndHeld();
    pair.client.consumed(id, 1000, pair.now);
    expect(pair.budget.promisedBytes).toBe(heldBytes - 1000 - LEAST_WINDOW_BYTES);
    pair.client.consumed(id, heldBytes - 1000, pair.now);
    expect(pair.budget.usedBytes).toBe(0);
    expect(pair.client.heldBytes(id)).toBe(0);
  });

  it('is given back by a reset, and with the session', () => {
    const { pair, id } = overAndHeld();
    pair.client.reset(id, 'stream-idle');
    expect(pair.budget.usedBytes).toBe(0);
    pair.client.consumed(id, 1000, pair.now);
    expect(pair.budget.usedBytes).toBe(0);
    expect(pair.record('client')).toBeUndefined();

    const other = overAndHeld().pair;
    other.client.dispose();
    expect(other.budget.usedBytes).toBe(0);
  });

  it('takes a place of a stream', () => {
    const pair = connected();
    const id = pair.open();
    pair.client.write(id, new Uint8Array(10));
    pair.client.end(id, pair.now);
    pair.server.end(id, pair.now);
    pair.settle();
    expect(pair.server.streamCount).toBe(0);
    for (let count = 1; count < STREAM_LIMIT; count += 1) expect(pair.server.openStream(1, [], 0)).toBeDefined();
    expect(pair.server.openStream(1, [], 0)).toBeUndefined();
    pair.server.consumed(id, 10, pair.now);
    expect(pair.server.openStream(1, [], 0)).toBeDefined();
  });
});

describe('writing', () => {
  it('stops at the credit and goes on when told to', () => {
    const pair = connected();
    const id = pair.open();
    expect(pair.server.write(id, new Uint8Array(FIRST_CREDIT_BYTES - 1))).toBe(1);
    // An empty chunk must not cause a wait for an event that never comes.
    expect(pair.server.write(id, new Uint8Array())).toBe(1);
    expect(pair.server.write(id, new Uint8Array(1))).toBe(0);
    pair.settle();
    expect(pair.events('server')).toEqual([]);
    expect(pair.client.heldBytes(id)).toBe(FIRST_CREDIT_BYTES);
    pair.client.consumed(id, FIRST_CREDIT_BYTES / 4, pair.now);
    pair.settle();
    expect(pair.events('server')).toEqual(['stream-writable 1']);
  });

  it('stops at the queue and goes on once the link took some of it', () => {
    const pair = connected();
    const id = pair.open();
    pair.deliver('server', lie({ type: 'credit', streamId: id, offset: 1e9 }));
    expect(pair.server.write(id, new Uint8Array(SEND_QUEUE_BYTES))).toBe(0);
    pair.record('server');
    expect(pair.server.takeEvents()).toEqual([{ type: 'stream-writable', streamId: id }]);
  });

  it('on a stream that is over takes nothing', () => {
    const pair = connected();
    const id = pair.open();
    pair.server.end(id, pair.now);
    expect(pair.server.write(id, new Uint8Array(1))).toBe(0);
    pair.server.end(id, pair.now);
    pair.server.reset(id, 'stream-reset');
    pair.server.reset(id, 'stream-reset');
    pair.server.consumed(99, 1, 0);
    expect(pair.server.heldBytes(99)).toBe(0);
  });
});

describe('a hello', () => {
  it('is not overtaken by acknowledgements and credit on the old link', () => {
    const pair = connected();
    const id = pair.open();
    const hello = pair.client.helloPoint();
    pair.server.write(id, new Uint8Array(FIRST_CREDIT_BYTES));
    pair.deliver('client', pair.record('server')!);
    pair.client.consumed(id, FIRST_CREDIT_BYTES, pair.now);
    pair.now = pair.client.deadline;
    pair.client.tick(pair.now, 0);
    expect(pair.client.deadline).toBeGreaterThan(pair.now);
    pair.client.probe(pair.now);
    // Just a heartbeat.
    expect(pair.record('client')).toHaveLength(21);

    pair.resume(hello);
    pair.server.write(id, new Uint8Array(FIRST_CREDIT_BYTES));
    pair.settle();
    expect(pair.events('client').filter((event) => event.startsWith('stream-data'))).not.toEqual([]);
    expect(pair.server.logBytes).toBe(0);
  });

  it('that came to nothing lets the old link go on', () => {
    const pair = connected();
    const id = pair.open();
    pair.client.helloPoint();
    pair.client.withdrawHello();
    pair.server.write(id, new Uint8Array(10));
    pair.settle();
    expect(pair.server.logBytes).toBe(0);
  });

  it('that an acknowledgement on the old link overtook is forgiven', () => {
    const pair = connected();
    const id = pair.open();
    const hello = pair.client.resumePoint;
    pair.server.write(id, new Uint8Array(10).fill(1));
    pair.settle(); // the server forgets frames that the hello says the client lacks
    expect(pair.server.logBytes).toBe(0);
    pair.server.write(id, new Uint8Array(20).fill(2));
    const lost = pair.record('server')!;
    expect(lost.length).toBeGreaterThan(20);
    pair.events('client');

    pair.resume(hello);
    pair.settle();
    const data = pair.told.client.flatMap((event) => (event.type === 'stream-data' ? [...event.data] : []));
    expect(data).toEqual(Array.from({ length: 20 }, () => 2));
    expect(pair.events('client')).toEqual(['accepted', 'answered', `stream-data ${id}`]);
  });

  it('is no way back for a process that was set back: it has not what it acknowledged', () => {
    const pair = connected();
    const id = pair.open();
    const hello = pair.client.resumePoint;
    pair.server.write(id, new Uint8Array(10));
    pair.settle();

    const client = new Session({ role: 'client', budget: pair.budget });
    client.beginLink(pair.now, HEARTBEAT, 20, KNOWN_FEATURES);
    client.receive(lie({ type: 'accepted', ...IDENTITY, ...TIMES, received: 0, next: 1 }), pair.now, 0);
    client.receive(lie({ type: 'void', count: hello.received }), pair.now, 0);
    expect(client.resumePoint).toEqual(hello);
    client.endLink();
    client.beginLink(pair.now, HEARTBEAT, 20, KNOWN_FEATURES);
    pair.server.acceptLink(pair.now, HEARTBEAT, 20, { ...hello, heartbeat: HEARTBEAT, ...pair.offer }, IDENTITY);
    expect(() => client.receive(pair.record('server')!, pair.now, 0)).toThrow(PROTOCOL_ERROR);
    expect(client.isBroken).toBe(true);
  });

  it('still says from where its frames come, when an acknowledgement came meanwhile', () => {
    const pair = connected();
    const id = pair.open();
    pair.client.write(id, new Uint8Array(10).fill(1));
    const record = pair.record('client')!;
    const hello = pair.client.helloPoint();
    pair.deliver('server', record);
    pair.now += 30;
    pair.server.tick(pair.now, 0);
    pair.deliver('client', pair.record('server')!);
    expect(pair.client.logBytes).toBe(0);
    pair.client.write(id, new Uint8Array(20).fill(2));

    pair.events('server');
    pair.resume(hello);
    pair.settle();
    const data = pair.told.server.flatMap((event) => (event.type === 'stream-data' ? [...event.data] : []));
    expect(data).toEqual(Array.from({ length: 20 }, () => 2));
  });
});

describe('a stream that is reset before anybody heard of it', () => {
  it('is withdrawn, and leaves nothing behind', () => {
    const pair = connected();
    pair.disconnect();
    for (let count = 0; count < CONTROL_QUEUE_LIMIT; count += 1) {
      const id = pair.server.openStream(1, [], 0)!;
      pair.server.write(id, new Uint8Array(1));
      pair.server.reset(id, 'stream-reset');
    }
    const id = pair.server.openStream(1, [], 0)!;
    expect(pair.server.streamCount).toBe(1);
    pair.connect();
    pair.client.sendTunnelFrame({ type: 'tunnel-request', tunnelId: 1, kind: 1, name: '', label: '', terms: [] });
    pair.settle();
    expect(pair.events('client')).toContain(`stream-opened ${id}`);
    expect(pair.events('server')).toContain('tunnel-request');
    expect(pair.client.streamCount).toBe(1);
  });

  it('is withdrawn once', () => {
    const pair = connected();
    const id = pair.server.openStream(1, [], 0)!;
    pair.server.reset(id, 'stream-reset');
    pair.server.reset(id, 'stream-reset');
    expect(pair.server.write(id, new Uint8Array(1))).toBe(0);
    pair.server.end(id, 0);
    pair.settle();
    expect(pair.events('client')).not.toContain(`stream-opened ${id}`);
    expect(pair.server.streamCount).toBe(0);
  });

  it('is not told of where open and reset come together', () => {
    const pair = connected();
    const ids = Array.from({ length: 5 }, () => pair.server.openStream(1, [], 0)!);
    pair.server.write(ids[1]!, new Uint8Array(1));
    pair.server.end(ids[2]!, pair.now);
    const opens = pair.record('server')!;
    for (const id of ids.slice(0, 4)) pair.server.reset(id, 'stream-reset');
    const resets = pair.record('server')!;
    pair.deliver('client', Buffer.concat([opens, resets]));
    // One of them had data for the service.
    expect(pair.events('client').filter((event) => event.startsWith('stream'))).toEqual([
      `stream-opened ${ids[1]}`,
      `stream-opened ${ids[4]}`,
      `stream-data ${ids[1]}`,
      `stream-reset ${ids[1]}`,
    ]);
    pair.settle();
    expect(pair.client.streamCount).toBe(1);
    expect(pair.server.streamCount).toBe(1);
  });
});

describe('a fault of the peer', () => {
  const UNNUMBERED = lie({ type: 'credit', streamId: 99, offset: 1 });

  it.each([
    ['a numbered frame that must not be there', lie({ type: 'end', streamId: 1 })],
    ['a numbered frame of an unknown type', Uint8Array.of(0x7f, 0, 0, 0)],
    ['a numbered frame that is too short', Uint8Array.of(0x42, 0, 0, 1, 0)],
  ])('ends the session where it would come again: %s', (_name, record) => {
    const { server } = connected();
    expect(() => server.receive(record, 0, 0)).toThrow(PROTOCOL_ERROR);
    expect(server.isBroken).toBe(true);
  });

  it.each([
    ['a frame that is not numbered', UNNUMBERED],
    ['a frame that is cut off', Uint8Array.of(0x41, 0, 1, 0)],
    ['half a header', Uint8Array.of(0x41, 0)],
  ])('ends the link only where it may not come again, three times in a row: %s', (_name, record) => {
    const pair = connected();
    for (const isBroken of [false, false, true]) {
      expect(() => pair.server.receive(record, 0, 0)).toThrow(PROTOCOL_ERROR);
      expect(pair.server.isBroken).toBe(isBroken);
      pair.disconnect();
      pair.connect();
      while (pair.record('client'));
    }
  });

  it('counts from the start again once something new was received or acknowledged', () => {
    const pair = connected();
    const id = pair.open();
    for (let count = 0; count < 6; count += 1) {
      expect(() => pair.server.receive(UNNUMBERED, 0, 0)).toThrow(PROTOCOL_ERROR);
      expect(pair.server.isBroken).toBe(false);
      pair.disconnect();
      pair.connect();
      if (count % 2 === 1) pair[count % 4 === 1 ? 'client' : 'server'].write(id, new Uint8Array(1));
      pair.settle();
    }
  });

  it('before accepted is one of the link', () => {
    const pair = new Pair();
    pair.client.beginLink(0, HEARTBEAT, 20, KNOWN_FEATURES);
    expect(() => pair.client.receive(lie({ type: 'end', streamId: 1 }), 0, 0)).toThrow(PROTOCOL_ERROR);
    expect(pair.client.isBroken).toBe(false);
  });
});

describe('what a peer must not do', () => {
  it.each<[string, 'client' | 'server', Frame[]]>([
    ['data for a stream that never was', 'client', [{ type: 'data', streamId: 99, data: new Uint8Array(1) }]],
    ['credit for a stream that never was', 'client', [{ type: 'credit', streamId: 99, offset: 1 }]],
    ['a reset of a stream that never was', 'client', [{ type: 'reset', streamId: 2, code: '' }]],
    [
      'data after an end',
      'client',
      [
        { type: 'end', streamId: 1 },
        { type: 'data', streamId: 1, data: new Uint8Array(1) },
      ],
    ],
    [
      'two ends',
      'client',
      [
        { type: 'end', streamId: 1 },
        { type: 'end', streamId: 1 },
      ],
    ],
    [
      'an old stream id',
      'client',
      [{ type: 'open', streamId: 1, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] }],
    ],
    [
      'a stream id of the other side',
      'client',
      [{ type: 'open', streamId: 4, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] }],
    ],
    ['more than its credit', 'client', [{ type: 'data', streamId: 1, data: new Uint8Array(FIRST_CREDIT_BYTES + 1) }]],
    ['an acknowledgement of what was not sent', 'server', [{ type: 'acknowledgement', number: 2 }]],
    [
      'a second accepted',
      'client',
      [{ type: 'accepted', ...IDENTITY, received: 0, next: 2, heartbeatIntervalMs: 1, heartbeatTimeoutMs: 1 }],
    ],
    [
      'an accepted client',
      'server',
      [{ type: 'accepted', ...IDENTITY, received: 0, next: 2, heartbeatIntervalMs: 1, heartbeatTimeoutMs: 1 }],
    ],
    ['a late refusal', 'client', [{ type: 'refused', code: '', retryAfterMs: 0, detail: '' }]],
    ['a client that drains', 'server', [{ type: 'drain', retryAfterMs: 0, spreadMs: 0, graceMs: 0 }]],
    ['a client that refuses visitors', 'server', [{ type: 'visitors-refused', tunnelId: 1, denied: 1, overLimit: 0 }]],
    [
      'a server that asks for a tunnel',
      'client',
      [{ type: 'tunnel-request', tunnelId: 1, kind: 1, name: '', label: '', terms: [] }],
    ],
    [
      'a client that grants one',
      'server',
      [{ type: 'tunnel-granted', tunnelId: 1, name: '1', addresses: ['tcp://:1'] }],
    ],
    ['a client that refuses one', 'server', [{ type: 'tunnel-refused', tunnelId: 1, code: '', detail: '' }]],
  ])('%s', (_what, victim, frames) => {
    const pair = connected();
    pair.open();
    expect(() => pair.deliver(victim, lie(...frames))).toThrow(PROTOCOL_ERROR);
  });

  it('count frames beyond what can be counted', () => {
    const pair = connected();
    const record = lie(...Array.from({ length: 10_000 }, (): Frame => ({ type: 'void', count: 0xffff_ffff })));
    expect(() => {
      for (let count = 0; count < 300; count += 1) pair.deliver('client', record);
    }).toThrow(PROTOCOL_ERROR);
    expect(Number.isSafeInteger(pair.client.resumePoint.received)).toBe(true);
  });

  it('open streams without end', () => {
    const pair = connected();
    let streamId = 0;
    expect(() => {
      for (;;)
        pair.deliver(
          'server',
          lie({ type: 'open', streamId: (streamId += 2), tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] }),
        );
    }).toThrow(PROTOCOL_ERROR);
    expect(pair.server.streamCount).toBe(2 * STREAM_LIMIT);
  });

  it('ask without end and acknowledge nothing', () => {
    const pair = connected();
    let asked = 0;
    expect(() => {
      for (; asked < 1e6; asked += 1) {
        pair.server.sendTunnelFrame({ type: 'tunnel-refused', tunnelId: 1, code: 'tunnel-limit', detail: '' });
        pair.deliver('server', lie({ type: 'tunnel-request', tunnelId: 1, kind: 1, name: '', label: '', terms: [] }));
      }
    }).toThrow(PROTOCOL_ERROR);
    expect(asked).toBe(CONTROL_QUEUE_LIMIT - 1);
  });
});

describe('limits', () => {
  it('a stream is refused at the limit, until slots are free again', () => {
    const pair = connected();
    for (let count = 0; count < STREAM_LIMIT; count += 1) {
      expect(pair.server.openStream(1, [], 0)).toBe(2 * count + 1);
    }
    while (pair.record('server', MAX_PLAINTEXT_BYTES));
    expect(pair.server.openStream(1, [], 0)).toBeUndefined();
    for (let count = 0; count < STREAM_LIMIT; count += 1) pair.server.reset(2 * count + 1, 'stream-reset');
    expect(pair.server.openStream(1, [], 0)).toBeUndefined();
    pair.disconnect();
    pair.connect();
    pair.settle();
    expect(pair.server.streamCount).toBe(0);
    expect(pair.client.streamCount).toBe(0);
    expect(pair.server.openStream(1, [], 0)).toBe(2 * STREAM_LIMIT + 1);
  });

  it('what is unacknowledged stops streams, not heartbeats, and a new link gets them going again', () => {
    const pair = connected();
    const ids = Array.from({ length: 300 }, () => pair.open());
    for (const id of ids) {
      pair.server.write(id, new Uint8Array(FIRST_CREDIT_BYTES).fill(id));
      pair.server.end(id, pair.now);
    }
    // Everything is lost in transit.
    while (pair.record('server'));
    const { limitBytes } = new Flight(0, 0);
    expect(pair.server.logBytes).toBeGreaterThanOrEqual(limitBytes);
    expect(pair.server.logBytes).toBeLessThan(limitBytes + 2 * FIRST_CREDIT_BYTES);
    pair.server.probe(0);
    expect(pair.record('server')).toHaveLength(21);
    // Resets wait for room as well, and are still sent.
    pair.server.reset(ids[0]!, 'stream-reset');
    pair.disconnect();
    pair.connect();
    pair.settle();
    expect(pair.server.logBytes).toBe(0);
    const told = pair.events('client').filter((event) => event.startsWith('stream-ended'));
    expect(told).toEqual(ids.slice(1).map((id) => `stream-ended ${id}`));
    expect(pair.client.heldBytes(ids[0]!)).toBe(0);
    expect(ids.slice(1).every((id) => pair.client.heldBytes(id) === FIRST_CREDIT_BYTES)).toBe(true);
    expect(pair.client.streamCount).toBe(299);
  });

  it('streams that a client opens are reset', () => {
    const pair = connected();
    pair.deliver(
      'server',
      lie({ type: 'open', streamId: 2, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] }),
    );
    expect(pair.events('server')).not.toContain('stream-opened 2');
    expect(pair.record('server')?.includes(0x43)).toBe(true);
  });

  it('a record has room for the credit of as many streams as there may be, and no more than it may hold', () => {
    const pair = connected();
    for (let count = 0; count < STREAM_LIMIT; count += 1) pair.server.openStream(1, [], 0);
    pair.settle();
    for (let id = 1; id < 2 * STREAM_LIMIT; id += 2) pair.client.consumed(id, FIRST_CREDIT_BYTES, pair.now);
    pair.server.openStream(1, [], 0);
    pair.server.reset(1, 'stream-reset');
    pair.deliver('client', pair.record('server')!);
    const full = pair.record('client', Infinity)!;
    expect(full.length).toBeLessThanOrEqual(MAX_PLAINTEXT_BYTES);
    expect(full.length).toBeGreaterThan(MAX_PLAINTEXT_BYTES - 64);
    expect(pair.record('client', Infinity)).toBeDefined();
    expect(pair.record('client', Infinity)).toBeUndefined();
  });

  it('a session that is disposed of holds nothing', () => {
    const pair = connected();
    const id = pair.open();
    for (let count = 0; count < 50; count += 1) {
      pair.server.write(id, new Uint8Array(FIRST_CREDIT_BYTES));
      pair.settle();
      pair.client.consumed(id, pair.client.heldBytes(id), pair.now);
    }
    pair.client.dispose();
    pair.server.dispose();
    expect(pair.budget.usedBytes).toBe(0);
    expect(pair.client.hasLink).toBe(false);
    expect(pair.client.deadline).toBe(Infinity);
    expect(pair.client.nextRecord(0, builder, 4096)).toBeUndefined();
    expect(pair.client.tick(1e9, 0)).toBe('alive');
  });
});

describe('tunnel frames and notices', () => {
  it('tunnel frames arrive once and in order, notices where the link lasts', () => {
    const pair = connected();
    pair.events('server');
    pair.client.sendTunnelFrame({ type: 'tunnel-request', tunnelId: 1, kind: 1, name: '', label: 'a', terms: [] });
    pair.client.sendNotice({ type: 'goodbye', code: 'stopped' });
    const lost = pair.record('client')!;
    expect(lost.includes(0x48)).toBe(true);
    pair.disconnect();
    pair.client.sendNotice({ type: 'goodbye', code: 'stopped' });
    pair.client.sendTunnelFrame({ type: 'tunnel-close', tunnelId: 1, code: 'stopped' });
    pair.connect();
    pair.settle();
    expect(pair.events('server')).toEqual(['tunnel-request', 'tunnel-close', 'answered']);
  });

  it('notices that a link does not take are bounded, and a good-bye behind them still fits into a last record', () => {
    const pair = connected();
    pair.events('client');
    for (let denied = 1; denied <= 20_000; denied += 1) {
      pair.server.sendNotice({ type: 'visitors-refused', tunnelId: 1, denied, overLimit: 0 });
    }
    pair.server.sendNotice({ type: 'goodbye', code: 'stopped' });
    pair.deliver('client', pair.record('server', 4096)!);
    const events = pair.events('client');
    expect(events.length).toBeLessThan(200);
    expect(events.at(-1)).toBe('goodbye');
  });

  it('notices that a record has no room for follow in the next one, in order', () => {
    const pair = connected();
    for (let denied = 1; denied <= 100; denied += 1) {
      pair.server.sendNotice({ type: 'visitors-refused', tunnelId: 1, denied, overLimit: 0 });
    }
    for (let record = pair.record('server', 500); record; record = pair.record('server', 500)) {
      expect(record.length).toBeLessThanOrEqual(500);
      pair.deliver('client', record);
    }
    const counts = pair.told.client.flatMap((event) => (event.type === 'visitors-refused' ? [event.denied] : []));
    expect(counts).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });
});
