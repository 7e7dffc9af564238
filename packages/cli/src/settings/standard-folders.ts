import { homedir, userInfo } from 'node:os';
import { isAbsolute, posix, win32 } from 'node:path';
import type { Environment } from './flags.ts';

/**
 * What a user's files are for. `state` is of this machine alone (keys, the secret, ports); `config` is written by hand, and may
 * follow the user to other machines.
 */
export type FolderKind = 'state' | 'config';

/** As people know them, for help and messages. */
export function standardFolderName(kind: FolderKind, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return kind === 'state' ? '%LOCALAPPDATA%\\tunnel' : '%APPDATA%\\tunnel';
  return kind === 'state' ? '~/.local/state/tunnel' : '~/.config/tunnel';
}

/**
 * Where this program's files of a kind are by default; undefined for a user without a home directory. The XDG base directory
 * specification, also on macOS: command-line tools are looked for in `~/.config` there too, one path serves for all a person's
 * machines, and `~/Library/Application Support` has a blank that breaks commands typed without quotation marks. On Windows the
 * variables of XDG count if somebody set them.
 */
export function standardFolder(
  kind: FolderKind,
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
  findHome: () => string | undefined = homeDirectory,
): string | undefined {
  const path = platform === 'win32' ? win32 : posix;
  const names = {
    state: { xdg: 'XDG_STATE_HOME', windows: 'LOCALAPPDATA', below: ['.local', 'state'], belowProfile: 'Local' },
    config: { xdg: 'XDG_CONFIG_HOME', windows: 'APPDATA', below: ['.config'], belowProfile: 'Roaming' },
  }[kind];
  // The specification: relative paths in these variables are to be ignored.
  const given = [names.xdg, ...(platform === 'win32' ? [names.windows] : [])]
    .map((name) => environment[name])
    .find((folder) => folder !== undefined && path.isAbsolute(folder));
  if (given !== undefined) return path.join(given, 'tunnel');
  const home = findHome();
  if (home === undefined) return undefined;
  const below = platform === 'win32' ? ['AppData', names.belowProfile] : names.below;
  return path.join(home, ...below, 'tunnel');
}

/** Undefined where this user has none. An empty or relative `HOME` counts as none: it would be another place wherever one is. */
export function homeDirectory(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : userInfo().homedir;
  } catch {
    return undefined;
  }
}
