// The libraries as packages: built, packed, unpacked elsewhere, compiled against and run without anything of this checkout.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';

const root = join(import.meta.dirname, '..');

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly packageManager: string;
};

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

test('can be packed, compiled against and run', async () => {
  execFileSync(process.execPath, [join(root, 'scripts/libraries.mjs')]);
  await using directory = await temporaryDirectory();
  const modules = join(directory.path, 'node_modules');
  for (const name of ['client', 'server']) {
    const folder = join(root, 'packages', name);
    const target = join(modules, '@tunnel', name);
    await mkdir(target, { recursive: true });
    const packed = execFileSync('npx', ['-y', packageManager, 'pack', '--pack-destination', directory.path, '--json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    const { filename } = JSON.parse(packed) as { readonly filename: string };
    execFileSync('tar', ['-xzf', filename, '-C', target, '--strip-components=1']);
  }
  await mkdir(join(modules, '@types'));
  await symlink(join(root, 'node_modules/@types/node'), join(modules, '@types/node'));
  await writeFile(join(directory.path, 'package.json'), '{ "type": "module" }');
  await writeFile(join(directory.path, 'program.ts'), PROGRAM);
  const compiler = join(root, 'node_modules/.bin/tsc');
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable'];
  execFileSync(compiler, [...options, '--types', 'node', 'program.ts'], { cwd: directory.path, stdio: 'inherit' });
  const output = execFileSync(process.execPath, ['program.js'], { cwd: directory.path, encoding: 'utf8' });
  expect(output).toBe('hello\n0\n');
});
