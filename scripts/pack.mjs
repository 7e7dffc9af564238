// Makes the npm package with the command: no dependencies, and all that somebody who installs it needs.
// `npm run pack` leaves it in the root of the checkout, `npm run pack -- DIRECTORY` in that directory.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'packages/cli/dist');
const bundle = join(dist, 'main.js');

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Runs a program to its end, and returns what it printed. */
function run(command, args, options) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** The folders of the packages that have a part in the bundle. */
function bundledPackages() {
  const folders = readJson(`${bundle}.inputs.json`).flatMap((path) => {
    const [folder] = /.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(`/${path}`) ?? [];
    return folder === undefined ? [] : [join(root, folder)];
  });
  return [...new Set(folders)];
}

function licenceOf(folder) {
  const { name, version, license } = readJson(join(folder, 'package.json'));
  const file = readdirSync(folder).find((item) => /^(?:licen[cs]e|copying)(?:\.|-|$)/i.test(item));
  if (license === undefined && file === undefined) throw new Error(`${name} ${version} says nothing of its licence`);
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim();
  return { title: `${name} ${version}`, text };
}

function thirdPartyLicences() {
  const licences = new Map(bundledPackages().map((folder) => [licenceOf(folder).title, licenceOf(folder).text]));
  const parts = [...licences]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([title, text]) => `${'-'.repeat(80)}\n${title}\n\n${text}\n`);
  return `dist/main.js contains parts of these packages.\n\n${parts.join('\n')}`;
}

function manifest() {
  const { name, version, description, type, engines, bin } = readJson(join(root, 'packages/cli/package.json'));
  const files = ['dist', 'docs', 'completions', 'packaging', 'THIRD-PARTY-LICENCES'];
  return { name, version, description, license: 'UNLICENSED', type, engines, bin, files };
}

function stage(folder) {
  for (const name of ['dist', 'completions']) mkdirSync(join(folder, name));
  // The map is four times as large as the program.
  const program = readFileSync(bundle, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\n*$/, '\n');
  writeFileSync(join(folder, 'dist/main.js'), program);
  cpSync(join(dist, 'tunnel.js'), join(folder, 'dist/tunnel.js'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  writeFileSync(join(folder, 'THIRD-PARTY-LICENCES'), thirdPartyLicences());
  for (const name of ['README.md', 'docs', 'packaging']) {
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
  const [packed] = Object.values(
    JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', destination], { cwd: folder })),
  );
  console.log(
    `${join(destination, packed.filename)}: ${Math.round(packed.size / 1024)} KiB, ${packed.entryCount} files`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
