// Writes what docs/api.md holds to stdout: what the libraries export, with its docstrings, from their declarations.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from '@typescript/typescript6';
import { declarationsOf } from './declarations.mjs';

const root = join(import.meta.dirname, '..');
const INTRODUCTION = readFileSync(join(import.meta.dirname, 'api-introduction.md'), 'utf8');

const parse = (text) => ts.createSourceFile('declarations.ts', text, ts.ScriptTarget.Latest, true);

/** Names of what a library exports, in the order in which its index does. */
function exportsOf(name) {
  const index = parse(readFileSync(join(root, 'packages', name, 'src/index.ts'), 'utf8'));
  return index.statements.flatMap(({ exportClause }) => exportClause.elements.map((element) => element.name.text));
}

/** What is declared in a text, by name. */
function declarationsIn(text) {
  const named = parse(text).statements.flatMap((statement) => {
    const declared = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
    return declared.map(({ name }) => [name?.text, statement]);
  });
  return new Map(named.filter(([name]) => name !== undefined));
}

/** Members that callers have no use for: private ones, and those by which Node drives a stream. */
function isInternal(member) {
  const isPrivate = ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private;
  return isPrivate !== 0 || /^[#_]/.test(member.name?.text ?? '');
}

/** The code of a declaration, without `declare` and what is internal. */
function codeOf(declaration) {
  const text = declaration.getSourceFile().text;
  const declare = declaration.modifiers?.find(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
  const internal = ts.isClassDeclaration(declaration) ? declaration.members.filter(isInternal) : [];
  let code = '';
  let position = declare?.end ?? declaration.getStart();
  for (const { pos, end } of internal) {
    code += text.slice(position, pos);
    position = end;
  }
  return (code + text.slice(position, declaration.end)).trim();
}

function sectionOf(name, declaration) {
  const prose = ts.getTextOfJSDocComment(declaration.jsDoc?.at(-1)?.comment);
  return [`### ${name}`, prose, `\`\`\`ts\n${codeOf(declaration)}\n\`\`\``].filter(Boolean).join('\n\n');
}

const told = new Set();
const parts = [INTRODUCTION];
for (const library of ['client', 'server']) {
  parts.push(`## @tunnel/${library}\n`);
  const declarations = declarationsIn(await declarationsOf(library));
  const shared = [];
  for (const name of exportsOf(library)) {
    const declaration = declarations.get(name);
    if (declaration === undefined) throw new Error(`${library} exports ${name}, which is declared under another name`);
    const section = sectionOf(name, declaration);
    // What both export is the same.
    if (told.has(section)) shared.push(`\`${name}\``);
    else parts.push(`${section}\n`);
    told.add(section);
  }
  if (shared.length > 0) parts.push(`As in \`@tunnel/client\`: ${shared.join(', ')}.\n`);
}
process.stdout.write(parts.join('\n'));
