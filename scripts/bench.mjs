// Bundles the benchmark, whose processes are one entry each, and runs it with the arguments given.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';

const root = join(import.meta.dirname, '..');
const processes = join(root, 'bench/src/load/processes');

await bundle({
  entryPoints: [join(root, 'bench/src/bench.ts'), ...readdirSync(processes).map((name) => join(processes, name))],
  outdir: join(root, 'bench/dist'),
  entryNames: '[name]',
});

const program = join(root, 'bench/dist/bench.js');
const { status } = spawnSync(process.execPath, ['--enable-source-maps', program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
