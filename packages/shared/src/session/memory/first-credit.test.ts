import { describe, expect, it } from 'vitest';
import { RecordBuilder } from '../../link/record-builder.ts';
import { FEATURE, KNOWN_FEATURES } from '../../wire/constants.ts';
import { decodeFrames } from '../../wire/decode.ts';
import { encodeFrame } from '../../wire/encode.ts';
import type { Frame, OpenFrame } from '../../wire/frame.ts';
import { FIRST_CREDIT_BYTES, LEAST_WINDOW_BYTES } from './constants.ts';
import type { FirstCredit } from './first-credit.ts';
import { MemoryBudget } from './memory-budget.ts';
import { Session } from '../session.ts';

const MiB = 1024 * 1024;
const HEARTBEAT = { intervalMs: 2000, timeoutMs: 8000 };
const IDENTITY = { sessionId: new Uint8Array(16), token: new Uint8Array(32), resumeWindowMs: 1000, agent: '' };
const NEW = { received: 0, next: 1, heartbeat: HEARTBEAT };
const PROTOCOL_ERROR: object = expect.objectContaining({ code: 'protocol-error' });
const builder = new RecordBuilder();

function framesOf(session: Session): Frame[] {
  const frames: Frame[] = [];
  for (let parts; (parts = session.nextRecord(0, builder, 65_536));) frames.push(...decodeFrames(Buffer.concat(parts)));
  return frames;
}

function opensOf(session: Session): OpenFrame[] {
  return framesOf(session).filter((frame) => frame.type === 'open');
}

function openStreams(session: Session, count: number): OpenFrame[] {
  for (let opened = 0; opened < count; opened += 1) session.openStream(1, [], 0);
  return opensOf(session);
}

function sum(opens: readonly OpenFrame[], what: 'creditBytes' | 'takenBytes'): number {
  return opens.reduce((total, open) => total + open[what], 0);
}

describe('a server', () => {
  function serverWith(offer: FirstCredit, budget = new MemoryBudget(160 * MiB)): Session {
    const session = new Session({ role: 'server', budget });
    session.acceptLink(0, HEARTBEAT, 20, { ...NEW, ...offer, features: KNOWN_FEATURES }, IDENTITY);
    return session;
  }

  it('takes of the offer what one stream may have, and not more in all than is offered', () => {
    const offer = { firstCreditBytes: 100_000, firstCreditTotalBytes: 40 * MiB };
    const opens = openStreams(serverWith(offer), 4000);
    expect(opens[0]?.takenBytes).toBe(100_000);
    expect(sum(opens, 'takenBytes')).toBe(40 * MiB);
    // Later ones get something for as long as any is left.
    expect(opens.filter(({ takenBytes }) => takenBytes >= LEAST_WINDOW_BYTES).length).toBeGreaterThan(500);
    expect(opens.at(-1)?.takenBytes).toBe(0);
  });

  it('has again what a stream took that is over', () => {
    const session = serverWith({ firstCreditBytes: 10, firstCreditTotalBytes: 10 });
    const [open] = openStreams(session, 1);
    expect(openStreams(session, 1)[0]?.takenBytes).toBe(0);
    session.reset(open!.streamId, 'stream-reset');
    framesOf(session);
    session.receive(encodeFrame({ type: 'acknowledgement', number: 3 }), 0, 0);
    session.receive(encodeFrame({ type: 'reset', streamId: open!.streamId, code: '' }), 0, 0);
    expect(openStreams(session, 1)[0]?.takenBytes).toBe(10);
  });

  it('keeps to the offer of the hello that began the session', () => {
    const session = serverWith({ firstCreditBytes: 10, firstCreditTotalBytes: 20 });
    session.endLink();
    const later = { ...NEW, firstCreditBytes: 99, firstCreditTotalBytes: 99, features: 0 };
    session.acceptLink(0, HEARTBEAT, 20, later, IDENTITY);
    expect(openStreams(session, 3).map(({ takenBytes }) => takenBytes)).toEqual([10, 10, 0]);
  });

  it('grants 256 KiB while memory is plentiful, less and less after that, and charges it at once', () => {
    const budget = new MemoryBudget(160 * MiB);
    const session = serverWith({ firstCreditBytes: 0, firstCreditTotalBytes: 0 }, budget);
    const opens = openStreams(session, 4000);
    expect(opens[0]?.creditBytes).toBe(FIRST_CREDIT_BYTES);
    expect(opens[50]?.creditBytes).toBe(FIRST_CREDIT_BYTES);
    expect(opens.at(-1)?.creditBytes).toBeLessThan(LEAST_WINDOW_BYTES + 1024);
    expect(Math.min(...opens.map(({ creditBytes }) => creditBytes))).toBeGreaterThanOrEqual(LEAST_WINDOW_BYTES);
    expect(budget.promisedBytes).toBe(sum(opens, 'creditBytes') - opens.length * LEAST_WINDOW_BYTES);
    // Idle streams do not take what active ones need.
    expect(session.isCrowded).toBe(false);
    session.dispose();
    expect(budget.usedBytes).toBe(0);
  });

  it('takes the very last byte of the first credit, and no byte more', () => {
    const session = serverWith({ firstCreditBytes: 0, firstCreditTotalBytes: 0 }, new MemoryBudget(0));
    const [open] = openStreams(session, 1);
    const hear = (bytes: number): void =>
      session.receive(encodeFrame({ type: 'data', streamId: 1, data: new Uint8Array(bytes) }), 0, 0);
    hear(open!.creditBytes);
    expect(() => hear(1)).toThrow(PROTOCOL_ERROR);
  });

  it('is offered nothing by itself: a stream of a client takes nothing', () => {
    const session = serverWith({ firstCreditBytes: 10, firstCreditTotalBytes: 10 });
    const open = { type: 'open', streamId: 2, tunnelId: 1, creditBytes: 10, attributes: [] } as const;
    session.receive(encodeFrame({ ...open, takenBytes: 0 }), 0, 0);
    expect(framesOf(session)).toContainEqual({ type: 'reset', streamId: 2, code: 'stream-unexpected' });
    expect(() => session.receive(encodeFrame({ ...open, streamId: 4, takenBytes: 1 }), 0, 0)).toThrow(PROTOCOL_ERROR);
    expect(session.isBroken).toBe(true);
  });

  it('tells counts of visitors only to a client that knows them', () => {
    const session = serverWith({ firstCreditBytes: 0, firstCreditTotalBytes: 0 });
    const counts = { type: 'visitors-refused', tunnelId: 1, denied: 1, overLimit: 0 } as const;
    expect(session.features).toBe(FEATURE.visitorCounts);
    session.sendNotice(counts);
    expect(framesOf(session)).toContainEqual(counts);
    session.endLink();
    expect(session.features).toBe(0);
    session.acceptLink(
      0,
      HEARTBEAT,
      20,
      { ...NEW, firstCreditBytes: 0, firstCreditTotalBytes: 0, features: 0 },
      IDENTITY,
    );
    session.sendNotice(counts);
    expect(framesOf(session)).not.toContainEqual(counts);
  });
});

describe('a client', () => {
  function clientWith(budget: MemoryBudget, features = KNOWN_FEATURES): Session {
    const session = new Session({ role: 'client', budget });
    session.beginLink(0, HEARTBEAT, 20, features);
    const times = { heartbeatIntervalMs: 2000, heartbeatTimeoutMs: 8000 };
    session.receive(encodeFrame({ type: 'accepted', ...IDENTITY, received: 0, next: 1, ...times }), 0, 0);
    framesOf(session);
    return session;
  }

  function open(session: Session, streamId: number, takenBytes: number): void {
    const frame = { type: 'open', streamId, tunnelId: 1, creditBytes: 0, takenBytes, attributes: [] } as const;
    session.receive(encodeFrame(frame), 0, 0);
  }

  it('offers much or little, as memory allows, and a session keeps to what it offered', () => {
    const budget = new MemoryBudget(160 * MiB);
    const early = clientWith(budget);
    const offer = { firstCreditBytes: FIRST_CREDIT_BYTES, firstCreditTotalBytes: 40 * MiB };
    expect(early.firstCredit).toEqual(offer);
    budget.share().wait(150 * MiB);
    expect(clientWith(budget).firstCredit).toEqual({
      firstCreditBytes: LEAST_WINDOW_BYTES,
      firstCreditTotalBytes: 2.5 * MiB,
    });
    expect(early.firstCredit).toEqual(offer);
  });

  it('bears no stream that takes more than is offered', () => {
    const session = clientWith(new MemoryBudget(160 * MiB));
    open(session, 1, FIRST_CREDIT_BYTES);
    expect(() => open(session, 3, FIRST_CREDIT_BYTES + 1)).toThrow(PROTOCOL_ERROR);
    expect(session.isBroken).toBe(true);
  });

  it('bears twice of what all streams may take, since some may be over at the server', () => {
    const budget = new MemoryBudget(16 * MiB);
    const session = clientWith(budget);
    const { firstCreditBytes, firstCreditTotalBytes } = session.firstCredit;
    let streamId = 1;
    let takenBytes = 0;
    for (; takenBytes + firstCreditBytes <= 2 * firstCreditTotalBytes; takenBytes += firstCreditBytes) {
      open(session, streamId, firstCreditBytes);
      streamId += 2;
    }
    const streamCount = (streamId - 1) / 2;
    expect(budget.promisedBytes).toBe(takenBytes - streamCount * LEAST_WINDOW_BYTES);
    open(session, streamId, 2 * firstCreditTotalBytes - takenBytes);
    expect(() => open(session, streamId + 2, 1)).toThrow(PROTOCOL_ERROR);
  });

  it('grants at once to a stream that took too little to be of use, on the next link too', () => {
    const session = clientWith(new MemoryBudget(160 * MiB));
    open(session, 1, 0);
    const credit = { type: 'credit', streamId: 1, offset: LEAST_WINDOW_BYTES };
    expect(framesOf(session)).toContainEqual(credit);
    open(session, 3, LEAST_WINDOW_BYTES);
    expect(framesOf(session)).not.toContainEqual(expect.objectContaining({ type: 'credit', streamId: 3 }));
    session.endLink();
    session.beginLink(0, HEARTBEAT, 20, KNOWN_FEATURES);
    expect(framesOf(session)).toContainEqual(credit);
  });

  it('does not bear counts of visitors that were not agreed on', () => {
    const counts = encodeFrame({ type: 'visitors-refused', tunnelId: 1, denied: 1, overLimit: 0 });
    const budget = new MemoryBudget(0);
    clientWith(budget).receive(counts, 0, 0);
    expect(() => clientWith(budget, 0).receive(counts, 0, 0)).toThrow(PROTOCOL_ERROR);
  });
});

it('a stream goes on however little its peer grants at a time', () => {
  const session = new Session({ role: 'server', budget: new MemoryBudget(160 * MiB) });
  const offer = { firstCreditBytes: 0, firstCreditTotalBytes: 0, features: 0 };
  session.acceptLink(0, HEARTBEAT, 20, { ...NEW, ...offer }, IDENTITY);
  const streamId = session.openStream(1, [], 0)!;
  expect(session.write(streamId, new Uint8Array(100))).toBe(-100);
  framesOf(session);
  session.receive(encodeFrame({ type: 'credit', streamId, offset: 101 }), 0, 0);
  framesOf(session);
  expect(session.takeEvents()).toContainEqual({ type: 'stream-writable', streamId });
});
