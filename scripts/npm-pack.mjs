// What `npm run pack` and `npm run libraries` have in common: the licences of what is in a bundle, and npm's packing.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { programCall } from './program-call.mjs';

const root = join(import.meta.dirname, '..');

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Runs a program to its end, and returns what it printed. */
export function run(command, args, options) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** Packs what is in a folder, leaves the tarball in `destination`, and says where it is. */
export function npmPack(folder, destination) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
  const call = programCall('npm', args);
  const [packed] = Object.values(JSON.parse(run(call.file, call.args, { cwd: folder, ...call.options })));
  console.log(
    `${join(destination, packed.filename)}: ${Math.round(packed.size / 1024)} KiB, ${packed.entryCount} files`,
  );
}

/** The sources, relative to the root of the checkout, of which something is in what esbuild made. */
export function inputsOf({ outputs }) {
  const made = Object.values(outputs).filter(({ entryPoint }) => entryPoint !== undefined);
  return made.flatMap(({ inputs }) => Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0));
}

/** The text of a file with the licences of all packages that have a part in a bundle. */
export function thirdPartyLicences(bundle, inputs) {
  const folders = inputs.flatMap((path) => {
    const [folder] = /.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(`/${path}`) ?? [];
    return folder === undefined ? [] : [join(root, folder)];
  });
  const licences = new Map([...new Set(folders)].map(licenceOf));
  const parts = [...licences]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([title, text]) => `${'-'.repeat(80)}\n${title}\n\n${text}\n`);
  return `${bundle} contains parts of these packages.\n\n${parts.join('\n')}`;
}

function licenceOf(folder) {
  const { name, version, license } = readJson(join(folder, 'package.json'));
  const file = readdirSync(folder).find((item) => /^(?:licen[cs]e|copying)(?:\.|-|$)/i.test(item));
  if (license === undefined && file === undefined) throw new Error(`${name} ${version} says nothing of its licence`);
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim();
  return [`${name} ${version}`, text];
}
