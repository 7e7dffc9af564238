import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LastPorts } from './last-ports.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function portsIn(file: string): Promise<readonly number[]> {
  const entries = JSON.parse(await readFile(file, 'utf8')) as { readonly port: number }[];
  return entries.map(({ port }) => port);
}

test('however many ports come at once, they are written together, and the last word on each holds', async () => {
  const file = join(directory, 'ports.json');
  const ports = new LastPorts(file);
  const parse = vi.spyOn(JSON, 'parse');
  const counts = Array.from({ length: 2_000 }, (_, index) => index);
  await Promise.all(counts.map((index) => ports.remember('server', `tunnel ${index}`, 1_024 + (index % 1_000))));
  // Once for each reading of the file.
  expect(parse.mock.calls.length).toBeLessThan(5);
  parse.mockRestore();
  expect((await portsIn(file)).length).toBe(1_000);
  const { port } = await new LastPorts(file).recall('server', 'tunnel 5');
  expect(port).toBeUndefined();
});
