import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { leaseFile } from './lease-file.ts';
import { LocalClaims } from './local-claims.ts';

const CLAIMANT = { clientKey: 'key', label: 'web', share: '203.0.113.7', holder: 'session' };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-claims-'));
});
afterEach(() => rm(directory, { recursive: true }));

function open(path: string, damages: Error[] = []): Promise<LocalClaims> {
  return LocalClaims.open({
    kinds: ['port'],
    store: leaseFile(path),
    onDamaged: (error) => damages.push(error),
    onWriteFailed: (error) => {
      throw error;
    },
  });
}

test('a name that is held is remembered by the next server, and counts for its key there', async () => {
  const path = join(directory, 'leases.json');
  const now = Date.now();
  {
    using local = await open(path);
    expect(await local.claims.take('port/8001', CLAIMANT, now, 0)).toBe(true);
    await local.flush();
  }
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual([
    { name: 'port/8001', clientKey: 'key', label: 'web', usedAt: now },
  ]);
  using next = await open(path);
  expect(next.claims.recordOf('port/8001', now)).toMatchObject({ holder: undefined, share: 'key' });
  expect(next.claims.nameFor('key', 'web', 'port', now)).toBe('port/8001');
});

test('a file that is not a list of leases is reported and set aside', async () => {
  const path = join(directory, 'leases.json');
  await writeFile(path, '[{"clientKey":"key","name":"web","port":8001,"usedAt":0}]');
  const damages: Error[] = [];
  using local = await open(path, damages);
  expect(damages.map(({ message }) => message)).toEqual([expect.stringContaining('entry 1 is not a lease')]);
  expect([...local.claims.records]).toEqual([]);
  expect(await readFile(`${path}.damaged`, 'utf8')).toContain('8001');
});
