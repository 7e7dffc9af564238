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
  lobby.empty();
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
  lobby.empty();
});
