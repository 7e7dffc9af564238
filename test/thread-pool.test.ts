// The size of Node's thread pool, of which half looks up names: as the pool really is, since setting it too late has no effect.
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startTunnel } from './support/command.ts';

/** Beside the pool: the main thread, and those of V8 and Node. */
const MOST_OTHER_THREADS = 10;

test.runIf(process.platform === 'linux').each([
  [undefined, 16],
  ['5', 5],
])('with UV_THREADPOOL_SIZE=%s the command has a pool of %d', async (given, size) => {
  const env = given === undefined ? {} : { UV_THREADPOOL_SIZE: given };
  await using server = await startTunnel(['server', '--port', '0', '--output', 'json'], { env });
  await server.waitForEvent('listening');
  const { length: threads } = await readdir(`/proc/${server.pid}/task`);
  expect(threads).toBeGreaterThan(size);
  expect(threads).toBeLessThanOrEqual(size + MOST_OTHER_THREADS);
});
