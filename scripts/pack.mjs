// Makes the npm package with the command: no dependencies, and all that somebody who installs it needs.
// `npm run pack` leaves it in the root of the checkout, `npm run pack -- DIRECTORY` in that directory.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { npmPack, readJson, run, thirdPartyLicences } from './npm-pack.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'packages/cli/dist');
const bundle = join(dist, 'main.mjs');

function manifest() {
  const { name, version, description, type, engines, bin } = readJson(join(root, 'packages/cli/package.json'));
  const files = ['dist', 'docs', 'completions', 'packaging', 'THIRD-PARTY-LICENCES'];
  return { name, version, description, license: 'MIT', type, engines, bin, files };
}

function stage(folder) {
  for (const name of ['dist', 'completions']) mkdirSync(join(folder, name));
  // The map is four times as large as the program.
  const program = readFileSync(bundle, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\n*$/, '\n');
  writeFileSync(join(folder, 'dist/main.mjs'), program);
  for (const name of ['tunnel.js', 'package.json', 'inspector.js', 'inspector.css'])
    cpSync(join(dist, name), join(folder, 'dist', name));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  writeFileSync(
    join(folder, 'THIRD-PARTY-LICENCES'),
    thirdPartyLicences('dist/main.mjs', readJson(`${bundle}.inputs.json`)),
  );
  for (const name of ['README.md', 'LICENSE', 'docs', 'packaging']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const [shell, file] of Object.entries({ bash: 'tunnel.bash', zsh: '_tunnel', fish: 'tunnel.fish' })) {
    writeFileSync(
      join(folder, 'completions', file),
      run(process.execPath, [join(dist, 'tunnel.js'), 'completion', shell]),
    );
  }
}

const destination = resolve(process.argv[2] ?? root);
const folder = mkdtempSync(join(tmpdir(), 'tunnel-pack-'));
try {
  stage(folder);
  npmPack(folder, destination);
} finally {
  rmSync(folder, { recursive: true });
}
