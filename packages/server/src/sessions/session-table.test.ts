import { expect, test } from 'vitest';
import {
  SESSION_LIMIT,
  type SessionOwner,
  SESSIONS_PER_KEY,
  SessionTable,
  type TableSession,
} from './session-table.ts';

interface FakeSession extends TableSession {
  readonly name: string;
}

let processes = 0;

function owner(peer: string, key = `key ${processes}`): SessionOwner {
  processes += 1;
  return { key, process: `process ${processes}`, peer, source: peer };
}

function session(name: string, hasLink = true, hasVisitors = false): FakeSession {
  return { name, hasLink, hasVisitors };
}

/** A full table: all but `others` of it from `crowd`. */
function full(crowd: (index: number) => FakeSession, others: Readonly<Record<string, readonly FakeSession[]>> = {}) {
  const table = new SessionTable<FakeSession>();
  for (const [peer, sessions] of Object.entries(others)) for (const each of sessions) table.add(each, owner(peer));
  for (let index = 0; table.size < SESSION_LIMIT; index += 1) table.add(crowd(index), owner('crowd'));
  return table;
}

test('one key has a limit of its own, and makes room from its sessions without link and visitors', () => {
  const table = new SessionTable<FakeSession>();
  for (let index = 0; index < SESSIONS_PER_KEY; index += 1) table.add(session(`${index}`), owner('A', 'greedy'));
  expect(table.roomFor(owner('A', 'greedy'))).toEqual({
    kind: 'none',
    reason: `this key may have ${SESSIONS_PER_KEY} sessions at a time`,
  });
  expect(table.roomFor(owner('A', 'greedy'), 300)).toEqual({ kind: 'free' });
  expect(table.roomFor(owner('A', 'another'))).toEqual({ kind: 'free' });

  const small = new SessionTable<FakeSession>();
  const forsaken = session('forsaken', false);
  for (const each of [session('waited for', false, true), forsaken]) small.add(each, owner('A', 'greedy'));
  expect(small.roomFor(owner('A', 'greedy'), 2)).toEqual({ kind: 'instead-of', session: forsaken });
});

test('a full table makes room at the expense of the peer that has most', () => {
  const forsaken = session('forsaken', false);
  const table = full((index) => (index === 7 ? forsaken : session(`${index}`, false, true)), {
    modest: [session('not this one', false)],
  });
  expect(table.roomFor(owner('newcomer'))).toEqual({ kind: 'instead-of', session: forsaken });
  // Even its own newcomers are at its own expense.
  expect(table.roomFor(owner('crowd'))).toEqual({ kind: 'instead-of', session: forsaken });
});

test('of who has more, idle sessions make room, too, but for nobody of the same peer', () => {
  const idle = session('idle');
  const table = full((index) => (index === 7 ? idle : session(`${index}`, true, true)));
  expect(table.roomFor(owner('newcomer'))).toEqual({ kind: 'instead-of', session: idle });
  expect(table.roomFor(owner('crowd'))).toEqual({ kind: 'none', reason: `it has ${SESSION_LIMIT} sessions` });
});

test('sessions with visitors make room for nobody', () => {
  const table = full((index) => session(`${index}`, index % 2 === 0, true));
  expect(table.roomFor(owner('newcomer')).kind).toBe('none');
});

test('a session counts for where its last link came from', () => {
  const table = new SessionTable<FakeSession>();
  const phone = session('phone');
  const at = owner('home', 'phone');
  table.add(phone, at);
  table.moved({ ...at, peer: 'train', source: 'train' });
  expect([table.hasFrom('home'), table.hasFrom('train')]).toEqual([false, true]);
  table.delete(at.process, session('another one'));
  expect(table.get(at.process)).toBe(phone);
  table.delete(at.process, phone);
  expect([table.size, table.hasFrom('train')]).toEqual([0, false]);
});
