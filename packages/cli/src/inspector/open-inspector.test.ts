import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Output } from '../output/output.ts';
import { type Inspector, openInspector } from './open-inspector.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inspector-'));
  for (const name of ['inspector.js', 'inspector.css']) await writeFile(join(folder, name), name);
});
afterAll(() => rm(folder, { recursive: true }));

/** What an inspector says when it opens, if it does. */
async function opened(
  choice: number | 'off' | undefined,
  audience: Output['audience'],
  bundle = folder,
): Promise<{ readonly lines: readonly string[]; readonly inspector: Inspector | undefined }> {
  const lines: string[] = [];
  const writer = { write: (line: string) => void lines.push(line) } as Output['stdout'];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) });
  const output: Output = { audience, troubles: 'lines', stdout: writer, stderr: writer, log };
  const bundleFolder = pathToFileURL(`${bundle}/`);
  const inspector = await openInspector(choice, output, { version: '1', bundleFolder });
  await inspector?.[Symbol.asyncDispose]();
  return { lines, inspector };
}

test('people get a link without asking for it, others only if they do', async () => {
  expect((await opened(undefined, 'people')).lines).toEqual([
    expect.stringMatching(/^inspector http:\/\/127\.0\.0\.1:\d+\/#[\w-]{22}$/),
  ]);
  expect((await opened(0, 'scripts')).lines).toEqual([expect.stringMatching(/"link":"http:.*"msg":"inspector"/)]);
  for (const audience of ['scripts', 'pipe'] as const) {
    expect(await opened(undefined, audience)).toEqual({ lines: [], inspector: undefined });
  }
  expect(await opened('off', 'people')).toEqual({ lines: [], inspector: undefined });
});

test('where it cannot open, the tunnel is told to go on without it', async () => {
  const { lines, inspector } = await opened(0, 'people', join(folder, 'nowhere'));
  expect(inspector).toBeUndefined();
  expect(lines).toEqual([
    expect.stringMatching(/^warning: there is no inspector: /),
    expect.stringMatching(/--inspect off$/),
  ]);
});
