import { describe, expect, it } from 'vitest';
import { FIRST_CREDIT_BYTES } from './memory/constants.ts';
import { FairQueue } from './fair-queue.ts';
import { MemoryBudget } from './memory/memory-budget.ts';
import { ReceiveWindow } from './memory/receive-window.ts';
import { Stream } from './stream.ts';

const QUANTUM = 1000;

/** Streams with a number of bytes to send, and a link that takes some of them at a time. */
class Bench {
  readonly queue = new FairQueue();
  readonly streams = new Map<string, Stream>();
  readonly waiting = new Map<Stream, number>();
  readonly sent: [name: string, bytes: number][] = [];

  add(name: string, bytes: number): void {
    let stream = this.streams.get(name);
    if (!stream) {
      stream = new Stream(
        this.streams.size,
        0,
        new ReceiveWindow(0, new MemoryBudget(0).share(), FIRST_CREDIT_BYTES),
        new MemoryBudget(0).share(),
        FIRST_CREDIT_BYTES,
      );
      this.streams.set(name, stream);
    }
    this.waiting.set(stream, (this.waiting.get(stream) ?? 0) + bytes);
    this.queue.activate(stream);
  }

  /** Sends up to `bytes`; returns what each stream sent. */
  send(bytes: number): Record<string, number> {
    const shares: Record<string, number> = {};
    let room = bytes;
    while (room > 0) {
      const stream = this.queue.next(QUANTUM, (each) => (this.waiting.get(each) ?? 0) > 0);
      if (!stream) break;
      const piece = Math.min(room, stream.deficitBytes, this.waiting.get(stream)!);
      stream.deficitBytes -= piece;
      room -= piece;
      this.waiting.set(stream, this.waiting.get(stream)! - piece);
      const name = [...this.streams].find(([, each]) => each === stream)![0];
      this.sent.push([name, piece]);
      shares[name] = (shares[name] ?? 0) + piece;
    }
    return shares;
  }
}

describe('shares', () => {
  it('are equal in bytes', () => {
    const bench = new Bench();
    for (const name of ['a', 'b', 'c']) bench.add(name, 1_000_000);
    expect(bench.send(300_000)).toEqual({ a: 100_000, b: 100_000, c: 100_000 });
  });

  it('are equal also where records are smaller than a turn', () => {
    const bench = new Bench();
    for (const name of ['a', 'b']) bench.add(name, 1_000_000);
    const shares = { a: 0, b: 0 };
    for (let round = 0; round < 1000; round += 1) {
      const { a = 0, b = 0 } = bench.send(70);
      shares.a += a;
      shares.b += b;
    }
    expect(shares.a + shares.b).toBe(70_000);
    expect(Math.abs(shares.a - shares.b)).toBeLessThanOrEqual(QUANTUM);
  });

  it('of a stream that wants less go to the others', () => {
    const bench = new Bench();
    bench.add('a', 1_000_000);
    bench.add('b', 1_000_000);
    bench.add('little', 500);
    expect(bench.send(20_500)).toEqual({ a: 10_000, b: 10_000, little: 500 });
  });
});

describe('order', () => {
  it('lets a keystroke go before a bulk transfer', () => {
    const bench = new Bench();
    bench.add('bulk', 1_000_000);
    bench.send(50_000);
    bench.add('key', 1);
    bench.sent.length = 0;
    bench.send(5000);
    expect(bench.sent[0]).toEqual(['key', 1]);
  });

  it('does not let a stream that always has a little starve one that has much', () => {
    const bench = new Bench();
    bench.add('bulk', 10_000_000);
    let bulk = 0;
    for (let round = 0; round < 1000; round += 1) {
      bench.add('chatty', 100);
      bulk += bench.send(150).bulk ?? 0;
    }
    // Chatty wants two thirds, but its share is half; the bulk transfer gets the rest.
    expect(bulk).toBeGreaterThan(70_000);
  });

  it('does not let one that has much starve those that have little', () => {
    const bench = new Bench();
    bench.add('bulk', 10_000_000);
    for (let round = 0; round < 100; round += 1) {
      bench.add('chatty', 100);
      bench.send(3000);
      // No later than one turn of the other.
      expect(bench.waiting.get(bench.streams.get('chatty')!)).toBe(0);
    }
  });
});

describe('activation', () => {
  it('of a stream that is in the queue changes nothing', () => {
    const bench = new Bench();
    bench.add('a', 10);
    bench.add('a', 10);
    bench.add('b', 20);
    expect(bench.send(40)).toEqual({ a: 20, b: 20 });
    expect(bench.send(40)).toEqual({});
    expect(bench.queue.isEmpty).toBe(true);
  });

  it('is possible again after a stream was found without work', () => {
    const bench = new Bench();
    bench.add('bulk', 1_000_000);
    bench.send(2000);
    for (let round = 0; round < 5; round += 1) {
      bench.add('now and then', 10);
      expect(bench.send(5000)['now and then']).toBe(10);
    }
  });
});
