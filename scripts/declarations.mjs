// The declarations of a library in one text: what it exports, and all that those types mention, also of the other packages.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { programCall } from './program-call.mjs';

const root = join(import.meta.dirname, '..');

/** What the compiler made of a file in `src`. */
const declared = (name, file) => join(root, 'packages', name, '.types', `${file}.d.ts`);

/** It is private, so its types go into the text. */
const sharedPackage = {
  name: 'shared-package',
  resolveId(source) {
    const match = /^@tunnel\/shared(?:\/(?<file>.+))?$/.exec(source);
    return match && declared('shared', match.groups.file ?? 'index');
  },
};

/** Throws where the types are wrong, or where one is of a package that would be missing beside the library. */
export async function declarationsOf(name) {
  const { file, args, options } = programCall(join(root, 'node_modules/.bin/tsc'), ['-b', `packages/${name}`]);
  const { status } = spawnSync(file, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (status !== 0) throw new Error(`packages/${name} does not compile`);
  const bundle = await rollup({
    input: declared(name, 'index'),
    plugins: [sharedPackage, dts()],
    external: /^node:/,
    onwarn({ message }) {
      throw new Error(message);
    },
  });
  const { output } = await bundle.generate({ format: 'es' });
  const [{ code, imports }] = output;
  const missing = imports.filter((specifier) => !specifier.startsWith('node:'));
  if (missing.length > 0) throw new Error(`the types of @tunnel/${name} mention those of ${missing.join(', ')}`);
  return code;
}
