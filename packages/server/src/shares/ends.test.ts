import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ends } from './ends.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('who waits goes on at the end, or after the timeout, and no timer stays', async () => {
  const ends = new Ends();
  const passed: string[] = [];
  const wait = (name: string, timeoutMs: number): Promise<void> =>
    ends.wait(false, timeoutMs).then(() => void passed.push(name));
  await ends.wait(true, 1_000);
  void wait('impatient', 1_000);
  void wait('patient', 60_000);
  await vi.advanceTimersByTimeAsync(999);
  expect(passed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(passed).toEqual(['impatient']);
  ends.reached();
  await vi.advanceTimersByTimeAsync(0);
  expect(passed).toEqual(['impatient', 'patient']);
  expect(vi.getTimerCount()).toBe(0);
});
