import { describe, expect, it } from 'vitest';
import { LEAST_WINDOW_BYTES, MAX_WINDOW_BYTES, WINDOW_SLACK_MS } from './constants.ts';
import { MemoryBudget } from './memory-budget.ts';
import { ReceiveWindow } from './receive-window.ts';

const FIRST_BYTES = 64 * 1024;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * A sender that uses all its credit over a link with this rate and round trip, and a reader that takes everything at
 * once.
 */
class Transfer {
  readonly window: ReceiveWindow;
  readonly #bytesPerMs: number;
  readonly #roundTripMs: number;
  readonly #grants: { at: number; offset: number }[];
  #now = 0;
  #sent = 0;
  #credit = 0;

  constructor(budget: MemoryBudget, bytesPerMs: number, roundTripMs: number) {
    this.window = new ReceiveWindow(0, budget.share(), FIRST_BYTES);
    this.#bytesPerMs = bytesPerMs;
    this.#roundTripMs = roundTripMs;
    this.#grants = [{ at: 0, offset: this.window.granted }];
  }

  run(forMs: number): this {
    for (const end = this.#now + forMs; this.#now < end;) {
      this.#now += 1;
      while (this.#grants[0] && this.#grants[0].at <= this.#now) this.#credit = this.#grants.shift()!.offset;
      const bytes = Math.min(this.#bytesPerMs, this.#credit - this.#sent);
      this.#sent += bytes;
      this.window.receive(bytes);
      if (this.window.consume(bytes, this.#now, this.#roundTripMs)) {
        this.#grants.push({ at: this.#now + this.#roundTripMs, offset: this.window.grant() });
      }
    }
    return this;
  }
}

describe('growth', () => {
  it('reaches the bandwidth-delay product of a long fat link, and then stands still', () => {
    // 100 MB/s at 30 ms: 3 MB in flight.
    const transfer = new Transfer(new MemoryBudget(NO_LIMIT), 100_000, 30).run(3000);
    const { window } = transfer;
    expect(window.windowBytes).toBeGreaterThan(100_000 * 30);
    expect(window.windowBytes).toBeLessThanOrEqual(4 * 100_000 * (30 + WINDOW_SLACK_MS));
    const before = window.windowBytes;
    transfer.run(3000);
    expect(window.windowBytes).toBe(before);
  });

  it('takes a round trip for each factor of four, nearly', () => {
    // From 64 KiB to 5 MB in flight: a little more than three factors of four.
    const transfer = new Transfer(new MemoryBudget(NO_LIMIT), 100_000, 50).run(4 * 50);
    expect(transfer.window.windowBytes).toBeGreaterThan(100_000 * 50);
  });

  it('is no more than the largest window', () => {
    const transfer = new Transfer(new MemoryBudget(NO_LIMIT), 1_000_000, 200).run(5000);
    const { window } = transfer;
    expect(window.windowBytes).toBe(MAX_WINDOW_BYTES);
  });

  it('is nothing on a slow link', () => {
    // 1 Mbit/s at 100 ms: 12.5 KB in flight.
    const transfer = new Transfer(new MemoryBudget(NO_LIMIT), 125, 100).run(20_000);
    const { window } = transfer;
    expect(window.windowBytes).toBe(FIRST_BYTES);
  });

  it('is nothing for a reader that takes all at once after a pause', () => {
    const window = new ReceiveWindow(0, new MemoryBudget(NO_LIMIT).share(), FIRST_BYTES);
    for (let round = 1; round <= 50; round += 1) {
      const bytes = window.granted - (round - 1) * FIRST_BYTES;
      window.receive(bytes);
      window.consume(bytes, round * 2000, 20);
      window.grant();
    }
    expect(window.windowBytes).toBe(FIRST_BYTES);
  });
});

describe('the budget', () => {
  it('is shared, and comes back', () => {
    const budget = new MemoryBudget(300_000 + 2 * (FIRST_BYTES - LEAST_WINDOW_BYTES));
    const first = new Transfer(budget, 100_000, 50).run(1000);
    const second = new Transfer(budget, 100_000, 50).run(1000);
    // Each has as much as is left.
    expect(budget.promisedBytes).toBeGreaterThan(190_000);
    expect(first.window.windowBytes).toBeGreaterThan(FIRST_BYTES + 140_000);
    expect(second.window.windowBytes).toBeGreaterThan(FIRST_BYTES + 50_000);
    first.window.release();
    first.window.release();
    second.run(1000);
    expect(second.window.windowBytes).toBeGreaterThan(FIRST_BYTES + 140_000);
    second.window.release();
    expect(budget.usedBytes).toBe(0);
  });

  it('is not touched any more by a window that was released', () => {
    const budget = new MemoryBudget(NO_LIMIT);
    const window = new ReceiveWindow(0, budget.share(), FIRST_BYTES);
    window.receive(FIRST_BYTES);
    window.release();
    for (let now = 1; now < 100; now += 1) window.consume(600, now, 1);
    expect(budget.usedBytes).toBe(0);
    expect(window.heldBytes).toBe(FIRST_BYTES - 99 * 600);
  });
});

describe('credit', () => {
  it('is granted a quarter of a window at a time', () => {
    const window = new ReceiveWindow(0, new MemoryBudget(0).share(), FIRST_BYTES);
    window.receive(FIRST_BYTES);
    expect(window.heldBytes).toBe(FIRST_BYTES);
    const quarter = FIRST_BYTES / 4;
    expect(window.consume(quarter - 1, 1000, 10)).toBe(false);
    expect(window.consume(1, 1000, 10)).toBe(true);
    expect(window.grant()).toBe(FIRST_BYTES + quarter);
    expect(window.grant()).toBe(FIRST_BYTES + quarter);
  });

  it('beyond it, data breaks the protocol', () => {
    const window = new ReceiveWindow(0, new MemoryBudget(0).share(), FIRST_BYTES);
    window.receive(FIRST_BYTES);
    expect(() => window.receive(1)).toThrow(expect.objectContaining({ code: 'protocol-error' }));
  });
});
