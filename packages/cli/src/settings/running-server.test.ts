import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasProc } from '@tunnel/shared/node';
import { readRunningServer, writeRunningServer } from './running-server.ts';

const serverKey = new Uint8Array(32).fill(7);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

test.each([
  [undefined, 'localhost'],
  ['0.0.0.0', 'localhost'],
  ['::', 'localhost'],
  ['0:0:0:0:0:0:0:0', 'localhost'],
  ['10.0.0.1', '10.0.0.1'],
])('a server on %s is reached at %s', async (host, dialed) => {
  const path = join(directory, 'running.json');
  const secure = host === '::';
  await writeRunningServer(path, { secure, host, port: 1234, serverKey, secretFile: '/secret', admitsKeys: true });
  const address = { secure, host: dialed, port: 1234, path: '/' };
  expect(await readRunningServer(path)).toEqual({ address, serverKey, secretFile: '/secret', admitsKeys: true });
});

test.runIf(process.getuid?.() === 0)("of another user names no secret file that is not that user's own", async () => {
  const path = join(directory, 'running.json');
  const secretFile = join(directory, 'secret');
  await writeFile(secretFile, '');
  const where = { secure: false, host: undefined, port: 1, serverKey, secretFile, admitsKeys: true };
  await writeRunningServer(path, where);
  expect(await readRunningServer(path)).toMatchObject({ secretFile });
  await chown(path, 54_321, 54_321);
  expect(await readRunningServer(path)).toMatchObject({ secretFile: undefined });
  await chown(secretFile, 54_321, 54_321);
  expect(await readRunningServer(path)).toMatchObject({ secretFile });
});

test('no file, half a file and a process that has ended are no server', async () => {
  const path = join(directory, 'running.json');
  await expect(readRunningServer(path)).rejects.toMatchObject({ code: 'server-not-found' });
  await writeFile(path, '{"host":');
  await expect(readRunningServer(path)).rejects.toMatchObject({ code: 'server-not-found' });
  // Where the system does not tell when a process started, nothing tells this one from an earlier one with its pid.
  const pid = hasProc() ? process.pid : 0x7fff_fff0;
  const ended = { host: 'localhost', port: 1, serverKey: 'A'.repeat(43), pid, started: 'another boot/1' };
  await writeFile(path, JSON.stringify(ended));
  await expect(readRunningServer(path)).rejects.toMatchObject({
    code: 'server-not-found',
    detail: 'the last one has ended',
  });
});
