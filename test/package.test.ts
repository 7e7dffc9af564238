// The npm package as somebody gets it: packed, installed from its file, run.
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTunnel } from './support/command.ts';
import { startEcho } from './support/services.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startClientProcess, startServerProcess } from './support/tunnel-processes.ts';
import { answerTo } from './support/visitor.ts';

const root = join(import.meta.dirname, '..');
const runFile = promisify(execFile);

let directory: TemporaryDirectory;
/** Where the package was installed, and the command there. */
let installed: string;
let program: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const [home, prefix] = [join(directory.path, 'home'), join(directory.path, 'prefix')];
  for (const path of [home, prefix]) await mkdir(path);
  await runFile(process.execPath, [join(root, 'scripts/pack.mjs'), directory.path]);
  const [file] = (await readdir(directory.path)).filter((name) => name.endsWith('.tgz'));
  if (file === undefined) throw new Error('no package was made');
  const tarball = join(directory.path, file);
  const began = performance.now();
  // Nothing but PATH and an empty HOME; offline, because there is nothing to fetch.
  await runFile('npm', ['install', '--global', '--offline', '--prefix', prefix, tarball], {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home },
  });
  const { size } = await stat(tarball);
  console.log(`${file}: ${Math.round(size / 1024)} KiB, installed in ${Math.round(performance.now() - began)} ms`);
  installed = join(prefix, 'lib/node_modules/@tunnel/cli');
  program = join(prefix, 'bin/tunnel');
}, 120_000);

afterAll(() => directory[Symbol.asyncDispose]());

test('the installed command carries bytes', async () => {
  await using version = await startTunnel(['--version'], { program });
  await version.waitForExit();
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as { version: string };
  expect(version.stdout.trim()).toBe(manifest.version);

  await using echo = await startEcho();
  const { server, port } = await startServerProcess(['--port', '0'], { program });
  await using _server = server;
  await using client = await startClientProcess(port, echo.port, [], { program });
  const publicPort = publicPortOf(await client.waitForEvent('ready'));
  expect(await answerTo(publicPort, 'through the package')).toBe('through the package');
});

test('it holds what somebody needs who has no checkout, and nothing else', async () => {
  const names = await readdir(installed, { recursive: true, withFileTypes: true });
  const files = names.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name));
  const own = files.map((file) => file.slice(installed.length + 1));
  expect(own).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'THIRD-PARTY-LICENCES',
      'completions/_tunnel',
      'completions/tunnel.bash',
      'completions/tunnel.fish',
      'dist/acme-client.mjs',
      'dist/inspector.css',
      'dist/inspector.js',
      'dist/main.mjs',
      'dist/package.json',
      'dist/tunnel.js',
      'docs/operations.md',
      'packaging/systemd/tunnel-client-key@.service',
      'packaging/systemd/tunnel-client@.service',
      'packaging/systemd/tunnel-run@.service',
      'packaging/systemd/tunnel-server.service',
    ]),
  );
  expect(own.filter((file) => /\.(?:ts|map)$|test|node_modules/.test(file))).toEqual([]);
  for (const file of files) {
    const text = await readFile(file, 'utf8');
    for (const path of [root, `${homedir()}/`, directory.path])
      expect(text.includes(path), `${file} names ${path}`).toBe(false);
  }
  expect(await publint({ pkgDir: installed, pack: false, strict: true })).toMatchObject({ messages: [] });
});

test('the licences are those of the packages in the bundle', async () => {
  const inputs = JSON.parse(
    await readFile(join(root, 'packages/cli/dist/main.mjs.inputs.json'), 'utf8'),
  ) as readonly string[];
  const inBundle = inputs.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const text = await readFile(join(installed, 'THIRD-PARTY-LICENCES'), 'utf8');
  const listed = [...text.matchAll(/^-{80}\n(\S+) \S+\n\n\S/gm)].map(([, name]) => name);
  expect(listed).toEqual(expect.arrayContaining(['ws', 'preact', 'htm']));
  expect(new Set(listed)).toEqual(new Set(inBundle));
});
