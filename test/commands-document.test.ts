// Every `tunnel …` command line and every named configuration of the documents, as the built command takes it.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, runTunnel } from './support/command.ts';
import { commandLines, namedBlocks, readDocument } from './support/documents.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const SLOW = { timeout: 60_000 };

/** Stands where the documents leave a key out. */
const KEY = 'Xu6rKAiXfT7m6VbMgg1OMYCwszm-IAkZj1q29CoXiCQ';

/** All other settings are read before this one, so nothing but this is refused where the others can be used. */
const REFUSED_LAST = ['--log-level', 'loud'];

const DOCUMENTS = [
  '../README.md',
  'authorized-keys.md',
  'configuration.md',
  'http.md',
  'migrating.md',
  'operations.md',
  'reverse-proxies.md',
];

const CONFIGURATION = `
[client]
to = "tunnel.example.org"

[tunnels.web]
target = 3000

[tunnels.ssh]
target = 22
`;

async function run(args: readonly string[], configuration = CONFIGURATION): Promise<Ended> {
  await using home = await temporaryDirectory();
  const folder = join(home.path, '.config/tunnel');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.toml'), configuration, { mode: 0o600 });
  return await runTunnel(args, { home: home.path });
}

describe.each(DOCUMENTS)('the command lines of %s', (name) => {
  // Without an argument, that is the name of the command.
  const lines = commandLines(readDocument(name), ['server', 'local', 'http', 'run']).filter(
    (line) => line !== 'tunnel local' && line !== 'tunnel http',
  );

  test.concurrent.each(lines)('%s', SLOW, async (line) => {
    const [, ...args] = line.replaceAll('…', KEY).split(' ');
    expect(await run([...args, ...REFUSED_LAST])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: --log-level loud: /),
    });
  });

  test('are found', () => {
    expect(lines.length).toBeGreaterThan(0);
  });
});

describe('the other command lines of docs/migrating.md, which do what they say', () => {
  const lines = commandLines(readDocument('migrating.md'), ['status', 'retry', 'config']);

  test.concurrent.each(lines)('%s', SLOW, async (line) => {
    expect(await run(line.split(' ').slice(1))).toMatchObject({ code: 0, stderr: '' });
  });

  test('are all that there are', () => {
    const all = [...readDocument('migrating.md').matchAll(/`tunnel (\w+)/g)].map(([, command]) => command);
    expect(new Set(all)).toEqual(new Set(['config', 'http', 'keygen', 'local', 'retry', 'run', 'server', 'status']));
  });
});

describe('the configurations of docs/migrating.md', () => {
  const blocks = [...namedBlocks(readDocument('migrating.md'))];

  test.concurrent.each(blocks)('%s', SLOW, async (_name, text) => {
    expect(await run(['config', 'check'], text)).toMatchObject({ code: 0, stderr: '' });
  });

  test('are found', () => {
    expect(blocks.map(([name]) => name)).toEqual([
      'frp-server',
      'frp-client',
      'frp-http-server',
      'frp-http-client',
      'rathole-client',
      'cloudflared-client',
    ]);
  });
});
