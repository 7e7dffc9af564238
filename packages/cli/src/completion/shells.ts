import type { Flag, Flags } from '../settings/flags.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A command, as described by `--help` and shell completion. */
export interface Command {
  readonly describe: string;
  readonly flags: Flags;
}

export type Commands = Readonly<Record<string, Command>>;

/** Flags that yargs handles for every command. */
export const STANDARD: Readonly<Record<string, Flag>> = {
  help: { describe: 'show help', isSwitch: true },
  version: { describe: 'show the version', isSwitch: true },
};

/** Fixed arguments by command. `run` also takes tunnel names, which each shell reads from the configuration. */
export const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  config: ['check'],
  completion: SHELLS,
};

/** Commands whose last argument is a file. */
export const TAKES_FILE: readonly string[] = ['keygen', 'config'];

/**
 * Prints the tunnel names in a configuration file, whose path follows. Asking the program would take a quarter of a
 * second per key press.
 */
export const TUNNEL_NAMES = String.raw`sed -n 's/^[[:space:]]*\[tunnels\.\([A-Za-z0-9_-]*\)\].*/\1/p' `;

export function isSwitch(flag: Flag): boolean {
  return flag.isSwitch === true;
}
