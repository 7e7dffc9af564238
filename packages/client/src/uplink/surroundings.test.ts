import { expect, test } from 'vitest';
import { changeBetween } from './surroundings.ts';

const BEFORE = { monotonicMs: 1_000, wallMs: 500_000, addresses: 'eth0 192.0.2.1' };

test.each([
  ['a second passed', { monotonicMs: 2_000, wallMs: 501_000 }, undefined],
  ['the event loop was busy for a while', { monotonicMs: 3_500, wallMs: 502_500 }, undefined],
  ['the machine slept: only the wall clock went on', { monotonicMs: 2_000, wallMs: 4_100_000 }, 'woke'],
  ['the process was stopped: both went on', { monotonicMs: 61_000, wallMs: 560_000 }, 'woke'],
  ['the clock was set back', { monotonicMs: 2_000, wallMs: 400_000 }, 'woke'],
  ['the system did not tell its addresses', { monotonicMs: 2_000, wallMs: 501_000, addresses: undefined }, undefined],
  ['another network', { monotonicMs: 2_000, wallMs: 501_000, addresses: 'wlan0 198.51.100.7' }, 'network-changed'],
])('%s', (_what, after, change) => {
  expect(changeBetween(BEFORE, { ...BEFORE, ...after })).toBe(change);
});
