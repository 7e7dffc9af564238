import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { stateDirectory } from '../settings/state-directory.ts';
import { checkClock, checkFiles } from './files.ts';

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

test('what was not looked at is not said to be private', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tunnel-files-'));
  try {
    const state = stateDirectory({ text: path, source: '--state-dir' }, {});
    await mkdir(dirname(state.client.identity));
    const files = { state, identityFile: state.client.identity, secretFile: undefined };
    expect(await checkFiles(files, 'win32')).toMatchObject({
      state: 'ok',
      finding: expect.stringContaining('not checked'),
    });
    if (process.platform === 'win32') return;
    expect(await checkFiles(files, 'linux')).toMatchObject({
      finding: `${path} can be written, and is this user's alone`,
    });
  } finally {
    await rm(path, { recursive: true });
  }
});
