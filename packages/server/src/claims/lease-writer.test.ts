import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LeaseWriter } from './lease-writer.ts';
import type { Lease } from './lease-file.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store that takes as long as the test wants. */
class SlowStore {
  readonly written: number[] = [];
  readonly failures: unknown[] = [];
  /** Ends the write in progress. */
  finish: (error?: Error) => void = () => {};

  readonly read = async (): Promise<{ readonly value: undefined }> => ({ value: undefined });

  readonly write = (leases: readonly Lease[]): Promise<void> => {
    this.written.push(leases.length);
    return new Promise((resolve, reject) => {
      this.finish = (error) => (error ? reject(error) : resolve());
    });
  };
}

function setUp(): { store: SlowStore; writer: LeaseWriter; open: (count: number) => void } {
  const leases: Lease[] = [];
  const store = new SlowStore();
  const writer = new LeaseWriter(
    () => leases,
    store,
    (error) => store.failures.push(error),
    Date.now,
  );
  let port = 1_024;
  const open = (count: number): void => {
    for (let each = 0; each < count; each += 1) {
      leases.push({ name: `port/${port}`, clientKey: 'key', label: `to ${port}`, usedAt: 0 });
      writer.changed();
      port += 1;
    }
  };
  return { store, writer, open };
}

test('the first change is written at once, all others together when their time comes, as they are then', async () => {
  const { store, open } = setUp();
  open(1);
  expect(store.written).toEqual([1]);
  open(10_000);
  store.finish();
  await vi.advanceTimersByTimeAsync(900);
  open(5_000);
  expect(store.written).toEqual([1]);
  await vi.advanceTimersByTimeAsync(100);
  expect(store.written).toEqual([1, 15_001]);
});

test('a slow disk is given more time', async () => {
  const { store, open } = setUp();
  open(1);
  await vi.advanceTimersByTimeAsync(500);
  store.finish();
  open(1);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(store.written).toEqual([1]);
  await vi.advanceTimersByTimeAsync(1);
  expect(store.written).toEqual([1, 2]);
});

test('nothing is written where nothing changed', async () => {
  const { store, open } = setUp();
  open(1);
  store.finish();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(store.written).toEqual([1]);
  expect(vi.getTimerCount()).toBe(0);
});

test('at the end what waits is written at once', async () => {
  const { store, writer, open } = setUp();
  open(3);
  const flushed = writer.flush();
  expect(store.written).toEqual([1, 3]);
  store.finish();
  await flushed;
  expect(vi.getTimerCount()).toBe(0);
});

test('a failure is told, and the next change is written all the same', async () => {
  const { store, open } = setUp();
  open(1);
  store.finish(new Error('full'));
  open(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.failures).toEqual([new Error('full')]);
  expect(store.written).toEqual([1, 2]);
});
