// Makes packages/client/dist and packages/server/dist: one bundle each, with types. `pnpm pack` there makes a package of it.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const packages = join(root, 'packages');

/** Declarations name the sources beside them and the packages of this workspace; these are to stand alone. */
function copyTypes(from, types) {
  const folder = join(types, from);
  cpSync(join(packages, from, '.types'), folder, {
    recursive: true,
    filter: (path) => !/\.tsbuildinfo$|\.(?:test|fixture)\.d\.ts$/.test(path),
  });
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(folder, name);
    const up = relative(dirname(file), types);
    const text = readFileSync(file, 'utf8')
      .replaceAll(/(from|import\() ?'(\.[^']+)\.ts'/g, "$1 '$2.js'")
      .replaceAll(/'@tunnel\/shared(\/node)?'/g, (_, node = '') => `'${up}/shared${node}/index.js'`)
      .replaceAll("import( '", "import('");
    writeFileSync(file, text);
  }
}

const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/client', 'packages/server'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);

for (const name of ['client', 'server']) {
  const dist = join(packages, name, 'dist');
  rmSync(dist, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: [join(packages, name, 'src/index.ts')],
    outfile: join(dist, 'index.js'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    // CommonJS packages in the bundle call require(), which an ES module does not have.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    logLevel: 'warning',
  });
  for (const from of [name, 'shared']) copyTypes(from, join(dist, 'types'));
}
