import { expect, it } from 'vitest';
import { Acknowledger } from './acknowledger.ts';
import { ACKNOWLEDGE_BYTES, ACKNOWLEDGE_DELAY_MS } from './constants.ts';

it('goes with company at once, and by itself after a while', () => {
  const acknowledger = new Acknowledger();
  expect(acknowledger.take(0, true)).toBeUndefined();
  acknowledger.receive(1, 10, 100);
  expect(acknowledger.dueAt).toBe(100 + ACKNOWLEDGE_DELAY_MS);
  acknowledger.receive(2, 10, 110);
  // The first unacknowledged one counts.
  expect(acknowledger.dueAt).toBe(100 + ACKNOWLEDGE_DELAY_MS);
  expect(acknowledger.take(110, false)).toBeUndefined();
  expect(acknowledger.take(110, true)).toBe(2);
  expect(acknowledger.take(200, true)).toBeUndefined();
  expect(acknowledger.dueAt).toBe(Infinity);
  acknowledger.receive(3, 0, 300);
  expect(acknowledger.take(300 + ACKNOWLEDGE_DELAY_MS - 1, false)).toBeUndefined();
  expect(acknowledger.take(300 + ACKNOWLEDGE_DELAY_MS, false)).toBe(3);
});

it('goes at once after a lot', () => {
  const acknowledger = new Acknowledger();
  acknowledger.receive(1, ACKNOWLEDGE_BYTES - 1, 0);
  expect(acknowledger.take(1, false)).toBeUndefined();
  acknowledger.receive(2, 1, 1);
  expect(acknowledger.dueAt).toBe(1);
  expect(acknowledger.take(1, false)).toBe(2);
});

it('wakes its owner once, also where the link takes no record', () => {
  const acknowledger = new Acknowledger();
  acknowledger.receive(1, 1, 0);
  acknowledger.tick(ACKNOWLEDGE_DELAY_MS - 1);
  expect(acknowledger.dueAt).toBe(ACKNOWLEDGE_DELAY_MS);
  acknowledger.tick(ACKNOWLEDGE_DELAY_MS);
  expect(acknowledger.dueAt).toBe(Infinity);
  acknowledger.receive(2, 1, 30);
  expect(acknowledger.dueAt).toBe(Infinity);
  expect(acknowledger.take(30, false)).toBe(2);
});

it('has nothing to tell on a new link: its hello said it', () => {
  const acknowledger = new Acknowledger();
  acknowledger.receive(5, 1, 0);
  acknowledger.tick(1000);
  acknowledger.beginLink();
  expect(acknowledger.received).toBe(5);
  expect(acknowledger.dueAt).toBe(Infinity);
  expect(acknowledger.take(2000, true)).toBeUndefined();
});
