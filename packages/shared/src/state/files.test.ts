import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOnce, readTextFile, writeFileAtomic } from './files.ts';
import {
  decodeKey,
  encodeKey,
  formatIdentity,
  generateIdentity,
  loadOrCreateIdentity,
  parseIdentity,
} from '../crypto/keys.ts';
import { hasModes } from './ownership.ts';
import { takeProcessLock } from './process-lock.ts';
import { isRunning, ownProcess } from './process-stamp.ts';
import { generateSecret, loadOrCreateSecret, readSecretFile } from '../crypto/secrets.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

/** On Windows every file that may be written has the same mode, and says nothing by it. */
function expectedMode(mode: string): string {
  return hasModes(process.platform) ? mode : '666';
}

/** The stamp of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '0']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('files', () => {
  test('are replaced whole, private, and nothing else stays behind', async () => {
    const path = join(directory, 'file');
    await writeFileAtomic(path, 'one');
    await writeFileAtomic(path, 'two');
    expect(await readTextFile(path)).toBe('two');
    expect(await modeOf(path)).toBe(expectedMode('600'));
    expect(await readdir(directory)).toEqual(['file']);
  });

  test('of many first starts one wins, and all read the same', async () => {
    const path = join(directory, 'a', 'b', 'file');
    const results = await Promise.all('0123456789'.split('').map((text) => createOnce(path, () => text)));
    expect(new Set(results.map(({ text }) => text)).size).toBe(1);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(await readdir(join(directory, 'a', 'b'))).toEqual(['file']);
    expect(await modeOf(join(directory, 'a'))).toBe(expectedMode('700'));
  });

  test('that cannot be used are named', async () => {
    await writeFile(join(directory, 'file'), '');
    const path = join(directory, 'file', 'below');
    await expect(writeFileAtomic(path, '')).rejects.toMatchObject({
      code: 'state-unusable',
      detail: `${path}: ${process.platform === 'win32' ? 'no such file or directory' : 'part of the path is not a directory'}`,
    });
    await expect(createOnce(path, () => '')).rejects.toMatchObject({ code: 'state-unusable' });
    await expect(readTextFile(directory)).rejects.toMatchObject({ detail: `${directory}: it is a directory` });
    expect(await readTextFile(join(directory, 'none'))).toBeUndefined();
  });

  test.runIf(process.platform === 'linux')('below a directory that the system does not make', async () => {
    await expect(createOnce('/proc/tunnel/client/identity', () => '')).rejects.toMatchObject({
      code: 'state-unusable',
      detail: '/proc/tunnel/client: no such file or directory',
    });
  });
});

describe('lock', () => {
  const path = (): string => join(directory, 'server', 'lock');

  test('one holder at a time, and free again after release', async () => {
    const lock = await takeProcessLock(path());
    await expect(takeProcessLock(path())).rejects.toMatchObject({
      code: 'state-locked',
      detail: `${join(directory, 'server')} (process ${process.pid})`,
    });
    await lock.release();
    await lock.release();
    await (await takeProcessLock(path())).release();
    expect(await readdir(join(directory, 'server'))).toEqual([]);
  });

  test('is taken over from a process that has ended, one that had the same pid, and damage', async () => {
    for (const stale of [
      JSON.stringify({ pid: await endedProcess() }),
      JSON.stringify({ pid: process.pid, started: 'an earlier boot/17' }),
      '',
      '{"pid":-1}',
      'null',
    ]) {
      await (await takeProcessLock(path())).release();
      await writeFile(path(), stale);
      const lock = await takeProcessLock(path(), 20);
      await expect(takeProcessLock(path())).rejects.toMatchObject({ code: 'state-locked' });
      await lock.release();
    }
    expect(await readdir(join(directory, 'server'))).toEqual([]);
  });

  test('a release does not touch the lock of somebody else', async () => {
    const lock = await takeProcessLock(path());
    await writeFile(path(), 'another');
    await lock.release();
    expect(await readFile(path(), 'utf8')).toBe('another');
  });
});

test('a process is told from another one with its pid', async () => {
  const own = await ownProcess();
  expect(await isRunning(own)).toBe(true);
  expect(await isRunning({ pid: own.pid })).toBe(true);
  expect(await isRunning({ pid: own.pid, started: 'an earlier boot/17' })).toBe(own.started === undefined);
  expect(await isRunning({ pid: await endedProcess() })).toBe(false);
});

describe('keys', () => {
  test('are 43 characters of base64url, in the one right spelling', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
    const text = encodeKey(key);
    expect(text).toBe('__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA');
    expect(decodeKey(text, '--server-key')).toEqual(key);
    for (const wrong of [`${text.slice(0, -1)}B`, `${text.slice(0, -1)}=`, `${text.slice(0, -1)}+`]) {
      expect(() => decodeKey(wrong, '--server-key')).toThrow('--server-key is not in base64url');
    }
    for (const wrong of ['', 'abc', `${text}=`, `${text}A`]) {
      expect(() => decodeKey(wrong, '--server-key')).toThrow(`has ${wrong.length} characters instead of 43`);
    }
  });

  test('an identity is made once, private, and found again', async () => {
    const path = join(directory, 'client', 'identity');
    const made = await loadOrCreateIdentity(path);
    const found = await loadOrCreateIdentity(path);
    expect(made.created).toBe(true);
    expect(found).toEqual({ ...made, created: false });
    expect(await modeOf(path)).toBe(expectedMode('600'));
  });

  test.each([
    ['', 1, 'the key is missing'],
    ['# comment\n', 1, 'the key is missing'],
    ['# comment\nabc\n', 2, 'no key, which would be 43 characters of base64url'],
    [`# comment\n${'A'.repeat(43)}\nmore\n`, 3, 'there is something after the key'],
  ])('a damaged identity %j is told with its line', (text, line, reason) => {
    expect(() => parseIdentity(text, '/identity')).toThrow(`/identity, line ${line}: ${reason}`);
  });

  test('an identity file may have been edited on Windows', () => {
    const identity = generateIdentity();
    expect(parseIdentity(formatIdentity(identity).replaceAll('\n', '\r\n'), '/identity')).toEqual(identity);
  });
});

describe('secrets', () => {
  test('have at least 128 bits, of letters and digits', () => {
    const secrets = Array.from({ length: 50 }, generateSecret);
    expect(new Set(secrets).size).toBe(50);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z\d]{24}$/);
  });

  test.each([
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\nmore\n', 'secret'],
    [' with spaces \n', ' with spaces '],
  ])('%j holds %j', async (text, secret) => {
    const path = join(directory, 'secret');
    await writeFile(path, text);
    expect(await readSecretFile(path, '--secret-file')).toBe(secret);
  });

  test('that cannot be used are told with flag and file', async () => {
    const path = join(directory, 'secret');
    const read = (file: string): Promise<string> => readSecretFile(file, '--secret-file');
    await expect(read(path)).rejects.toMatchObject({
      code: 'secret-unusable',
      detail: `--secret-file ${path}: no such file or directory`,
    });
    await expect(read(directory)).rejects.toMatchObject({ detail: `--secret-file ${directory}: it is a directory` });
    for (const text of ['', '\n', '\nsecond line\n']) {
      await writeFile(path, text);
      await expect(read(path)).rejects.toMatchObject({ detail: `--secret-file ${path}: its first line is empty` });
    }
    await writeFile(path, 'x'.repeat(10_000));
    await expect(read(path)).rejects.toMatchObject({ detail: `--secret-file ${path}: its first line is too long` });
  });

  test('of the server are made once and never made anew', async () => {
    const path = join(directory, 'server', 'secret');
    const made = await loadOrCreateSecret(path);
    expect(await loadOrCreateSecret(path)).toEqual({ secret: made.secret, created: false });
    await chmod(path, 0o600);
    await writeFile(path, '\n');
    await expect(loadOrCreateSecret(path)).rejects.toMatchObject({ code: 'state-damaged' });
  });
});
