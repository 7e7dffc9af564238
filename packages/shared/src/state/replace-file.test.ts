import { expect, type Mock, test, vi } from 'vitest';
import { replaceDelaysMs, replaceFile } from './replace-file.ts';

/** Fails with these codes, one call after the other, and then works. */
function renaming(...codes: readonly string[]): Mock<(from: string, to: string) => Promise<void>> {
  const rename = vi.fn<(from: string, to: string) => Promise<void>>(async () => {});
  for (const code of codes) rename.mockRejectedValueOnce(Object.assign(new Error(code), { code }));
  return rename;
}

test.each(['linux', 'darwin'] as const)('on %s there is one attempt', async (platform) => {
  const rename = renaming('EPERM');
  await expect(replaceFile('a', 'b', replaceDelaysMs(platform), rename)).rejects.toThrow('EPERM');
  expect(rename.mock.calls).toEqual([['a', 'b']]);
});

test('on Windows a file that another program has open is tried again, for about a second', async () => {
  const delaysMs = replaceDelaysMs('win32');
  expect(delaysMs.reduce((sum, delayMs) => sum + delayMs)).toBeGreaterThan(1_000);
  const rename = renaming('EPERM', 'EACCES', 'EBUSY');
  await replaceFile('a', 'b', delaysMs, rename);
  expect(rename).toHaveBeenCalledTimes(4);
});

test('what another attempt would not change, and the last attempt, fail', async () => {
  const gone = renaming('ENOENT');
  await expect(replaceFile('a', 'b', [1], gone)).rejects.toThrow('ENOENT');
  expect(gone).toHaveBeenCalledTimes(1);
  const busy = renaming('EBUSY', 'EBUSY', 'EPERM');
  await expect(replaceFile('a', 'b', [1, 1], busy)).rejects.toThrow('EPERM');
});
