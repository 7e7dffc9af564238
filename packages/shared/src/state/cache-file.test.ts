import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheFile } from './cache-file.ts';

function parseNumber(value: unknown): number {
  if (typeof value !== 'number') throw new Error('it is no number');
  return value;
}

describe('a cache file', () => {
  let directory = '';
  let path = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
    path = join(directory, 'cache.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('gives back what was written, and nothing where there is no file', async () => {
    const file = new CacheFile(path, parseNumber);
    expect(await file.read()).toEqual({ value: undefined });
    await file.write(7);
    expect(await file.read()).toEqual({ value: 7 });
  });

  test.each([
    ['{"cut', /cache\.json: it is not valid JSON; set aside as .*cache\.json\.damaged, and created again$/],
    ['"seven"', /cache\.json: it is no number; set aside as .*cache\.json\.damaged, and created again$/],
  ])('that holds %s is set aside, told once and created again', async (text, detail) => {
    await writeFile(path, text);
    const file = new CacheFile(path, parseNumber);
    const { value, damage } = await file.read();
    expect(value).toBeUndefined();
    expect(damage).toMatchObject({ code: 'cache-damaged', detail: expect.stringMatching(detail) });
    expect(await file.read()).toEqual({ value: undefined });
    await file.write(8);
    expect(await file.read()).toEqual({ value: 8 });
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text);
  });

  test.runIf(process.getuid?.() === 0)('of another user is not set aside by root', async () => {
    await writeFile(path, '{"cut');
    await chown(path, 54_321, 54_321);
    const { damage } = await new CacheFile(path, parseNumber).read();
    expect(damage?.detail).toMatch(/it is not valid JSON; left as it is: it belongs to another user$/);
    expect(await readdir(directory)).toEqual(['cache.json']);
  });

  test('whose place a directory has is made anew, too', async () => {
    await mkdir(path);
    const file = new CacheFile(path, parseNumber);
    const { damage } = await file.read();
    expect(damage?.detail).toContain('cache.json: it is a directory; set aside');
    await file.write(9);
    expect(await file.read()).toEqual({ value: 9 });
    expect(await readdir(directory)).toEqual(['cache.json', 'cache.json.damaged']);
  });
});
