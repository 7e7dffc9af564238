import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askClient } from './control-connection.ts';
import { listPlaces, newPlace, pipeOf, publishPlace, removePlace, removeStalePlace } from './socket-place.ts';

let directory: string;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'tunnel-test-')), 'control');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test.each(['linux', 'darwin'] as const)('on %s a socket is a file in the directory', (platform) => {
  expect(pipeOf('/state/client/control/17-00c0ffee.sock', platform)).toBeUndefined();
});

test('on Windows it is a named pipe, after a file in the directory', () => {
  const pipe = '\\\\.\\pipe\\tunnel-17-00c0ffee';
  expect(pipeOf('C:\\state\\client\\control\\17-00c0ffee.sock', 'win32')).toBe(pipe);
});

test('on Windows the file is there while the pipe is, and tells where that is', async () => {
  const place = await newPlace(directory, 'win32');
  expect(await listPlaces(directory, 'win32')).toEqual([]);
  await publishPlace(place);
  await writeFile(join(directory, 'notes.txt'), '');
  expect(place.socket).toBe(`\\\\.\\pipe\\tunnel-${basename(place.name, '.sock')}`);
  expect(await listPlaces(directory, 'win32')).toMatchObject([{ pid: process.pid, socket: place.socket }]);
  await removePlace(place);
  expect(await readdir(directory)).toEqual(['notes.txt']);
});

test('on Windows what a process left that was killed is removed', async () => {
  const place = { ...(await newPlace(directory, 'win32')), pid: 0x7fff_fff0 };
  await publishPlace(place);
  await removeStalePlace(place);
  expect(await readdir(directory)).toEqual([]);
});

test('here, a place can be listened at and asked, and is gone after that', async () => {
  const place = await newPlace(directory);
  const server = createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('no\n'),
  ).listen(place.socket);
  await new Promise((resolve) => server.once('listening', resolve));
  await publishPlace(place);
  const [listed] = await listPlaces(directory);
  expect(listed?.socket).toBe(place.socket);
  expect(await askClient(place, 'status')).toEqual({ problem: 'it does not answer in JSON' });
  await new Promise((resolve) => server.close(resolve));
  expect(await askClient(place, 'status')).toEqual({ isGone: true });
  await removePlace(place);
  expect(await listPlaces(directory)).toEqual([]);
});
