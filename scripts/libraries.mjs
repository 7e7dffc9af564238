// Makes packages/client/dist and packages/server/dist, one bundle each, with types, and an npm package of each that needs
// nothing but Node. `npm run libraries` leaves these in the root of the checkout, `npm run libraries -- DIRECTORY` in that directory.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { apart, bundle, bundleAcme } from './bundle.mjs';
import { declarationsOf } from './declarations.mjs';
import { inputsOf, npmPack, readJson, thirdPartyLicences } from './npm-pack.mjs';

const root = join(import.meta.dirname, '..');
const packages = join(root, 'packages');

/** As in the workspace, but with what stands in `dist` in place of the sources, and of nothing that is bundled. */
function manifestOf(name) {
  const manifest = readJson(join(packages, name, 'package.json'));
  const { version, description, type, engines, publishConfig } = manifest;
  const files = ['dist', 'THIRD-PARTY-LICENCES'];
  return { name: manifest.name, version, description, license: 'MIT', type, engines, ...publishConfig, files };
}

function pack(name, inputs) {
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-library-'));
  try {
    cpSync(join(packages, name, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
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
  const { metafile } = await bundle({
    entryPoints: [join(packages, name, 'src/index.ts')],
    outfile: join(dist, 'index.js'),
    metafile: true,
    plugins: [apart],
  });
  const inputs = inputsOf(metafile);
  if (name === 'server') {
    inputs.push(...inputsOf((await bundleAcme({ outfile: join(dist, 'acme-client.mjs') })).metafile));
  }
  writeFileSync(join(dist, 'index.d.ts'), await declarationsOf(name));
  pack(name, inputs);
}
