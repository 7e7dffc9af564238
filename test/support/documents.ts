import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The text of a file in `docs/`. */
export function readDocument(name: string): string {
  return readFileSync(join(root, 'docs', name), 'utf8');
}

/** The cells of every table row that begins with `first`, without backticks around a whole cell. */
export function tableRows(document: string, first: RegExp): string[][] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | ').map(unquoted))
    .filter(([cell = '']) => first.test(cell));
}

/** The fenced blocks that have a name behind their language, as in "```hex message-1". */
export function namedBlocks(document: string): ReadonlyMap<string, string> {
  const blocks = [...document.matchAll(/^```\w+ ([\w-]+)\n(.*?)\n```$/gms)];
  return new Map(blocks.map(([, name = '', text = '']) => [name, text]));
}

/** The command lines `tunnel COMMAND …` in code of a document, without what stands before `tunnel`. */
export function commandLines(document: string, commands: readonly string[]): readonly string[] {
  const line = `(?:\\$ )?(?:[A-Z_]+=\\S+ )*(tunnel (?:${commands.join('|')})(?: [^\`\n]+)?)`;
  const found = document.matchAll(new RegExp(`^    ${line}$|\`${line}\``, 'gm'));
  return [...new Set([...found].map(([, indented, inline]) => indented ?? inline ?? ''))];
}

/**
 * The numeric constants of the packages by name, as their sources say; not a number where two sources differ. Documents
 * name many that no package exports, so they are read and not imported.
 */
export function readConstants(): ReadonlyMap<string, number> {
  const expressions = new Map<string, string[]>();
  for (const file of sourceFiles()) {
    const text = readFileSync(file, 'utf8');
    for (const [, name = '', expression = ''] of text.matchAll(/^(?:export )?const ([A-Z][A-Z\d_]+)[^=\n]*= (.+);/gm)) {
      expressions.set(name, [...(expressions.get(name) ?? []), expression]);
    }
  }
  const evaluate = (name: string): number => {
    const [first = Number.NaN, ...others] = (expressions.get(name) ?? []).map(sum);
    return others.every((other) => other === first) ? first : Number.NaN;
  };
  const operand = (text: string): number => (/^[\d_]+$/.test(text) ? Number(text.replaceAll('_', '')) : evaluate(text));
  const power = (text: string): number =>
    text
      .split(' ** ')
      .map(operand)
      .reduce((base, exponent) => base ** exponent);
  const product = (text: string): number =>
    text
      .split(' * ')
      .map(power)
      .reduce((a, b) => a * b);
  const difference = (text: string): number =>
    text
      .split(' - ')
      .map(product)
      .reduce((a, b) => a - b);
  const sum = (text: string): number =>
    text
      .split(' + ')
      .map(difference)
      .reduce((a, b) => a + b);
  return new Map([...expressions.keys()].map((name) => [name, evaluate(name)]));
}

function sourceFiles(): string[] {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const folder = join(root, 'packages', name, 'src');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !/\.(?:test|fixture)\.ts$/.test(file))
      .map((file) => join(folder, file));
  });
}

function unquoted(cell: string): string {
  return /^`([^`]*)`$/.exec(cell)?.[1] ?? cell;
}
