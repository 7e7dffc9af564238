import { expect, test } from 'vitest';
import { type Lease, Leases } from './leases.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 1000 * DAY_MS;

function leaseAt(usedAt: number, port = 5000): Lease {
  return { clientKey: 'key', name: `to ${port}`, port, usedAt };
}

test('a lease is forgotten 30 days after its tunnel was closed, and not while it is open', () => {
  const leases = new Leases([], NOW);
  leases.record('key', 'web', 5000, NOW);
  leases.record('other', 'web', 5001, NOW + 100 * DAY_MS);
  expect(leases.portOf('key', 'web')).toBe(5000);
  leases.release(5000, NOW + 100 * DAY_MS);
  leases.record('other', 'web', 5001, NOW + 129 * DAY_MS);
  expect(leases.portOf('key', 'web')).toBe(5000);
  leases.record('other', 'web', 5001, NOW + 130 * DAY_MS);
  expect(leases.portOf('key', 'web')).toBeUndefined();
  expect(leases.clientOf(5000)).toBeUndefined();
});

/** Opens and closes tunnels on these ports. */
function useUp(
  leases: Leases,
  ports: { readonly from: number; readonly count: number },
  keyOf: (port: number) => string,
): void {
  for (let port = ports.from; port < ports.from + ports.count; port += 1) {
    leases.record(keyOf(port), `to ${port}`, port, NOW + port);
    leases.release(port, NOW + port);
  }
}

test('beyond the limit the longest unused go; those of open tunnels stay', () => {
  const leases = new Leases([], NOW);
  leases.record('key', 'open', 5000, NOW);
  useUp(leases, { from: 10_000, count: 5_000 }, () => 'key');
  expect(leases.all.length).toBe(4096 + 1);
  expect(leases.portOf('key', 'open')).toBe(5000);
  expect(leases.clientOf(10_903)).toBeUndefined();
  expect(leases.clientOf(10_904)).toBe('key');
});

test('a full table makes room at the expense of the client that has most of it', () => {
  const leases = new Leases([leaseAt(NOW, 5000)], NOW);
  useUp(leases, { from: 6_000, count: 10 }, () => 'a few');
  useUp(leases, { from: 10_000, count: 50_000 }, () => 'greedy');
  expect(leases.clientOf(5000)).toBe('key');
  expect(leases.clientOf(6_000)).toBe('a few');
  // Newcomers do not pay for it either.
  useUp(leases, { from: 7_000, count: 100 }, (port) => `newcomer ${port}`);
  expect([7_000, 7_099].map((port) => leases.clientOf(port))).toEqual(['newcomer 7000', 'newcomer 7099']);
  expect(leases.clientOf(5000)).toBe('key');
  expect(leases.all.length).toBe(4096);
});

test('tunnels that are open, however many, cost nobody a lease', () => {
  const leases = new Leases([leaseAt(NOW, 5000)], NOW);
  for (let port = 10_000; port < 25_000; port += 1) leases.record('greedy', `to ${port}`, port, NOW);
  expect(leases.clientOf(5000)).toBe('key');
  for (let port = 10_000; port < 25_000; port += 1) leases.release(port, NOW);
  expect(leases.clientOf(5000)).toBe('key');
  expect(leases.all.length).toBe(4096);
});

test('keys that cost nothing to make can count as one', () => {
  const leases = new Leases([leaseAt(NOW, 5000)], NOW);
  for (let port = 10_000; port < 20_000; port += 1) {
    leases.record(`key ${port}`, 'web', port, NOW + 1, '203.0.113.7');
    leases.release(port, NOW + 1);
  }
  expect(leases.clientOf(5000)).toBe('key');
  expect(leases.all.length).toBe(4096);
  expect(leases.all.at(-1)).toEqual({ clientKey: 'key 19999', name: 'web', port: 19_999, usedAt: NOW + 1 });
});

test('what is written down of open tunnels is as of the last refresh', () => {
  const leases = new Leases([leaseAt(NOW - DAY_MS)], NOW);
  leases.record('key', 'web', 5001, NOW);
  leases.refresh(NOW + DAY_MS);
  expect(leases.all.map(({ usedAt }) => usedAt)).toEqual([NOW - DAY_MS, NOW + DAY_MS]);
});

test('a clock that is behind at the start costs no lease, also once it was put right', () => {
  const leases = new Leases([leaseAt(NOW, 5000), leaseAt(NOW - 31 * DAY_MS, 5001)], DAY_MS);
  expect([5000, 5001].map((port) => leases.clientOf(port))).toEqual(['key', 'key']);
  leases.record('other', 'web', 5002, NOW);
  expect([5000, 5001].map((port) => leases.clientOf(port))).toEqual(['key', undefined]);
});

test('a port has one lease, and so has a tunnel', () => {
  const leases = new Leases([leaseAt(NOW)], NOW);
  leases.record('other', 'web', 5000, NOW);
  expect(leases.portOf('key', 'to 5000')).toBeUndefined();
  leases.record('other', 'web', 5001, NOW);
  expect(leases.clientOf(5000)).toBeUndefined();
  // The first of two processes with one name closes its tunnel.
  leases.release(5000, NOW);
  expect(leases.all).toEqual([{ clientKey: 'other', name: 'web', port: 5001, usedAt: NOW }]);
});
