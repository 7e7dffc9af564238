import type { AST } from 'toml-eslint-parser';

/** A position in a file, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A value of a TOML document. Numbers stay as written. */
export type TomlNode = { readonly at: Position } & (
  | { readonly kind: 'table'; readonly entries: Map<string, TomlEntry> }
  | { readonly kind: 'list'; readonly items: readonly TomlNode[] }
  | { readonly kind: 'text' | 'number' | 'switch' | 'date'; readonly text: string }
);

export type TomlTable = Extract<TomlNode, { readonly kind: 'table' }>;

interface TomlEntry {
  readonly keyAt: Position;
  readonly value: TomlNode;
}

/** A document that is not valid TOML, with the position of the error. */
export class TomlSyntaxError extends Error {
  readonly at: Position;

  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/**
 * Parses a TOML 1.0 document. The parser is loaded on demand: most invocations have no file. Throws `TomlSyntaxError`.
 */
export async function parseToml(text: string): Promise<TomlTable> {
  const { parseTOML, ParseError } = await import('toml-eslint-parser');
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text, { tomlVersion: '1.0' });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    // The parser's messages never quote the document, which may hold a secret.
    throw new TomlSyntaxError({ line: error.lineNumber, column: error.column + 1 }, error.message);
  }
  const root: TomlTable = { kind: 'table', entries: new Map(), at: { line: 1, column: 1 } };
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') put(root, node);
    else fill(descend(root, node.key.keys, node.kind === 'array'), node.body);
  }
  return root;
}

function fill(table: TomlTable, body: readonly AST.TOMLKeyValue[]): void {
  for (const pair of body) put(table, pair);
}

function put(table: TomlTable, { key, value }: AST.TOMLKeyValue): void {
  const last = key.keys.at(-1);
  const owner = descend(table, key.keys.slice(0, -1), false);
  if (last !== undefined) owner.entries.set(nameOf(last), { keyAt: positionOf(last), value: toNode(value) });
}

/** The table at this path, created as needed. The parser has rejected paths through anything else. */
function descend(table: TomlTable, path: readonly Key[], isArray: boolean): TomlTable {
  let current = table;
  for (const [index, key] of path.entries()) {
    const name = nameOf(key);
    const entry = current.entries.get(name);
    const known = entry?.value;
    const isElement = isArray && index === path.length - 1;
    const last = known?.kind === 'list' && !isElement ? known.items.at(-1) : known;
    const next: TomlTable =
      last?.kind === 'table' && !isElement ? last : { kind: 'table', entries: new Map(), at: positionOf(key) };
    const items = known?.kind === 'list' ? [...known.items, next] : [next];
    const keyAt = entry?.keyAt ?? positionOf(key);
    if (isElement) current.entries.set(name, { keyAt, value: { kind: 'list', items, at: keyAt } });
    else if (known === undefined) current.entries.set(name, { keyAt, value: next });
    current = next;
  }
  return current;
}

function toNode(node: AST.TOMLContentNode): TomlNode {
  const at = positionOf(node);
  switch (node.type) {
    case 'TOMLArray':
      return { kind: 'list', items: node.elements.map(toNode), at };
    case 'TOMLInlineTable': {
      const table: TomlTable = { kind: 'table', entries: new Map(), at };
      fill(table, node.body);
      return table;
    }
    case 'TOMLValue':
      switch (node.kind) {
        case 'string':
          return { kind: 'text', text: node.value, at };
        case 'integer':
          return { kind: 'number', text: String(node.bigint), at };
        case 'float':
          return { kind: 'number', text: String(node.value), at };
        case 'boolean':
          return { kind: 'switch', text: String(node.value), at };
        default:
          return { kind: 'date', text: node.datetime, at };
      }
  }
}

type Key = AST.TOMLBare | AST.TOMLQuoted;

function nameOf(key: Key): string {
  return key.type === 'TOMLBare' ? key.name : key.value;
}

function positionOf({ loc: { start } }: { readonly loc: AST.SourceLocation }): Position {
  return { line: start.line, column: start.column + 1 };
}
