import { expect, test } from 'vitest';
import { FairTable } from './fair-table.ts';
import { Holdings } from './holdings.ts';

test('a full table makes room at the expense of who holds most, oldest first', () => {
  const table = new FairTable<string>(4);
  for (const entry of ['a1', 'b1', 'a2', 'a3']) expect(table.add(entry, entry.charAt(0))).toBeUndefined();
  expect(table.add('c1', 'c')).toBe('a1');
  expect(table.add('c2', 'c')).toBe('a2');
  expect([table.size, table.has('a1'), table.has('c2')]).toEqual([4, false, true]);
  table.reassign('c1', 'b');
  expect(table.add('a4', 'a')).toBe('b1');
  expect(table.delete('b1')).toBe(false);
});

test('alone with the table, a peer displaces its own', () => {
  const table = new FairTable<number>(2);
  table.add(1, 'a');
  table.add(2, 'a');
  expect(table.add(3, 'a')).toBe(1);
});

test('who holds most is known through any sequence of gains and losses', () => {
  const holdings = new Holdings<number>();
  const counts = [0, 0, 0, 0, 0];
  for (let step = 0; step < 2_000; step += 1) {
    const peer = (step * 7 + (step >> 3)) % counts.length;
    if ((step * 13) % 5 < 3) {
      holdings.add(peer);
      counts[peer]! += 1;
    } else {
      holdings.remove(peer);
      counts[peer] = Math.max(0, counts[peer]! - 1);
    }
    const { most } = holdings;
    expect(most === undefined ? 0 : counts[most]).toBe(Math.max(...counts));
    expect(holdings.countOf(peer)).toBe(counts[peer]);
  }
});
