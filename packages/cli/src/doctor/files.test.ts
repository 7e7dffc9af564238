import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkClock } from './files.ts';

test('a clock that was never set, or is behind what was made here, is a warning', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tunnel-clock-'));
  try {
    const identity = join(directory, 'identity');
    await writeFile(identity, '');
    const made = new Date('2026-06-01T00:00:00Z');
    await utimes(identity, made, made);
    const stateAt = async (now: string): Promise<string> => (await checkClock(identity, new Date(now))).state;
    expect(await stateAt('2026-06-01T00:00:30Z')).toBe('ok');
    // Timestamps of two file systems may differ by whole seconds.
    expect(await stateAt('2026-05-31T23:59:30Z')).toBe('ok');
    expect(await stateAt('2026-05-31T12:00:00Z')).toBe('warning');
    expect(await stateAt('1970-01-01T00:01:00Z')).toBe('warning');
  } finally {
    await rm(directory, { recursive: true });
  }
});
