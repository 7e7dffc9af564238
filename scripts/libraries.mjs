// Makes packages/client/dist and packages/server/dist, one bundle each, with types, and an npm package of each that needs
// nothing but Node. `npm run libraries` leaves these in the root of the checkout, `npm run libraries -- DIRECTORY` in that directory.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { inputsOf, npmPack, readJson, thirdPartyLicences } from './npm-pack.mjs';

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

/** As in the workspace, but with what stands in `dist` in place of the sources, and of nothing that is bundled. */
function manifestOf(name) {
  const manifest = readJson(join(packages, name, 'package.json'));
  const { version, description, type, engines, publishConfig } = manifest;
  const files = ['dist', 'THIRD-PARTY-LICENCES'];
  return { name: manifest.name, version, description, license: 'UNLICENSED', type, engines, ...publishConfig, files };
}

function pack(name, inputs) {
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-library-'));
  try {
    cpSync(join(packages, name, 'dist'), join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifestOf(name), null, 2)}\n`);
    writeFileSync(join(folder, 'THIRD-PARTY-LICENCES'), thirdPartyLicences('dist/index.js', inputs));
    npmPack(folder, destination);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const destination = resolve(process.argv[2] ?? root);
mkdirSync(destination, { recursive: true });
for (const name of ['client', 'server']) {
  const dist = join(packages, name, 'dist');
  rmSync(dist, { recursive: true, force: true });
  const { metafile } = await build({
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
    metafile: true,
    logLevel: 'warning',
  });
  for (const from of [name, 'shared']) copyTypes(from, join(dist, 'types'));
  pack(name, inputsOf(metafile));
}
