import { describe, expect, test } from 'vitest';
import { Admission, HANDSHAKE_LIMIT, HANDSHAKE_QUEUE_LIMIT } from './admission.ts';

/** One entry per millisecond from one address. */
function crowd(count: number): {
  readonly admission: Admission<number>;
  readonly kinds: string[];
  displaced: number[];
} {
  const admission = new Admission<number>();
  const displaced: number[] = [];
  const kinds = Array.from({ length: count }, (_, entry) => {
    const answer = admission.request(entry, 'A', false, entry);
    if (answer.kind === 'waiting' && answer.displaced !== undefined) displaced.push(answer.displaced);
    return answer.kind;
  });
  return { admission, kinds, displaced };
}

test('256 are admitted and 4096 wait; beyond that the oldest goes, and who comes stays', () => {
  const { admission, kinds, displaced } = crowd(5_000);
  expect(kinds.filter((kind) => kind === 'admitted')).toHaveLength(HANDSHAKE_LIMIT);
  expect(admission.waitingCount).toBe(HANDSHAKE_QUEUE_LIMIT);
  expect(displaced).toEqual(Array.from({ length: 648 }, (_, index) => HANDSHAKE_LIMIT + index));
});

test('who leaves makes room for the one who waits longest', () => {
  const { admission } = crowd(300);
  expect(admission.leave(17, 500)).toBe(256);
  expect(admission.leave(257, 500)).toBeUndefined(); // gave up while waiting
  expect(admission.leave(256, 500)).toBe(258);
  expect(admission.leave(256, 500)).toBeUndefined(); // left already
});

test('once the oldest waits for long, three places in four go to the newest', () => {
  const { admission } = crowd(300);
  expect([0, 1, 2, 3, 4].map((entry) => admission.leave(entry, 2_000))).toEqual([256, 299, 298, 297, 257]);
});

test('handshakes that take long make room only while others wait, and only as many as wait', () => {
  const { admission } = crowd(258);
  expect(admission.overdue(2_999)).toEqual([]);
  expect(admission.overdue(3_010)).toEqual([0, 1]);
  expect(crowd(256).admission.overdue(100_000)).toEqual([]);
});

test('the more wait, the shorter may a place be held', () => {
  const { admission } = crowd(HANDSHAKE_LIMIT + HANDSHAKE_LIMIT / 2);
  expect(admission.overdue(1_999)).toEqual([]);
  expect(admission.overdue(2_000)).toEqual([0]);
  const { admission: full } = crowd(5_000);
  expect(full.overdue(599)).toEqual([]);
  expect(full.overdue(600)).toEqual([0]);
});

test('a storm of honest clients on a slow machine is not cut short', () => {
  const { admission } = crowd(4_000);
  for (let entry = 0; entry < 8; entry += 1) admission.leave(entry, 1_200, true);
  expect(admission.overdue(2_900)).toEqual([]);
  // Later, faster handshakes make it impatient again.
  let quick = admission.leave(8, 1_210);
  for (let count = 0; count < 100 && quick !== undefined; count += 1) quick = admission.leave(quick, 1_210, true);
  expect(admission.overdue(1_900)).not.toEqual([]);
});

test('an address beyond its share makes room for another one at once, but for the time of a round trip', () => {
  const { admission } = crowd(256);
  expect(admission.request(1_000, 'B', false, 256)).toEqual({ kind: 'waiting' });
  expect(admission.overdue(499)).toEqual([]);
  expect(admission.overdue(510)).toEqual([0]);
  expect(admission.leave(0, 510)).toBe(1_000);
});

test('the places of an address within its share are not cut short by the crowd at another one', () => {
  const admission = new Admission<string>();
  admission.request('slow', 'B', false, 0);
  for (let entry = 0; entry < 5_000; entry += 1) admission.request(`A${entry}`, 'A', false, 1);
  expect(admission.overdue(2_999)).not.toContain('slow');
});

test('the next place goes to the address that has fewest, and in turn to known ones and strangers', () => {
  const admission = new Admission<string>();
  for (let entry = 0; entry < 300; entry += 1) admission.request(`A${entry}`, 'A', false, 0);
  for (const name of ['B1', 'B2', 'C1', 'C2']) admission.request(name, name.charAt(0), false, 0);
  for (const name of ['K1', 'K2']) admission.request(name, 'K', true, 0);
  const next = Array.from({ length: 7 }, (_, entry) => admission.leave(`A${entry}`, 10));
  expect(next).toEqual(['K1', 'B1', 'K2', 'C1', 'B2', 'C2', 'A256']);
});

// ── attackers, on a virtual clock ──

interface Crowd {
  readonly sources: number;
  readonly held: number;
  readonly refillsPerSecond: number;
}

const TICK_MS = 10;
const POLL_MS = 50;

/** How long honest clients wait from their request until they are admitted, one at a time, in ms. */
function waits(attack: Crowd, honest: { readonly source: string; readonly isKnown: boolean }, count: number): number[] {
  const admission = new Admission<number>();
  const attackers = new Set<number>();
  const times: number[] = [];
  let next = 1;
  let now = 0;
  let waitingSince: number | undefined;
  let idleUntil = 0;
  const HONEST = 0;
  const admitted = (entry: number | undefined): void => {
    if (entry !== HONEST || waitingSince === undefined) return;
    times.push(now - waitingSince);
    waitingSince = undefined;
    idleUntil = now + 30;
    admitted(admission.leave(HONEST, now, true));
  };
  const come = (entry: number, source: string, isKnown: boolean): void => {
    const answer = admission.request(entry, source, isKnown, now);
    if (answer.kind === 'admitted') admitted(entry);
    else if (answer.displaced === HONEST) throw new Error('the honest client was displaced');
    else if (answer.displaced !== undefined) attackers.delete(answer.displaced);
  };
  const attackOnce = (): void => {
    attackers.add(next);
    come(next, `attacker ${next % attack.sources}`, false);
    next += 1;
  };
  while (attackers.size < attack.held && next < attack.held * 2) attackOnce();
  while (times.length < count && now < 600_000) {
    now += TICK_MS;
    const refills = Math.min(attack.held - attackers.size, (attack.refillsPerSecond * TICK_MS) / 1_000);
    for (let refill = 0; refill < refills; refill += 1) attackOnce();
    if (waitingSince === undefined && now >= idleUntil) {
      waitingSince = now;
      come(HONEST, honest.source, honest.isKnown);
    }
    if (now % POLL_MS !== 0) continue;
    for (const entry of admission.overdue(now)) {
      attackers.delete(entry);
      admitted(admission.leave(entry, now));
    }
  }
  return times.toSorted((a, b) => a - b);
}

describe('a crowd that holds 5,000 handshakes and comes again 200 times a second', () => {
  const attack = { sources: 1, held: 5_000, refillsPerSecond: 200 };

  test('does not keep out clients from other addresses', () => {
    const times = waits(attack, { source: 'B', isKnown: false }, 200);
    expect(times).toHaveLength(200);
    expect(times[197]).toBeLessThan(1_000);
  });

  test('keeps out clients at its own address for a while only', () => {
    const times = waits(attack, { source: 'attacker 0', isKnown: false }, 50);
    expect(times).toHaveLength(50);
    expect(times.at(-1)).toBeLessThan(5_000);
  });

  test('from 1,000 addresses costs a known one less than a second, a stranger a few', () => {
    const everywhere = { ...attack, sources: 1_000 };
    const known = waits(everywhere, { source: 'K', isKnown: true }, 50);
    expect(known).toHaveLength(50);
    expect(known.at(-1)).toBeLessThan(1_000);
    const stranger = waits(everywhere, { source: 'B', isKnown: false }, 20);
    expect(stranger).toHaveLength(20);
    expect(stranger.at(-1)).toBeLessThan(5_000);
  });
});
