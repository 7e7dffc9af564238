import { describe, expect, it } from 'vitest';
import { DATA_HEADER_BYTES, MAX_PLAINTEXT_BYTES } from '../wire/constants.ts';
import { decodeFrames } from '../wire/decode.ts';
import type { Frame } from '../wire/frame.ts';
import {
  ACKNOWLEDGEMENT_BYTES,
  LOG_ENTRY_OVERHEAD_BYTES,
  LOG_LIMIT_BYTES,
  UNCONFIRMED_REPLAY_BYTES,
} from './constants.ts';
import { OutgoingLog, type LogEntry } from './outgoing-log.ts';
import { Outgoing } from './outgoing.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { ReceiveWindow } from './memory/receive-window.ts';
import { RecordBuilder } from '../link/record-builder.ts';
import { Stream } from './stream.ts';

const LARGEST = MAX_PLAINTEXT_BYTES - ACKNOWLEDGEMENT_BYTES;
const builder = new RecordBuilder();

function newStream(id: number): Stream {
  const stream = new Stream(
    id,
    0,
    new ReceiveWindow(0, new MemoryBudget(0).share(), 0),
    new MemoryBudget(0).share(),
    0,
  );
  stream.raiseCredit(Number.MAX_SAFE_INTEGER);
  return stream;
}

function write(outgoing: Outgoing, stream: Stream, bytes: number): void {
  stream.enqueue(new Uint8Array(bytes));
  outgoing.activate(stream);
}

function end(outgoing: Outgoing, stream: Stream): void {
  stream.stepOutgoing('end');
  outgoing.activate(stream);
}

function reset(outgoing: Outgoing, stream: Stream): void {
  stream.stepOutgoing('reset');
  stream.resetCode = 'r';
  stream.dropQueue();
  outgoing.sendReset(stream);
}

function ignore(): void {}

/** A flight without a limit. */
const UNLIMITED = { limitBytes: Infinity, full: () => {} };

function fill(outgoing: Outgoing, limitBytes = LARGEST, isConfirmed = true, before = 0): Frame[] | undefined {
  builder.start(limitBytes);
  for (let count = 0; count < before; count += 1) builder.add({ type: 'credit', streamId: 1, offset: 1 });
  outgoing.addTo(builder, limitBytes, { isConfirmed, flight: UNLIMITED }, ignore);
  const record = Buffer.concat(builder.finish());
  return record.length === 0 ? undefined : decodeFrames(record);
}

/** All records in short notation: `data 1:100`, `end 1`, `void 3`. */
function drain(outgoing: Outgoing, limitBytes?: number, confirmed?: boolean): string[] {
  const words: string[] = [];
  for (let frames = fill(outgoing, limitBytes, confirmed); frames; frames = fill(outgoing, limitBytes, confirmed)) {
    for (const frame of frames) {
      if (frame.type === 'data') words.push(`data ${frame.streamId}:${frame.data.length}`);
      else if (frame.type === 'void') words.push(`void ${frame.count}`);
      else if ('streamId' in frame) words.push(`${frame.type} ${frame.streamId}`);
      else words.push(frame.type);
    }
  }
  return words;
}

describe('the log', () => {
  it('numbers from 1 on, and counts bytes with what keeping them costs', () => {
    const log = new OutgoingLog();
    const stream = newStream(1);
    const entry = (bytes: number): LogEntry => ({ kind: 'data', stream, data: new Uint8Array(bytes) });
    expect(log.next).toBe(1);
    log.append(entry(100));
    log.append({ kind: 'control', frame: new Uint8Array(10) });
    expect(log.next).toBe(3);
    expect(log.bytes).toBe(110 + 2 * LOG_ENTRY_OVERHEAD_BYTES);
    expect(log.at(2).kind).toBe('control');
    const told: string[] = [];
    log.acknowledge(1, ({ kind }) => told.push(kind));
    expect(told).toEqual(['data']);
    expect(log.bytes).toBe(10 + LOG_ENTRY_OVERHEAD_BYTES);
    expect(() => log.at(1)).toThrow(RangeError);
    expect(() => log.at(3)).toThrow(RangeError);
    log.acknowledge(1, () => told.push('again'));
    log.acknowledge(2, ignore);
    expect(() => log.acknowledge(3, ignore)).toThrow(RangeError);
    expect(told).toHaveLength(1);
    expect(log.bytes).toBe(0);
    expect(log.next).toBe(3);
  });
});

describe('order', () => {
  it('control goes before data, and an end behind its data', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 10);
    end(outgoing, stream);
    outgoing.sendControl({ type: 'tunnel-close', tunnelId: 1, code: '' });
    expect(drain(outgoing)).toEqual(['tunnel-close', 'data 1:10', 'end 1']);
    expect(outgoing.next).toBe(4);
    expect(drain(outgoing)).toEqual([]);
  });

  it('an end waits for room, and then goes alone', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 1000);
    end(outgoing, stream);
    // Not a single byte is left after the data.
    expect(fill(outgoing, 1000 + DATA_HEADER_BYTES)).toHaveLength(1);
    expect(drain(outgoing)).toEqual(['end 1']);
  });

  it('small records carry small pieces, and every stream in turn', () => {
    const outgoing = new Outgoing();
    for (const id of [1, 3]) write(outgoing, newStream(id), 3000);
    expect(drain(outgoing, 4096)).toEqual([
      'data 1:1365',
      'data 3:1365',
      'data 1:1342',
      'data 1:23',
      'data 3:1365',
      'data 1:270',
      'data 3:270',
    ]);
  });
});

describe('a new link', () => {
  it('gets everything again that was not acknowledged, in the same frames', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    outgoing.sendControl({ type: 'open', streamId: 1, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] });
    write(outgoing, stream, 100);
    const first = drain(outgoing);
    write(outgoing, stream, 200);
    end(outgoing, stream);
    first.push(...drain(outgoing));
    expect(outgoing.beginLink()).toBe(1);
    expect(drain(outgoing)).toEqual(first);
    outgoing.acknowledge(2, ignore);
    expect(outgoing.beginLink()).toBe(3);
    expect(drain(outgoing)).toEqual(['data 1:200', 'end 1']);
    outgoing.acknowledge(4, ignore);
    expect(outgoing.beginLink()).toBe(5);
    expect(drain(outgoing)).toEqual([]);
    expect(outgoing.logBytes).toBe(0);
  });

  it('gets new frames behind the old ones', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 100);
    drain(outgoing);
    outgoing.beginLink();
    write(outgoing, stream, 7);
    outgoing.sendControl({ type: 'tunnel-close', tunnelId: 1, code: '' });
    expect(drain(outgoing)).toEqual(['data 1:100', 'tunnel-close', 'data 1:7']);
  });

  it('gets VOID for what was acknowledged since the hello', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    for (const bytes of [1, 2, 3, 4]) {
      write(outgoing, stream, bytes);
      drain(outgoing);
    }
    outgoing.beginLink();
    outgoing.acknowledge(3, ignore);
    expect(drain(outgoing)).toEqual(['void 3', 'data 1:4']);
    outgoing.beginLink();
    outgoing.acknowledge(4, ignore);
    write(outgoing, stream, 5);
    expect(drain(outgoing)).toEqual(['void 1', 'data 1:5']);
  });

  it('gets VOID for what a reset withdrew, and then the reset', () => {
    const outgoing = new Outgoing();
    const doomed = newStream(1);
    const other = newStream(3);
    outgoing.sendControl({ type: 'open', streamId: 1, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] });
    write(outgoing, doomed, 10);
    drain(outgoing);
    write(outgoing, doomed, 20);
    end(outgoing, doomed);
    drain(outgoing);
    write(outgoing, other, 30);
    drain(outgoing);
    reset(outgoing, doomed);
    outgoing.beginLink();
    const words = ['open 1', 'void 3', 'data 3:30', 'reset 1'];
    expect(drain(outgoing)).toEqual(words);
    outgoing.beginLink();
    expect(drain(outgoing)).toEqual(words);
    // Even after some of the withdrawn ones are acknowledged.
    outgoing.beginLink();
    outgoing.acknowledge(2, ignore);
    expect(drain(outgoing)).toEqual(['void 4', 'data 3:30', 'reset 1']);
  });

  it('with small records gets large frames whole, whatever else is in the record', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 50_000);
    write(outgoing, stream, 100);
    drain(outgoing);
    outgoing.beginLink();
    expect(fill(outgoing, 4096, true, 30)?.slice(30)).toMatchObject([{ type: 'data' }]);
    expect(drain(outgoing, 4096)).toEqual(['data 1:100']);
    // Unless the record would exceed the largest possible one.
    outgoing.beginLink();
    expect(fill(outgoing, LARGEST, true, 14_000)).toHaveLength(14_000);
  });

  it('that is not confirmed gets only a little, and the rest once it is', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    for (let count = 0; count < 10; count += 1) {
      write(outgoing, stream, 20_000);
      drain(outgoing);
    }
    outgoing.beginLink();
    expect(drain(outgoing, LARGEST, false)).toEqual(['data 1:20000', 'data 1:20000', 'data 1:20000']);
    outgoing.sendControl({ type: 'tunnel-close', tunnelId: 1, code: '' });
    expect(drain(outgoing, LARGEST, false)).toEqual([]);
    expect(drain(outgoing)).toHaveLength(8);
  });

  it('that is not confirmed gets no more of new data either', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 200_000);
    end(outgoing, stream);
    let bytes = 0;
    for (let frames = fill(outgoing, LARGEST, false); frames; frames = fill(outgoing, LARGEST, false)) {
      bytes += builder.bytes;
    }
    expect(bytes).toBeGreaterThan(UNCONFIRMED_REPLAY_BYTES / 2);
    expect(bytes).toBeLessThanOrEqual(UNCONFIRMED_REPLAY_BYTES);
  });
});

describe('bounds', () => {
  it('an acknowledgement of what was not sent breaks the protocol', () => {
    const outgoing = new Outgoing();
    write(outgoing, newStream(1), 1);
    expect(() => outgoing.acknowledge(1, ignore)).toThrow(expect.objectContaining({ code: 'protocol-error' }));
    drain(outgoing);
    outgoing.acknowledge(1, ignore);
  });

  it('a full log lets no numbered frame out, until something is acknowledged', () => {
    const outgoing = new Outgoing();
    const stream = newStream(1);
    write(outgoing, stream, 2 * LOG_LIMIT_BYTES);
    drain(outgoing);
    expect(outgoing.logBytes).toBeGreaterThan(LOG_LIMIT_BYTES - 2048);
    expect(outgoing.logBytes).toBeLessThanOrEqual(LOG_LIMIT_BYTES);
    const lastNumber = outgoing.next - 1;
    for (let id = 3; outgoing.next === lastNumber + 1 && id < 100; id += 2) {
      outgoing.sendControl({ type: 'open', streamId: id, tunnelId: 1, creditBytes: 0, takenBytes: 0, attributes: [] });
      drain(outgoing);
    }
    while (drain(outgoing).length > 0);
    expect(outgoing.logBytes).toBeLessThanOrEqual(LOG_LIMIT_BYTES);
    outgoing.acknowledge(Math.floor(lastNumber / 2), ignore);
    expect(drain(outgoing).length).toBeGreaterThan(100);
    // A new link still gets everything in the log.
    const { logBytes } = outgoing;
    outgoing.beginLink();
    drain(outgoing);
    expect(outgoing.logBytes).toBe(logBytes);
  });
});
