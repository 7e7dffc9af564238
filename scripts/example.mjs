// Bundles the examples and runs one: `npm run example -- echo example.org`. Without a name it only bundles them.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'examples');

await build({
  absWorkingDir: root,
  entryPoints: readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
  outdir: join(folder, 'dist'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  // CommonJS packages in the bundle call require(), which an ES module does not have.
  banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
  logLevel: 'warning',
});

const [name, ...args] = process.argv.slice(2);
if (name !== undefined) {
  const program = spawn(process.execPath, [join(folder, 'dist', `${name}.js`), ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => program.kill('SIGTERM'));
  program.on('exit', (code) => (process.exitCode = code ?? 1));
}
