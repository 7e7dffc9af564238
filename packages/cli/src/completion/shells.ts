import type { Flag, Flags } from '../settings/flags.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A command, as `--help` and the shells tell of it. */
export interface Command {
  readonly describe: string;
  readonly flags: Flags;
}

export type Commands = Readonly<Record<string, Command>>;

/** The flags of every command, which yargs answers. */
export const STANDARD: Readonly<Record<string, Flag>> = {
  help: { describe: 'show help', isSwitch: true },
  version: { describe: 'show the version', isSwitch: true },
};

/** What may stand behind a command. `run` also takes the names of tunnels, which each shell reads from the configuration. */
export const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  config: ['check'],
  completion: SHELLS,
};

/** Commands whose last argument is a file. */
export const TAKES_FILE: readonly string[] = ['keygen', 'config'];

/**
 * Prints the names of the tunnels of a configuration file, which follows. Asking the program would take a quarter of a
 * second at every key.
 */
export const TUNNEL_NAMES = String.raw`sed -n 's/^[[:space:]]*\[tunnels\.\([A-Za-z0-9_-]*\)\].*/\1/p' `;

export function isSwitch(flag: Flag): boolean {
  return flag.isSwitch === true;
}
