import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FairTurns, type Worker } from './fair-turns.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setImmediate'] }));
afterEach(() => void vi.useRealTimers());

/** Has `pieces` pieces of work and records when it does one. */
function worker(name: string, pieces: number, done: string[], onPiece: () => void = () => {}): Worker {
  let left = pieces;
  return {
    work: () => {
      done.push(name);
      onPiece();
      left -= 1;
      return left > 0;
    },
  };
}

/** Runs one turn of the event loop; what it starts comes with the next one. */
function turn(): void {
  vi.advanceTimersToNextTimer();
}

test('everybody does a piece in turn, and a turn of the loop takes only so many', () => {
  const turns = new FairTurns(() => 0);
  const done: string[] = [];
  turns.add(worker('greedy', 1000, done));
  turns.add(worker('modest', 2, done));
  turn();
  expect(done.slice(0, 6)).toEqual(['greedy', 'modest', 'greedy', 'modest', 'greedy', 'greedy']);
  expect(done.length).toBe(16);
  turns.add(worker('late', 1, done));
  turn();
  expect(done.slice(16, 18)).toEqual(['greedy', 'late']);
  expect(done.length).toBe(32);
});

test('pieces that take long end a turn early', () => {
  let nowMs = 0;
  const turns = new FairTurns(() => nowMs);
  const done: string[] = [];
  const onPiece = (): void => void (nowMs += 1.5);
  turns.add(worker('a', 10, done, onPiece));
  turns.add(worker('b', 10, done, onPiece));
  turn();
  expect(done).toEqual(['a', 'b']);
  turn();
  expect(done).toEqual(['a', 'b', 'a', 'b']);
});

test('nothing is due where nobody has work, and who is taken out gets no turn', () => {
  const turns = new FairTurns(() => 0);
  const done: string[] = [];
  const gone = worker('gone', 1, done);
  turns.add(gone);
  turns.remove(gone);
  turns.add(worker('once', 1, done));
  turn();
  expect(done).toEqual(['once']);
  expect(vi.getTimerCount()).toBe(0);
});
