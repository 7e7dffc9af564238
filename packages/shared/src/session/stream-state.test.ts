import { describe, expect, it } from 'vitest';
import {
  INCOMING,
  isOver,
  OUTGOING,
  type IncomingEvent,
  type IncomingState,
  type OutgoingEvent,
  type OutgoingState,
} from './stream-state.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { ReceiveWindow } from './memory/receive-window.ts';
import { Stream } from './stream.ts';

const OUTGOING_EVENTS: readonly OutgoingEvent[] = [
  'end',
  'fail',
  'reset',
  'end-sent',
  'reset-sent',
  'end-acknowledged',
  'reset-acknowledged',
];
const INCOMING_EVENTS: readonly IncomingEvent[] = ['end', 'reset', 'discard'];

/** Every legal transition, repeated here as `state event -> state`. */
const LEGAL_OUTGOING = [
  'open end -> ending',
  'open fail -> failing',
  'open reset -> resetting',
  'ending fail -> closing',
  'ending reset -> resetting',
  'ending end-sent -> ended',
  'ended fail -> failing',
  'ended reset -> resetting',
  'ended end-acknowledged -> finished',
  'finished fail -> failing',
  'finished reset -> resetting',
  'closing reset -> resetting',
  'closing end-sent -> failing',
  'failing reset -> resetting',
  'failing reset-sent -> failed',
  'failing end-acknowledged -> failing',
  'failed reset -> reset',
  'failed end-acknowledged -> failed',
  'failed reset-acknowledged -> gone',
  'resetting reset-sent -> reset',
  'resetting end-acknowledged -> resetting',
  'reset end-acknowledged -> reset',
  'reset reset-acknowledged -> gone',
];
const LEGAL_INCOMING = [
  'open end -> ended',
  'open reset -> reset',
  'open discard -> discarding',
  'discarding end -> ended',
  'discarding reset -> reset',
  'discarding discard -> discarding',
  'ended reset -> reset',
  'ended discard -> ended',
  'reset discard -> reset',
];

function newStream(): Stream {
  return new Stream(1, 0, new ReceiveWindow(0, new MemoryBudget(0).share(), 0), new MemoryBudget(0).share(), 65_536);
}

describe('every pair of state and event is legal or throws', () => {
  it('outgoing', () => {
    const legal: string[] = [];
    const refused: string[] = [];
    for (const state of Object.keys(OUTGOING) as OutgoingState[]) {
      for (const event of OUTGOING_EVENTS) {
        const stream = newStream();
        stream.outgoing = state;
        try {
          stream.stepOutgoing(event);
          legal.push(`${state} ${event} -> ${stream.outgoing}`);
        } catch {
          refused.push(stream.outgoing === state ? 'as it was' : 'changed');
        }
      }
    }
    expect(legal).toEqual(LEGAL_OUTGOING);
    expect(refused).toEqual(Array.from({ length: 10 * 7 - legal.length }, () => 'as it was'));
    expect(() => newStream().stepOutgoing('end-sent')).toThrow('stream 1: end-sent while open');
  });

  it('incoming', () => {
    const legal: string[] = [];
    const refused: string[] = [];
    for (const state of Object.keys(INCOMING) as IncomingState[]) {
      for (const event of INCOMING_EVENTS) {
        const stream = newStream();
        stream.incoming = state;
        if (stream.stepIncoming(event)) legal.push(`${state} ${event} -> ${stream.incoming}`);
        else refused.push(stream.incoming === state ? 'as it was' : 'changed');
      }
    }
    expect(legal).toEqual(LEGAL_INCOMING);
    expect(refused).toEqual(Array.from({ length: 4 * 3 - legal.length }, () => 'as it was'));
  });

  it('a stream is over once the peer has our end and we have the end of the peer', () => {
    for (const outgoing of Object.keys(OUTGOING) as OutgoingState[]) {
      for (const incoming of Object.keys(INCOMING) as IncomingState[]) {
        const theyHaveOurs = outgoing === 'finished' || outgoing === 'gone';
        const weHaveTheirs = incoming === 'ended' || incoming === 'reset';
        expect(isOver(outgoing, incoming)).toBe(theyHaveOurs && weHaveTheirs);
      }
    }
  });
});

describe('what a stream may send', () => {
  it('is bounded by its credit, and cut where asked for', () => {
    const stream = newStream();
    stream.enqueue(new Uint8Array(60_000).fill(1));
    stream.enqueue(new Uint8Array(60_000).fill(2));
    expect(stream.sendableBytes).toBe(65_536);
    expect(stream.writableBytes).toBe(65_536 - 120_000);
    expect(stream.dequeue(100)).toHaveLength(100);
    expect(stream.dequeue(65_436)).toHaveLength(59_900);
    expect(stream.sendableBytes).toBe(5536);
    expect(stream.dequeue(5536)).toEqual(new Uint8Array(5536).fill(2));
    expect(stream.sendableBytes).toBe(0);
    stream.raiseCredit(65_537);
    stream.raiseCredit(10);
    expect(stream.sendableBytes).toBe(1);
    expect(stream.queuedBytes).toBe(54_464);
    stream.dropQueue();
    expect(stream.sendableBytes).toBe(0);
    expect(() => stream.dequeue(1)).toThrow(RangeError);
  });

  it('is put together where it is in small chunks', () => {
    const stream = newStream();
    for (let chunk = 0; chunk < 30; chunk += 1) stream.enqueue(new Uint8Array(1000).fill(chunk));
    stream.enqueue(new Uint8Array(8000).fill(99));
    const whole = new Uint8Array(38_000).map((_, at) => (at < 30_000 ? Math.floor(at / 1000) : 99));
    expect(stream.dequeue(1500)).toEqual(whole.subarray(0, 1500));
    expect(stream.dequeue(65_536)).toEqual(whole.subarray(1500, 1500 + 16_384));
    expect(stream.dequeue(65_536)).toEqual(whole.subarray(17_884, 30_000));
    // A large enough chunk, and the last one, are not copied.
    expect(stream.dequeue(65_536)).toEqual(whole.subarray(30_000));
    expect(stream.queuedBytes).toBe(0);
    const last = new Uint8Array(10);
    stream.enqueue(last);
    expect(stream.dequeue(65_536)).toBe(last);
  });

  it('is put together also while it waits, where it is in many small chunks', () => {
    const stream = newStream();
    for (let byte = 0; byte < 65_536; byte += 1) stream.enqueue(Uint8Array.of(byte));
    // Before anything has been taken.
    expect(stream.nextChunkBytes).toBeGreaterThanOrEqual(4096);
    const pieces: Uint8Array[] = [];
    while (stream.queuedBytes > 0) pieces.push(stream.dequeue(65_536));
    expect(pieces.length).toBeLessThanOrEqual(17);
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(Uint8Array.from({ length: 65_536 }, (_, byte) => byte));
    // Even between large ones, which are left alone.
    const large = Array.from({ length: 50 }, () => new Uint8Array(4096).fill(1));
    for (const chunk of large) {
      stream.enqueue(Uint8Array.of(2));
      stream.enqueue(Uint8Array.of(3));
      stream.enqueue(chunk);
    }
    for (const chunk of large) {
      expect(stream.dequeue(65_536)).toEqual(Uint8Array.of(2, 3));
      expect(stream.dequeue(65_536)).toBe(chunk);
    }
  });

  it('is half-closed where one direction is closed and the other still moves, or where a RESET waits behind data', () => {
    const half: string[] = [];
    for (const outgoing of Object.keys(OUTGOING) as OutgoingState[]) {
      for (const incoming of Object.keys(INCOMING) as IncomingState[]) {
        const stream = newStream();
        stream.outgoing = outgoing;
        stream.incoming = incoming;
        if (stream.isHalfClosed) half.push(`${outgoing} ${incoming}`);
      }
    }
    expect(half).toEqual([
      'open ended',
      'ending open',
      'ending ended',
      'ended open',
      'finished open',
      ...['closing', 'failing'].flatMap((outgoing) =>
        Object.keys(INCOMING).map((incoming) => `${outgoing} ${incoming}`),
      ),
    ]);
  });
});
