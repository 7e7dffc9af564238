// The libraries as packages: built, packed, installed elsewhere, compiled against and run without anything of this checkout.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listen } from '@tunnel/server';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTunnel } from './support/command.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';

const root = join(import.meta.dirname, '..');

const runFile = promisify(execFile);
const SECRET = 'a secret of the tests, long enough';

const PROGRAM = `
import { connect, type TunnelEvents, type VisitorSocket } from '@tunnel/client';
import { listen, type Server } from '@tunnel/server';
import { once } from 'node:events';
import { connect as visit } from 'node:net';

const server: Server = await listen({ host: '127.0.0.1', port: 0, secret: 'a secret, long enough' });
const tunnel = await connect({
  to: \`127.0.0.1:\${server.port}\`,
  secret: 'a secret, long enough',
  target: (visitor: VisitorSocket) => void visitor.end('hello'),
});
tunnel.on('stopped', ({ exitCode }: TunnelEvents['stopped']) => console.log(exitCode satisfies number));
// @ts-expect-error: no such event, so the types are there.
tunnel.on('nothing', () => {});
const [data] = await once(visit(tunnel.port, '127.0.0.1'), 'data');
console.log(String(data));
await tunnel.close();
await server.stop();
`;

let directory: TemporaryDirectory;

beforeAll(async () => {
  directory = await temporaryDirectory();
  await runFile(process.execPath, [join(root, 'scripts/libraries.mjs'), directory.path]);
  const tarballs = (await readdir(directory.path)).filter((name) => name.endsWith('.tgz'));
  await writeFile(join(directory.path, 'package.json'), '{ "type": "module" }');
  // Offline, because there is nothing to fetch.
  await runFile('npm', ['install', '--offline', ...tarballs.map((name) => `./${name}`)], { cwd: directory.path });
}, 120_000);

afterAll(() => directory[Symbol.asyncDispose]());

test('can be compiled against and run', async () => {
  await mkdir(join(directory.path, 'node_modules/@types'));
  await symlink(join(root, 'node_modules/@types/node'), join(directory.path, 'node_modules/@types/node'));
  await writeFile(join(directory.path, 'program.ts'), PROGRAM);
  const compiler = join(root, 'node_modules/.bin/tsc');
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable'];
  await runFile(compiler, [...options, '--types', 'node', 'program.ts'], { cwd: directory.path });
  const { stdout } = await runFile(process.execPath, ['program.js'], { cwd: directory.path });
  expect(stdout).toBe('hello\n0\n');
});

test('are two packages, with the licences of what is bundled', async () => {
  for (const name of ['client', 'server']) {
    const pkgDir = join(directory.path, 'node_modules/@tunnel', name);
    expect(await publint({ pkgDir, pack: false, strict: true })).toMatchObject({ messages: [] });
    expect(await readFile(join(pkgDir, 'THIRD-PARTY-LICENCES'), 'utf8')).toMatch(/^-{80}\nws /m);
  }
});

test('the sample of the README runs as it stands there, in plain JavaScript', async () => {
  await using server = await listen({ host: '127.0.0.1', port: 0, secret: SECRET, drainTimeoutMs: 0 });
  const [, sample = ''] = /^```js\n(.*?)^```$/ms.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
  expect(sample).toContain("to: 'tunnel.example.org'");
  const program = join(directory.path, 'sample.js');
  await writeFile(program, sample.replace('tunnel.example.org', `127.0.0.1:${server.port}`));
  await using running = await startTunnel([], { program, env: { TUNNEL_SECRET: SECRET } });
  const [, port = ''] = await running.waitForStdout(/^tcp:\/\/127\.0\.0\.1:(\d+)$/m);
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('hello\n');
});
