import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lobby } from './lobby.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a visitor waits 30 seconds, and not once its stream is closed or there is a link', () => {
  const reset: number[] = [];
  const lobby = new Lobby();
  const visitor = (streamId: number): void => lobby.add({ streamId, reset: () => reset.push(streamId) });
  visitor(1);
  visitor(2);
  lobby.leave(1);
  vi.advanceTimersByTime(29_999);
  expect(reset).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(reset).toEqual([2]);
  visitor(3);
  lobby.linked();
  vi.advanceTimersByTime(60_000);
  expect(reset).toEqual([2]);
  expect(vi.getTimerCount()).toBe(0);
});

test('64 visitors wait at a time', () => {
  const lobby = new Lobby();
  for (let streamId = 0; streamId < 64; streamId += 1) {
    expect(lobby.isFull).toBe(false);
    lobby.add({ streamId, reset: () => {} });
  }
  expect(lobby.isFull).toBe(true);
  lobby.leave(7);
  expect(lobby.isFull).toBe(false);
  lobby.linked();
});

test('who waits before anything was opened learns what became of it', async () => {
  const lobby = new Lobby();
  const [first, second] = [{}, {}];
  const inVain = lobby.wait(first);
  const inTime = lobby.wait(second);
  lobby.leaveAll(first);
  lobby.linked();
  expect(await Promise.all([inVain, inTime])).toEqual([false, true]);
  const tooLong = lobby.wait(second);
  vi.advanceTimersByTime(30_000);
  const toTheEnd = lobby.wait(second);
  lobby.close();
  expect(await Promise.all([tooLong, toTheEnd])).toEqual([false, false]);
  expect(vi.getTimerCount()).toBe(0);
});

test('1,024 wait at a time', async () => {
  const lobby = new Lobby();
  const waiting = Array.from({ length: 1024 }, () => lobby.wait({}));
  expect(await lobby.wait({})).toBe(false);
  lobby.linked();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
});
