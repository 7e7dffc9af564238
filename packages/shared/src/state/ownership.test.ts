import { chmod, chown, lchown, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accessTo, hasModes, isForeignLink, isMountPoint, ownerOf } from './ownership.ts';

const OTHER_UID = 54_321;
const isRoot = process.getuid?.() === 0;

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
  file = join(directory, 'file');
  await writeFile(file, '');
});
afterEach(() => rm(directory, { recursive: true }));

test('a mode says nothing on Windows', async () => {
  expect((['linux', 'darwin', 'win32'] as const).map(hasModes)).toEqual([true, true, false]);
  expect(await accessTo(file, 'win32')).toBeUndefined();
});

describe.skipIf(process.platform === 'win32')('who can get at a file', () => {
  test.each([
    [0o600, false, false],
    [0o604, true, false],
    [0o602, false, true],
    [0o646, true, true],
  ])('of mode %o: read %s, change %s', async (mode, othersCanRead, othersCanWrite) => {
    await chmod(file, mode);
    expect(await accessTo(file)).toEqual({ owner: 'own', uid: process.getuid?.(), othersCanRead, othersCanWrite });
  });

  test.runIf(isRoot)("the group counts, unless it is the user's own, or root gave it the right", async () => {
    await chmod(file, 0o660);
    expect(await accessTo(file)).toMatchObject({ othersCanRead: false, othersCanWrite: false });
    await chown(file, OTHER_UID, OTHER_UID);
    expect(await accessTo(file)).toMatchObject({ owner: 'foreign', uid: OTHER_UID, othersCanRead: false });
    await chown(file, OTHER_UID, OTHER_UID + 1);
    expect(await accessTo(file)).toMatchObject({ othersCanRead: true, othersCanWrite: true });
  });

  test('nothing is known of what is not there, and of what is no file', async () => {
    expect(await accessTo(join(directory, 'none'))).toBeUndefined();
    expect(await accessTo('/dev/null')).toBeUndefined();
  });
});

test.runIf(isRoot)('a link is foreign where another user made it, whatever it leads to', async () => {
  const link = join(directory, 'link');
  await symlink(file, link);
  expect(await isForeignLink(link)).toBe(false);
  await lchown(link, OTHER_UID, OTHER_UID);
  expect(await isForeignLink(link)).toBe(true);
  expect(await isForeignLink(file)).toBe(false);
  expect(await ownerOf(OTHER_UID)).toBe('foreign');
});

test.runIf(process.platform === 'linux')('a mount point is told from what is in it', async () => {
  expect(await isMountPoint('/proc')).toBe(true);
  expect(await isMountPoint('/proc/self')).toBe(false);
  expect(await isMountPoint(directory)).toBe(false);
  expect(await isMountPoint(join(directory, 'none'))).toBe(false);
});
