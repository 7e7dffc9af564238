// The fields of the events of `--output json`: as the types of the command say, and as docs/events.md does.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from '@typescript/typescript6';
import { readDocument } from './documents.ts';

const sources = join(import.meta.dirname, '../../packages/cli/src');

/** `optional`: it may be missing, or null. */
export interface Field {
  readonly type: string;
  readonly optional: boolean;
}

/** By path, as in `tunnels[].url`. */
export type Fields = Readonly<Record<string, Field>>;

/** By command and event, as in `client ready`. */
export type EventSchema = Readonly<Record<string, Fields>>;

/** Which commands print what is emitted in a file, or in a function of it. */
const EMITTERS: Readonly<Record<string, readonly string[]>> = {
  clientJsonReporter: ['client'],
  serverJsonReporter: ['server'],
  'commands/run.ts': ['client'],
  'commands/server.ts': ['server'],
  'doctor/report.ts': ['doctor'],
  'reports/client-reporters.ts': ['client'],
  'tunnel.ts': ['client', 'server'],
};

interface Emission {
  readonly commands: readonly string[];
  /** Undefined where the fields are added to every event. */
  readonly event: string | undefined;
  readonly fields: Fields;
}

/** What the calls of an `Emit` pass to it. */
export function eventsInCode(): EventSchema {
  const emissions = readEmissions();
  const added = emissions.filter(({ event }) => event === undefined);
  const schema: Record<string, Fields> = {};
  for (const { commands, event, fields } of emissions) {
    if (event === undefined) continue;
    for (const command of commands) {
      const common = added.filter((emission) => emission.commands.includes(command)).map((emission) => emission.fields);
      const whole = common.reduce((sum, more) => ({ ...more, ...sum }), fields);
      const name = `${command} ${event}`;
      schema[name] = schema[name] === undefined ? whole : eitherOf(schema[name], whole);
    }
  }
  return schema;
}

function readEmissions(): readonly Emission[] {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/\.(?:test|fixture)\.ts$/.test(file),
  );
  const program = ts.createProgram(
    files.map((file) => join(sources, file)),
    compilerOptions(),
  );
  const checker = program.getTypeChecker();
  const emissions: Emission[] = [];
  const visit = (node: ts.Node, places: readonly string[]): void => {
    const inner = ts.isFunctionDeclaration(node) && node.name ? [node.name.text, ...places] : places;
    if (ts.isCallExpression(node) && checker.getTypeAtLocation(node.expression).aliasSymbol?.name === 'Emit') {
      const [event, fields] = node.arguments;
      const commands = inner.map((place) => EMITTERS[place]).find((found) => found !== undefined);
      if (commands === undefined) throw new Error(`which commands print what is emitted in ${inner.join(' of ')}?`);
      emissions.push({
        commands,
        event: event && ts.isStringLiteral(event) ? event.text : undefined,
        fields: fieldsIn(checker, fields!),
      });
    }
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  for (const file of files) visit(program.getSourceFile(join(sources, file))!, [file]);
  return emissions;
}

function compilerOptions(): ts.CompilerOptions {
  const path = join(sources, '../tsconfig.json');
  const { config } = ts.readConfigFile(path, (name) => readFileSync(name, 'utf8'));
  return ts.parseJsonConfigFileContent(config, ts.sys, join(sources, '..'), undefined, path).options;
}

/** The fields of an expression. The type of a choice may have lost those that not both sides have. */
function fieldsIn(checker: ts.TypeChecker, node: ts.Expression): Fields {
  return ts.isConditionalExpression(node)
    ? eitherOf(fieldsIn(checker, node.whenTrue), fieldsIn(checker, node.whenFalse))
    : fieldsOf(checker, checker.getTypeAtLocation(node));
}

/** The fields of an object, or of one of several. */
function fieldsOf(checker: ts.TypeChecker, type: ts.Type): Fields {
  if (type.isUnion()) return type.types.map((part) => fieldsOf(checker, part)).reduce(eitherOf);
  const fields: Record<string, Field> = {};
  for (const property of checker.getPropertiesOfType(type)) {
    const declared = checker.getTypeOfSymbol(property);
    const parts = declared.isUnion() ? declared.types : [declared];
    const given = parts.filter(({ flags }) => !(flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null)));
    const optional = given.length < parts.length || (property.flags & ts.SymbolFlags.Optional) !== 0;
    fields[property.name] = { type: nameOf(checker, given[0]!), optional };
    if (!checker.isArrayType(given[0]!)) continue;
    const [element] = checker.getTypeArguments(given[0] as ts.TypeReference);
    if (!(element!.flags & ts.TypeFlags.Object)) continue;
    for (const [path, field] of Object.entries(fieldsOf(checker, element!)))
      fields[`${property.name}[].${path}`] = field;
  }
  return fields;
}

function nameOf(checker: ts.TypeChecker, type: ts.Type): string {
  if (type.flags & ts.TypeFlags.StringLike) return 'string';
  if (type.flags & ts.TypeFlags.NumberLike) return 'number';
  if (type.flags & ts.TypeFlags.BooleanLike) return 'boolean';
  return checker.isArrayType(type) ? 'array' : checker.typeToString(type);
}

function eitherOf(one: Fields, other: Fields): Fields {
  return Object.fromEntries(
    [...new Set([...Object.keys(one), ...Object.keys(other)])].map((path) => {
      const [type] = [one[path]?.type, other[path]?.type].filter((found) => found !== undefined);
      return [path, { type: type!, optional: (one[path]?.optional ?? true) || (other[path]?.optional ?? true) }];
    }),
  );
}

export interface DocumentedEvents {
  readonly schema: EventSchema;
  /** The lines in the document, by command and event. */
  readonly examples: ReadonlyMap<string, string>;
}

/** What stands in docs/events.md. */
export function eventsInDocument(): DocumentedEvents {
  const schema: Record<string, Fields> = {};
  const examples = new Map<string, string>();
  for (const part of readDocument('events.md').split(/^## /m).slice(1)) {
    const command = part.includes('doctor`\n') ? 'doctor' : part.slice(0, part.indexOf('\n')).toLowerCase();
    for (const section of part.split(/^### /m).slice(1)) {
      const name = `${command} ${/^`(.*)`$/m.exec(section)?.[1]}`;
      schema[name] = Object.fromEntries(
        section
          .split('\n')
          .filter((line) => line.startsWith('| `'))
          .map((line) => {
            const [path = '', type = '', , , missing] = cellsOf(line);
            return [path.slice(1, -1), { type, optional: missing !== 'never' }];
          }),
      );
      const example = /^```json\n(.*)\n```$/m.exec(section)?.[1];
      if (example !== undefined) examples.set(name, example);
    }
  }
  return { schema, examples };
}

function cellsOf(line: string): readonly string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

/** What is wrong with an event, by its fields; empty if nothing is. */
export function faultsOf(event: Readonly<Record<string, unknown>>, fields: Fields): readonly string[] {
  const of = (object: object, at: string): readonly string[] => [
    ...Object.entries(object).flatMap(([name, value]) => {
      const field = fields[at + name];
      if (field === undefined) return [`${at}${name} is not in the table`];
      if (Array.isArray(value) && field.type === 'array') {
        const objects = value.filter((element): element is object => typeof element === 'object');
        return objects.flatMap((element) => of(element, `${at}${name}[].`));
      }
      if (value === null ? field.optional : typeof value === field.type) return [];
      return [`${at}${name} is not a ${field.type}`];
    }),
    ...Object.entries(fields)
      .filter(([path, { optional }]) => path.startsWith(at) && !optional && !/[[.]/.test(path.slice(at.length)))
      .filter(([path]) => !(path.slice(at.length) in object))
      .map(([path]) => `${path} is missing`),
  ];
  const { event: _event, time: _time, ...own } = event;
  return of(own, '');
}
