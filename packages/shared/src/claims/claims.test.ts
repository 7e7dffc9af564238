import { expect, test } from 'vitest';
import { type Claimant, Claims, REMEMBERED_LIMIT } from './claims.ts';
import { MemoryRegistry } from './memory-registry.ts';
import { formatRecord, type PublicName } from './name-record.ts';
import type { Registry, Watcher, Written } from './registry.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 1000 * DAY_MS;

let nonceCount = 0;

function claimsOver(registry: Registry): Claims {
  return new Claims({
    registry,
    kinds: ['port', 'host'],
    nonce: () => `nonce ${(nonceCount += 1)}`,
    onLost: (error) => {
      throw error;
    },
  });
}

function claimant(clientKey: string, label = 'web', holder = `session of ${clientKey}`): Claimant {
  return { clientKey, label, share: clientKey, holder };
}

/** Takes a name as a server does: by what its record says right now. */
function take(claims: Claims, name: PublicName, claimantOfIt: Claimant, now: number): Promise<boolean> {
  const verdict = claims.judge(name, claimantOfIt, now, false);
  if (verdict.kind === 'refused') return Promise.resolve(false);
  return claims.take(name, claimantOfIt, now, verdict.revision);
}

function remembered(clientKey: string, label: string, usedAt: number): string {
  return formatRecord({ clientKey, label, share: clientKey, holder: undefined, usedAt, nonce: '' });
}

function namesIn(registry: MemoryRegistry): string[] {
  return [...registry.entries].map(({ key }) => key).toSorted();
}

test('a name that nobody holds is free, and held once it was taken', async () => {
  const claims = claimsOver(new MemoryRegistry());
  expect(claims.judge('port/1', claimant('a'), NOW, true)).toMatchObject({ kind: 'free' });
  expect(await take(claims, 'port/1', claimant('a'), NOW)).toBe(true);
  expect(claims.judge('port/1', claimant('b'), NOW, false)).toEqual({ kind: 'refused', because: 'held' });
  expect(claims.judge('port/1', claimant('a'), NOW, false)).toEqual({ kind: 'refused', because: 'held-by-itself' });
  expect(claims.judge('port/1', claimant('a', 'web', 'other session'), NOW, false)).toMatchObject({
    kind: 'contested',
    holder: 'session of a',
  });
});

test('a name that was given back is kept for its client only while names are kept', async () => {
  const claims = claimsOver(new MemoryRegistry());
  await take(claims, 'port/1', claimant('a'), NOW);
  await claims.release('port/1', claimant('a'), NOW + 1);
  expect(claims.nameFor('a', 'web', 'port', NOW + 1)).toBe('port/1');
  expect(claims.judge('port/1', claimant('b'), NOW + 1, true)).toEqual({ kind: 'refused', because: 'kept' });
  expect(claims.judge('port/1', claimant('a', 'other tunnel'), NOW + 1, true)).toMatchObject({ kind: 'free' });
  expect(claims.judge('port/1', claimant('b'), NOW + 1, false)).toMatchObject({ kind: 'free' });
});

test('two servers that want one name at the same time: one of them gets it', async () => {
  const registry = new MemoryRegistry();
  const [one, other] = [claimsOver(registry), claimsOver(registry)];
  for (let round = 0; round < 100; round += 1) {
    const name: PublicName = `port/${round}`;
    const [a, b] = [claimant('a'), claimant('b')];
    const verdicts = [one.judge(name, a, NOW, false), other.judge(name, b, NOW, false)];
    expect(verdicts).toEqual([
      { kind: 'free', revision: 0 },
      { kind: 'free', revision: 0 },
    ]);
    const taken = await Promise.all([one.take(name, a, NOW, 0), other.take(name, b, NOW, 0)]);
    expect(taken.filter(Boolean).length).toBe(1);
  }
});

test('a tunnel is remembered under one name, and each kind by itself', async () => {
  const registry = new MemoryRegistry();
  const claims = claimsOver(registry);
  for (const name of ['port/1', 'host/shop', 'port/2'] as const) {
    await take(claims, name, claimant('a'), NOW);
    await claims.release(name, claimant('a'), NOW);
  }
  expect(namesIn(registry)).toEqual(['host/shop', 'port/2']);
});

test('two processes with one label: what the first gives back is not remembered beside what the second holds', async () => {
  const registry = new MemoryRegistry();
  const claims = claimsOver(registry);
  await take(claims, 'port/1', claimant('a', 'web', 'first'), NOW);
  await take(claims, 'port/2', claimant('a', 'web', 'second'), NOW);
  await claims.release('port/1', claimant('a', 'web', 'first'), NOW);
  expect(namesIn(registry)).toEqual(['port/2']);
});

test('only who holds a name gives it back', async () => {
  const claims = claimsOver(new MemoryRegistry());
  await take(claims, 'port/1', claimant('a', 'web', 'first'), NOW);
  await take(claims, 'port/1', claimant('a', 'web', 'second'), NOW);
  await claims.release('port/1', claimant('a', 'web', 'first'), NOW);
  expect(claims.recordOf('port/1', NOW)?.holder).toBe('second');
});

test('a name is forgotten 30 days after it was last used, and not while it is held', async () => {
  const registry = new MemoryRegistry([
    ['port/1', remembered('a', 'old', NOW - 31 * DAY_MS)],
    ['port/2', remembered('a', 'new', NOW - 29 * DAY_MS)],
    ['port/3', remembered('a', 'from a clock that was ahead', NOW + 31 * DAY_MS)],
  ]);
  const claims = claimsOver(registry);
  await take(claims, 'port/4', claimant('b'), NOW - 40 * DAY_MS);
  expect(claims.judge('port/1', claimant('c'), NOW, true)).toMatchObject({ kind: 'free' });
  expect(claims.nameFor('a', 'old', 'port', NOW)).toBeUndefined();
  expect(claims.nameFor('a', 'new', 'port', NOW)).toBe('port/2');
  await claims.refresh(NOW);
  expect(namesIn(registry)).toEqual(['port/2', 'port/3', 'port/4']);
  expect(claims.recordOf('port/4', NOW)?.usedAt).toBe(NOW);
});

test('a client with ever new tunnels forgets its own oldest names, and nobody else loses one', async () => {
  const registry = new MemoryRegistry([['port/1', remembered('absent', 'web', NOW)]]);
  const claims = claimsOver(registry);
  for (let port = 10_000; port < 10_000 + REMEMBERED_LIMIT + 100; port += 1) {
    await take(claims, `port/${port}`, claimant('greedy', `tunnel ${port}`), NOW + port);
    await claims.release(`port/${port}`, claimant('greedy', `tunnel ${port}`), NOW + port);
  }
  expect([...registry.entries].length).toBe(REMEMBERED_LIMIT);
  expect(claims.nameFor('absent', 'web', 'port', NOW)).toBe('port/1');
  expect(claims.nameFor('greedy', 'tunnel 10100', 'port', NOW)).toBeUndefined();
  expect(claims.nameFor('greedy', 'tunnel 10101', 'port', NOW)).toBe('port/10101');
});

test('newcomers with a name each cost the greedy client, not each other', async () => {
  const claims = claimsOver(new MemoryRegistry());
  const use = async (port: number, clientKey: string): Promise<void> => {
    await take(claims, `port/${port}`, claimant(clientKey, `to ${port}`), NOW + port);
    await claims.release(`port/${port}`, claimant(clientKey, `to ${port}`), NOW + port);
  };
  for (let port = 1; port <= 10; port += 1) await use(port, 'a few');
  for (let port = 10_000; port < 10_000 + 2 * REMEMBERED_LIMIT; port += 1) await use(port, 'greedy');
  for (let port = 100; port < 200; port += 1) await use(port, `newcomer ${port}`);
  expect(claims.recordOf('port/1', NOW)?.clientKey).toBe('a few');
  expect([100, 199].map((port) => claims.recordOf(`port/${port}`, NOW)?.clientKey)).toEqual([
    'newcomer 100',
    'newcomer 199',
  ]);
});

test('keys that cost nothing to make count as one where they share an address', async () => {
  const registry = new MemoryRegistry([['port/1', remembered('absent', 'web', NOW)]]);
  const claims = claimsOver(registry);
  for (let port = 10_000; port < 10_000 + 2 * REMEMBERED_LIMIT; port += 1) {
    const newcomer = { ...claimant(`key ${port}`), share: '203.0.113.7' };
    await take(claims, `port/${port}`, newcomer, NOW + port);
    await claims.release(`port/${port}`, newcomer, NOW + port);
  }
  expect([...registry.entries].length).toBe(REMEMBERED_LIMIT);
  expect(claims.recordOf('port/1', NOW)?.clientKey).toBe('absent');
});

test('names that are held, however many, cost nobody what is remembered', async () => {
  const registry = new MemoryRegistry([['port/1', remembered('absent', 'web', NOW)]]);
  const claims = claimsOver(registry);
  const names = Array.from({ length: 3 * REMEMBERED_LIMIT }, (_, index): PublicName => `port/${10_000 + index}`);
  for (const name of names) await take(claims, name, claimant('greedy', name), NOW);
  expect([...registry.entries].length).toBe(names.length + 1);
  for (const name of names) await claims.release(name, claimant('greedy', name), NOW);
  expect([...registry.entries].length).toBe(REMEMBERED_LIMIT);
  expect(claims.recordOf('port/1', NOW)?.clientKey).toBe('absent');
});

test('a clock that is behind at the start costs no name, also once it was put right', async () => {
  const claims = claimsOver(
    new MemoryRegistry([
      ['port/1', remembered('a', 'new', NOW)],
      ['port/2', remembered('a', 'old', NOW - 31 * DAY_MS)],
    ]),
  );
  await claims.refresh(DAY_MS);
  expect(claims.recordOf('port/1', DAY_MS)?.label).toBe('new');
  expect(claims.recordOf('port/1', NOW)?.label).toBe('new');
  expect(claims.recordOf('port/2', NOW)).toBeUndefined();
});

test('a name whose record cannot be read belongs to somebody', () => {
  const claims = claimsOver(new MemoryRegistry([['port/1', '{"of":"a later version"}']]));
  expect(claims.judge('port/1', claimant('a'), NOW, false)).toEqual({ kind: 'refused', because: 'held' });
});

/** Wraps a registry and injects faults. */
class FaultyRegistry implements Registry {
  readonly #registry = new MemoryRegistry();
  #watcher: Watcher | undefined;
  /** How many of the next writes are applied but not acknowledged. */
  unacknowledged = 0;
  /** Reports held back until `tell`. */
  readonly #held: (() => void)[] = [];

  async write(key: string, value: string | undefined, expected: number): Promise<Written> {
    const written = await this.#registry.write(key, value, expected);
    if (this.unacknowledged === 0) return written;
    this.unacknowledged -= 1;
    throw new Error('timed out');
  }

  watch(watcher: Watcher): Disposable {
    this.#watcher = watcher;
    return this.#registry.watch({
      ...watcher,
      changed: (change) => this.#held.push(() => this.#watcher?.changed(change)),
    });
  }

  tell(): void {
    for (const each of this.#held.splice(0)) each();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#registry[Symbol.asyncDispose]();
  }
}

test('a write that was applied and not acknowledged is found to be one’s own', async () => {
  const registry = new FaultyRegistry();
  const claims = claimsOver(registry);
  registry.unacknowledged = 1;
  expect(await take(claims, 'port/1', claimant('a'), NOW)).toBe(true);
  registry.unacknowledged = 1;
  await claims.release('port/1', claimant('a'), NOW);
  expect(claims.recordOf('port/1', NOW)?.holder).toBeUndefined();
});

test('what the registry tells late does not bring back what this process has changed since', async () => {
  const registry = new FaultyRegistry();
  const claims = claimsOver(registry);
  await take(claims, 'port/1', claimant('a', 'web', 'first'), NOW);
  await take(claims, 'port/2', claimant('a', 'web', 'second'), NOW);
  await claims.release('port/1', claimant('a', 'web', 'first'), NOW); // deleted: the tunnel has another name
  registry.tell();
  expect(claims.recordOf('port/1', NOW)).toBeUndefined();
  expect(await take(claims, 'port/1', claimant('b'), NOW)).toBe(true);
  registry.tell();
  expect(claims.recordOf('port/1', NOW)?.clientKey).toBe('b');
});
