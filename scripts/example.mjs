// Bundles the examples and runs one: `npm run example -- echo example.org`. Without a name it lists them.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'examples');

/** The source of each by its name. */
const examples = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file.replace(/\.ts$/, ''), readFileSync(join(folder, file), 'utf8')]),
);
const [name, ...args] = process.argv.slice(2);

if (name !== undefined && !examples.has(name)) {
  refuse(`there is no example ${name}`, `the examples are ${[...examples.keys()].join(', ')}`);
}
if (examples.get(name)?.includes("process.env['TUNNEL_SECRET']") && (process.env['TUNNEL_SECRET'] ?? '') === '') {
  refuse(
    `the example ${name} takes the secret of the server from TUNNEL_SECRET, which is not set`,
    `TUNNEL_SECRET=… npm run example -- ${[name, ...args].join(' ')}; a server prints the secret when it starts on a terminal`,
  );
}

await bundle({
  entryPoints: [...examples.keys()].map((each) => join(folder, `${each}.ts`)),
  outdir: join(folder, 'dist'),
});

if (name === undefined) {
  for (const [each, source] of examples) console.log(`${each.padEnd(16)} ${summaryOf(source)}`);
  console.log('\nnpm run example -- NAME [ARGUMENTS]');
} else {
  const program = spawn(process.execPath, [join(folder, 'dist', `${name}.js`), ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => program.kill('SIGTERM'));
  program.on('exit', (code) => (process.exitCode = code ?? 1));
}

/** What stands at the top of each of them. */
function summaryOf(source) {
  return source.split('\n', 1)[0].replace(/^\/\/ /, '');
}

function refuse(error, hint) {
  console.error(`error: ${error}\nhint: ${hint}`);
  process.exit(2);
}
