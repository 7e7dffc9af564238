import type { Argv } from 'yargs';
import { differs, type EnvironmentFindings, isServiceLink, type Override } from './environment.ts';
import type { Given } from '../values/given.ts';
import { CommandError } from '../hints/command-error.ts';

/** A flag of a command, for yargs and for people. */
export interface Flag {
  readonly describe: string;
  /** The environment variable that stands in for it. */
  readonly variable?: string;
  /** What holds without it, for `--help`. */
  readonly default?: string;
  /** Takes no value. */
  readonly isSwitch?: true;
  /** May be given several times. */
  readonly isList?: true;
  /** Another flag for the same thing, which overrides this one when it is given in a nearer place. */
  readonly rival?: string;
  /** Its value is not shown. */
  readonly isSensitive?: true;
  /** What its text means. Without it any text will do. Throws `TunnelError`. */
  readonly read?: (given: Given) => unknown;
  /** The texts that it takes, where they are few: shells complete them. */
  readonly choices?: readonly string[];
  /** Names a file or directory: in the configuration file that may begin with `~/`, and is relative to that file. */
  readonly isPath?: true;
  /** The same of what stands behind an `@`. */
  readonly isPathBehindAt?: true;
  /** Where the configuration file may have it; by default `session`. */
  readonly place?: Place;
}

/**
 * What a value in the configuration file holds for, and so which of its tables may have it. That of `tunnel server` has
 * every key but those of the command line.
 *
 * - `command-line`: one call of the command; the file has no such key.
 * - `process`: all that one process does: `[client]`.
 * - `session`: how a server is reached: `[client]` and `[tunnels.NAME]`. Tunnels that differ here have sessions of their own.
 * - `tunnel`: one tunnel: `[client]` and `[tunnels.NAME]`.
 * - `target`: as `tunnel`, but never the same for several: only `[tunnels.NAME]`, and one value where the flag is a list.
 */
export type Place = 'command-line' | 'process' | 'session' | 'tunnel' | 'target';

export type Flags = Readonly<Record<string, Flag>>;

/** The values of one table of the configuration file by key. A switch is `true` or `false`. */
export type FileTable = ReadonlyMap<string, readonly Given[]>;

/** What the `read` of a flag returns. */
type ValueOf<F> = F extends { readonly read: (given: Given) => infer Value } ? Value : string;

/** Values by flag name, as yargs leaves them. */
export type Arguments = Readonly<Record<string, unknown>>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** What yargs itself answers. */
export const STANDARD_FLAGS: readonly string[] = ['help', 'version'];

/** Tells yargs about a command's flags. All values stay text: what they mean is decided in one place, by us. */
export function addFlags<T>(yargs: Argv<T>, flags: Flags): Argv<T> {
  for (const [name, flag] of Object.entries(flags)) {
    yargs.option(name, {
      describe: flag.variable === undefined ? flag.describe : `${flag.describe} (${flag.variable})`,
      type: flag.isSwitch ? 'boolean' : 'string',
      ...(flag.isSwitch ? {} : { requiresArg: true }),
      ...(flag.default === undefined ? {} : { defaultDescription: flag.default }),
    });
  }
  return yargs;
}

/** Values may begin with a dash (keys do), so that a flag takes whatever follows it: also another flag. */
function isFlagOf(flags: Flags, value: unknown): value is string {
  if (typeof value !== 'string' || !value.startsWith('--')) return false;
  const [name = ''] = value.slice(2).split('=', 1);
  return Object.hasOwn(flags, name);
}

/** Reads what was given for the flags of one command: on the command line, else in the environment, else in the file. */
export class GivenFlags<Table extends Flags> {
  readonly #flags: Table;
  readonly #arguments: Arguments;
  readonly #environment: Environment;
  readonly #file: readonly FileTable[];

  /**
   * `file`: tables of the configuration file, of which the first that has a key counts. Throws a `usage` error where a flag
   * was repeated that must not be.
   */
  constructor(flags: Table, given: Arguments, environment: Environment, file: readonly FileTable[] = []) {
    this.#flags = flags;
    this.#arguments = given;
    this.#environment = environment;
    this.#file = file;
    for (const [name, flag] of Object.entries<Flag>(flags)) {
      const value = given[name];
      const swallowed = [value].flat().find((text): text is string => isFlagOf(flags, text));
      if (swallowed !== undefined) {
        throw new CommandError('usage', {
          detail: `--${name} needs a value, but is followed by ${swallowed.split('=', 1)[0]}`,
          hint: `give the value after --${name}`,
        });
      }
      if (flag.isList || !Array.isArray(value)) continue;
      throw new CommandError('usage', {
        detail: `--${name} was given ${value.length} times${flag.isSwitch || flag.isSensitive ? '' : `: ${value.join(', ')}`}`,
        hint: `give --${name} once`,
      });
    }
  }

  /** The same command line and environment in front of other tables of the file. */
  with(file: readonly FileTable[]): GivenFlags<Table> {
    return new GivenFlags(this.#flags, this.#arguments, this.#environment, file);
  }

  /** What was given for a flag. A variable that is set to nothing counts as not set. */
  get(name: keyof Table & string): Given | undefined {
    return this.outsideFile(name) ?? this.inFile(name)[name];
  }

  /** What was given for it on the command line, else in the environment. */
  outsideFile(name: keyof Table & string): Given | undefined {
    return this.onCommandLine(name) ?? this.inEnvironment(name);
  }

  /** What that means, as the flag's `read` has it. */
  read<Name extends keyof Table & string>(name: Name): ValueOf<Table[Name]> | undefined {
    const given = this.get(name);
    return given && (readValue(this.#flags[name] as Flag, given) as ValueOf<Table[Name]>);
  }

  onCommandLine(name: keyof Table & string): Given | undefined {
    return this.#allOnCommandLine(name)[0];
  }

  inEnvironment(name: keyof Table & string): Given | undefined {
    const given = this.#variableOf(name);
    return given === undefined || isServiceLink(given) ? undefined : given;
  }

  /** What people should be told about these variables. Those that the command line overrides do not matter. */
  get environmentFindings(): EnvironmentFindings {
    const ignored: Given[] = [];
    const overrides: Override[] = [];
    for (const [name, flag] of Object.entries<Flag>(this.#flags)) {
      const names = flag.rival === undefined ? [name] : [name, flag.rival];
      const variable = this.#variableOf(name);
      if (variable === undefined || names.some((each) => this.onCommandLine(each) !== undefined)) continue;
      const inFile = Object.values(this.inFile(...names)).find((given) => given !== undefined);
      if (isServiceLink(variable)) ignored.push(variable);
      else if (inFile !== undefined && differs(flag, variable, inFile)) overrides.push({ flag, variable, inFile });
    }
    return { ignored, overrides };
  }

  /** What the first table that has any of these keys has for them. */
  inFile<Name extends keyof Table & string>(...names: readonly Name[]): Readonly<Partial<Record<Name, Given>>> {
    const table = this.#file.find((candidate) => names.some((name) => candidate.has(name)));
    return Object.fromEntries(names.map((name) => [name, table?.get(name)?.[0]])) as Partial<Record<Name, Given>>;
  }

  /** All values of a flag that may be repeated. */
  all(name: keyof Table & string): readonly Given[] {
    const onCommandLine = this.#allOnCommandLine(name);
    if (onCommandLine.length > 0) return onCommandLine;
    return this.#file.find((table) => table.has(name))?.get(name) ?? [];
  }

  /** Whether a flag without value was given; `--flag=false` overrides the file. */
  has(name: keyof Table & string): boolean {
    const given = this.#arguments[name];
    return typeof given === 'boolean' ? given : this.inFile(name)[name]?.text === 'true';
  }

  /** Without the line end that is often left when a variable is filled from a file. */
  #variableOf(name: string): Given | undefined {
    const source = this.#flags[name]?.variable;
    const text = source === undefined ? undefined : this.#environment[source]?.replace(/[\r\n]+$/, '');
    return source === undefined || text === undefined || text === '' ? undefined : { text, source };
  }

  #allOnCommandLine(name: string): readonly Given[] {
    const value = this.#arguments[name];
    const values: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return values.map((text) => ({ text: String(text), source: `--${name}` }));
  }
}

/** What a value means. Throws `TunnelError`. */
export function readValue({ read }: Flag, given: Given): unknown {
  return read === undefined ? given.text : read(given);
}
