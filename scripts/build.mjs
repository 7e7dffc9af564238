// Bundles the command into packages/cli/dist/main.mjs, unless the bundle is newer than all it is made of. Next to it go
// tunnel.js, which starts it, a package.json that makes that one CommonJS, the pages that it serves, and the list of what all
// this is made of, for the licences of `npm run pack`.
import { chmodSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inputsOf } from './npm-pack.mjs';

/** What browsers have to know: those of the last two years. */
const BROWSERS = ['chrome120', 'firefox121', 'safari17'];

const root = join(import.meta.dirname, '..');
const source = join(root, 'packages/cli/src');
const dist = join(root, 'packages/cli/dist');
const program = join(dist, 'main.mjs');
const starter = join(dist, 'tunnel.js');
const starterKind = join(dist, 'package.json');

const modifiedMs = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** A folder counts as well: its time changes when a file in it is deleted or renamed. */
function newestMs(folder) {
  let newest = modifiedMs(folder);
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) newest = Math.max(newest, newestMs(path));
    else if (!item.name.endsWith('.test.ts')) newest = Math.max(newest, modifiedMs(path));
  }
  return newest;
}

function isStale() {
  const builtMs = modifiedMs(program);
  if (builtMs === 0 || modifiedMs(starter) === 0 || modifiedMs(starterKind) === 0) return true;
  const packages = join(root, 'packages');
  const settings = ['build.mjs', 'bundle.mjs'].map((name) => join(import.meta.dirname, name));
  const inputs = [...settings, join(root, 'pnpm-lock.yaml')].map(modifiedMs);
  for (const name of readdirSync(packages)) {
    inputs.push(newestMs(join(packages, name, 'src')), modifiedMs(join(packages, name, 'package.json')));
  }
  return inputs.some((ms) => ms > builtMs);
}

/**
 * Packages whose default export is a function, loaded when it is called: as part of yargs they would come with every
 * start, for help that is seldom asked for, and compile regular expressions over all of Unicode at that.
 */
const loadedOnCall = {
  name: 'loaded-on-call',
  setup(build) {
    build.onResolve({ filter: /^(cliui|string-width)$/ }, ({ path, importer, namespace, resolveDir }) => {
      const isForYargs = namespace === 'file' && /[/\\]node_modules[/\\]yargs[/\\]/.test(importer);
      return isForYargs ? { path, namespace: 'loaded-on-call', pluginData: resolveDir } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'loaded-on-call' }, ({ path, pluginData }) => ({
      contents: `export default (...args) => require('${path}').default(...args);`,
      resolveDir: pluginData,
    }));
  },
};

async function build() {
  // Loaded only where there is something to build: most starts find the bundle as new as its sources.
  const { bundle } = await import('./bundle.mjs');
  const startedAt = new Date();
  const { outputFiles, metafile } = await bundle({
    entryPoints: [join(source, 'tunnel.ts')],
    outfile: program,
    write: false,
    plugins: [loadedOnCall],
    // Less to read at every start. Names stay, and lines stay short, so that a stack trace says something.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
    metafile: true,
  });
  const { outputFiles: starterFiles } = await bundle({
    entryPoints: [join(source, 'entry.js')],
    outfile: starter,
    write: false,
    // An ES module would use the thread pool before it can set its size.
    format: 'cjs',
    external: ['./main.mjs'],
    // It has to parse on any Node. One that is too old for import() never gets there.
    target: 'node10',
    supported: { 'dynamic-import': true },
    sourcemap: false,
    banner: { js: '#!/usr/bin/env node' },
  });
  const { outputFiles: pageFiles, metafile: pageMetafile } = await bundle({
    entryPoints: ['main.ts', 'inspector.css'].map((name) => ({
      in: join(root, 'packages/pages/src/inspector', name),
      out: 'inspector',
    })),
    outdir: dist,
    write: false,
    platform: 'browser',
    target: BROWSERS,
    minify: true,
    sourcemap: false,
    legalComments: 'none',
    banner: {},
    metafile: true,
  });
  mkdirSync(dist, { recursive: true });
  // Whoever starts the bundle meanwhile sees the old one or the new one, never half of one. A source that was
  // edited during the build stays newer than the bundle.
  const inputs = [...inputsOf(metafile), ...inputsOf(pageMetafile)];
  const files = [
    { path: `${program}.inputs.json`, contents: JSON.stringify(inputs) },
    { path: starterKind, contents: `${JSON.stringify({ type: 'commonjs' })}\n` },
    ...outputFiles,
    ...starterFiles,
    ...pageFiles,
  ];
  for (const { path, contents } of files) {
    const half = `${path}.${process.pid}`;
    writeFileSync(half, contents);
    chmodSync(half, path === starter ? 0o755 : 0o644);
    utimesSync(half, startedAt, startedAt);
    renameSync(half, path);
  }
}

if (isStale()) {
  // esbuild has reported what is wrong already.
  await build().catch((error) => {
    if (!Array.isArray(error.errors)) throw error;
    process.exitCode = 1;
  });
}
