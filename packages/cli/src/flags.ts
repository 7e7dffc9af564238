import { TunnelError } from '@tunnel/shared';
import type { Argv } from 'yargs';
import type { Given } from './values/given.ts';

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
  /** Its value is not shown. */
  readonly isSensitive?: true;
}

export type Flags = Readonly<Record<string, Flag>>;

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

/** Reads what was given for the flags of one command: on the command line, else in the environment. */
export class GivenFlags<Names extends string> {
  readonly #flags: Readonly<Record<Names, Flag>>;
  readonly #arguments: Arguments;
  readonly #environment: Environment;

  /** Throws a `usage` error where a flag was repeated that must not be. */
  constructor(flags: Readonly<Record<Names, Flag>>, given: Arguments, environment: Environment) {
    this.#flags = flags;
    this.#arguments = given;
    this.#environment = environment;
    for (const [name, flag] of Object.entries<Flag>(flags)) {
      const value = given[name];
      const swallowed = [value].flat().find((text): text is string => isFlagOf(flags, text));
      if (swallowed !== undefined) {
        throw new TunnelError('usage', {
          detail: `--${name} needs a value, and what follows it is ${swallowed}`,
          hint: `give the value behind --${name}`,
        });
      }
      if (flag.isList || !Array.isArray(value)) continue;
      throw new TunnelError('usage', {
        detail: `--${name} was given ${value.length} times${flag.isSwitch || flag.isSensitive ? '' : `: ${value.join(', ')}`}`,
        hint: `give --${name} once`,
      });
    }
  }

  /** The value of a flag, or of its variable. A variable that is set to nothing counts as not set. */
  get(name: Names): Given | undefined {
    return this.onCommandLine(name) ?? this.inEnvironment(name);
  }

  onCommandLine(name: Names): Given | undefined {
    return this.all(name)[0];
  }

  inEnvironment(name: Names): Given | undefined {
    const source = this.#flags[name].variable;
    const text = source === undefined ? undefined : this.#environment[source];
    return source === undefined || text === undefined || text === '' ? undefined : { text, source };
  }

  /** All values of a flag on the command line. */
  all(name: Names): readonly Given[] {
    const value = this.#arguments[name];
    const values: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return values.map((text) => ({ text: String(text), source: `--${name}` }));
  }

  /** Whether a flag without value was given. */
  has(name: Names): boolean {
    return this.#arguments[name] === true;
  }
}
