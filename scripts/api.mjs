// Writes what docs/api.md holds to stdout: what the libraries export, with its docstrings, from their declarations.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const INTRODUCTION = readFileSync(join(import.meta.dirname, 'api-introduction.md'), 'utf8');

/** The declarations that `tsc -b` makes. */
function declarationsOf(file) {
  return readFileSync(file.replace(/\.ts$/, '.d.ts').replace('/src/', '/.types/'), 'utf8');
}

/** Which file a package or a file beside `from` is. */
function resolveModule(specifier, from) {
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  const [, name, room = 'index'] = specifier.split('/');
  return join(root, 'packages', name, `src/${room}.ts`);
}

/** Names that a file exports from others, each with the file that declares it, in their order. */
function reexportsOf(file) {
  const exported = new Map();
  for (const [, names, specifier] of declarationsOf(file).matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm)) {
    const target = resolveModule(specifier, file);
    for (const name of names.split(',').map((each) => each.trim())) if (name !== '') exported.set(name, target);
  }
  return exported;
}

/** Where a name is declared, behind any number of doors. */
function declaringFile(name, file) {
  const target = reexportsOf(file).get(name);
  return target === undefined ? file : declaringFile(name, target);
}

/** A declaration and the docstring before it. A declaration ends where its brackets are closed and its line ends. */
function findDeclaration(name, file) {
  const text = declarationsOf(file);
  const start = new RegExp(
    `^(/\\*\\*(?:(?!\\*/)[^])*\\*/\\n)?export (?:declare )?((?:abstract )?(?:class|function|const|interface|type) ${name}\\b)`,
    'm',
  ).exec(text);
  if (start === null) throw new Error(`${file} does not declare ${name}`);
  const [whole, comment = '', head] = start;
  let depth = 0;
  let end = start.index + whole.length;
  // Brackets in comments are pairs.
  for (; end < text.length; end += 1) {
    const character = text[end];
    if ('({['.includes(character)) depth += 1;
    if (')}]'.includes(character)) depth -= 1;
    if (depth === 0 && character === '\n' && /[;}]$/.test(text.slice(0, end))) break;
  }
  return { comment, code: head + text.slice(start.index + whole.length, end) };
}

function proseOf(comment) {
  const lines = comment.replace(/^\/\*\*|\*\/\s*$/g, '').split('\n');
  return lines
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join('\n')
    .trim();
}

function sectionOf(name, file) {
  const { comment, code } = findDeclaration(name, file);
  const shown = code
    .replaceAll(/^ *(?:#private|private constructor\(.*\));\n/gm, '')
    // What Node calls, and nobody else.
    .replaceAll(/^(?: *\/\*\*.*\*\/\n)? *_(?:read|write|final|destroy)\(.*\n/gm, '');
  return [`### ${name}`, proseOf(comment), `\`\`\`ts\n${shown}\n\`\`\``].filter((part) => part !== '').join('\n\n');
}

const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/client', 'packages/server'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (status !== 0) process.exit(1);

const told = new Set();
const parts = [INTRODUCTION];
for (const name of ['client', 'server']) {
  const door = join(root, 'packages', name, 'src/index.ts');
  parts.push(`## @tunnel/${name}\n`);
  const shared = [];
  for (const each of reexportsOf(door).keys()) {
    const file = declaringFile(each, door);
    // What both export is the same.
    if (told.has(`${file} ${each}`)) shared.push(`\`${each}\``);
    else parts.push(`${sectionOf(each, file)}\n`);
    told.add(`${file} ${each}`);
  }
  if (shared.length > 0) parts.push(`As in \`@tunnel/client\`: ${shared.join(', ')}.\n`);
}
process.stdout.write(parts.join('\n'));
