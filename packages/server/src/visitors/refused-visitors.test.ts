import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RefusedCounts, RefusedVisitors } from './refused-visitors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function start(): { readonly told: RefusedCounts[]; readonly refused: RefusedVisitors } {
  const told: RefusedCounts[] = [];
  return { told, refused: new RefusedVisitors((counts) => told.push(counts), Date.now) };
}

describe('refused visitors', () => {
  it('are told of at once at first, and then as sums', () => {
    const { told, refused } = start();
    refused.add('visitor-denied');
    expect(told).toEqual([{ denied: 1, overLimit: 0 }]);
    for (let count = 0; count < 1000; count += 1) refused.add('visitor-limit');
    refused.add('visitor-denied');
    vi.advanceTimersByTime(9_000);
    expect(told).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    expect(told).toEqual([
      { denied: 1, overLimit: 0 },
      { denied: 2, overLimit: 1000 },
    ]);
    vi.advanceTimersByTime(600_000);
    expect(told).toHaveLength(2);
  });

  it('are few lines, however many they are', () => {
    const { told, refused } = start();
    for (let second = 0; second < 600; second += 1) {
      refused.add('visitor-denied');
      vi.advanceTimersByTime(1_000);
    }
    expect(told.length).toBeGreaterThan(5);
    expect(told.length).toBeLessThan(16);
  });

  it('are told of again where the last word may be lost, unless there were none', () => {
    const { told, refused } = start();
    refused.tellAgain();
    expect(told).toEqual([]);
    refused.add('visitor-limit');
    refused.add('visitor-limit');
    refused.tellAgain();
    expect(told.at(-1)).toEqual({ denied: 0, overLimit: 2 });
  });

  it('are not told of after the end', () => {
    const { told, refused } = start();
    refused.add('visitor-denied');
    refused.add('visitor-denied');
    refused.close();
    refused.add('visitor-denied');
    vi.advanceTimersByTime(600_000);
    expect(told).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
