// Holds the arrows between the packages, and the purity of the protocol core.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';

import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const core = join(root, 'packages/shared/src');
const coreAdapters = join(core, 'node');

/** The public doors that each package may go through. */
const arrows: Record<string, string[]> = {
  shared: [],
  client: ['@tunnel/shared', '@tunnel/shared/node'],
  server: ['@tunnel/shared', '@tunnel/shared/node'],
  cli: ['@tunnel/client', '@tunnel/client/internal', '@tunnel/server', '@tunnel/shared', '@tunnel/shared/node'],
};
const doors = [...new Set(Object.values(arrows).flat()), '@tunnel/cli', '@tunnel/server/internal'];

const importForms = [
  // import a from 'x'; import type { a } from 'x'; export * from 'x'; over several lines as well
  /^[ \t]*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  // import 'x'
  /^[ \t]*import\s*['"]([^'"]+)['"]/gm,
  // await import('x'), typeof import('x'), require('x')
  /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g,
];

function importsOf(text: string): string[] {
  return importForms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] ?? ''));
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && !name.split(sep).some((part) => part === 'node_modules' || part === '.types'),
    )
    .map((name) => join(folder, name));
}

function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

interface Import {
  file: string;
  specifier: string;
  /** The file that a relative specifier means. */
  target: string | undefined;
}

function readImports(files: string[]): Import[] {
  return files.flatMap((file) =>
    importsOf(readFileSync(file, 'utf8')).map((specifier) => ({
      file,
      specifier,
      target: specifier.startsWith('.') ? resolve(dirname(file), specifier) : undefined,
    })),
  );
}

/** Reads well in a failed `toEqual([])`. */
function told(imports: Import[]): string[] {
  return imports.map(({ file, specifier }) => `${relative(root, file)} imports ${specifier}`);
}

test('every form of import is seen, comments are not', () => {
  const text = [
    `import { a } from 'one';`,
    `import type {\n  b,\n  c,\n} from "two";`,
    `export * from 'three';`,
    `import 'four';`,
    `const d = await import('five');`,
    `type E = typeof import('six');`,
    `// import { f } from 'seven';`,
    `/**\n * import { g } from 'eight';\n */`,
    `export const h = Buffer.from('nine');`,
  ].join('\n');
  expect(importsOf(text).toSorted()).toEqual(['five', 'four', 'one', 'six', 'three', 'two']);
});

test('the table of arrows names every package', () => {
  expect(readdirSync(join(root, 'packages')).toSorted()).toEqual(Object.keys(arrows).toSorted());
});

describe.each(Object.entries(arrows))('packages/%s', (name, allowed) => {
  const folder = join(root, 'packages', name, 'src');
  const files = sourcesIn(folder);
  const imports = readImports(files);

  test('has sources', () => {
    expect(files).not.toEqual([]);
  });

  test('imports only the packages that it may', () => {
    const ours = imports.filter(({ specifier }) => specifier.startsWith('@tunnel/'));
    expect(told(ours.filter(({ specifier }) => !allowed.includes(specifier)))).toEqual([]);
  });

  test('does not leave its folder by a relative path', () => {
    expect(told(imports.filter(({ target }) => target !== undefined && !isInside(folder, target)))).toEqual([]);
  });

  test('has no default export', () => {
    const form = /^[ \t]*export\s+default\b|^[ \t]*export\s*\{[^}]*\bas\s+default\b/m;
    const offenders = files.filter((file) => form.test(readFileSync(file, 'utf8')));
    expect(offenders.map((file) => relative(root, file))).toEqual([]);
  });
});

test('the core imports no input, output, clock or entropy', () => {
  const files = sourcesIn(core).filter((file) => !isInside(coreAdapters, file) && !file.endsWith('.test.ts'));
  const impure = readImports(files).filter(
    ({ specifier, target }) =>
      isBuiltin(specifier) ||
      /^(?:ws|tweetnacl)(?:\/|$)/.test(specifier) ||
      (target !== undefined && isInside(coreAdapters, target)),
  );
  expect(told(impure)).toEqual([]);
});

test('tests go through the public doors', () => {
  const past = readImports(sourcesIn(join(root, 'test'))).filter(
    ({ specifier, target }) =>
      (specifier.startsWith('@tunnel/') && !doors.includes(specifier)) ||
      (target !== undefined && isInside(join(root, 'packages'), target)),
  );
  expect(told(past)).toEqual([]);
});
