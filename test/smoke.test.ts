// What the hosted workflow runs on macOS and Windows.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('scripts/smoke.mjs gets a page through a tunnel', async () => {
  const script = join(import.meta.dirname, '../scripts/smoke.mjs');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script]);
  expect(stdout).toBe(`through the tunnel on ${process.platform}, Node ${process.version}\n`);
  expect(stderr).toBe('');
});
