import type { FileTable, Flag, Flags, Place } from '../settings/flags.ts';
import { LOCAL_FLAGS } from '../settings/local-settings.ts';
import { SERVER_FLAGS } from '../settings/server-settings.ts';
import { parseTarget } from '../values/target.ts';

/** The service of a tunnel, which is an argument on the command line, not a flag. */
const TARGET: Flag = {
  describe: 'the local service: 3000, host:3000, [::1]:3000 or unix:/run/app.sock',
  read: (given) => parseTarget(given, 'localhost'),
  place: 'target',
};

/** The keys of each table of a configuration file. Derived from the flags. */
export const CONFIG_KEYS = {
  server: keysOf(SERVER_FLAGS, ['process', 'session', 'tunnel', 'target']),
  client: keysOf(LOCAL_FLAGS, ['process', 'session', 'tunnel']),
  tunnels: { target: TARGET, ...keysOf(LOCAL_FLAGS, ['session', 'tunnel', 'target']) },
} as const satisfies Readonly<Record<string, Flags>>;

/** Keys of `[client]` that apply to the whole process. */
export const PROCESS_KEYS: readonly string[] = Object.keys(keysOf(LOCAL_FLAGS, ['process']));

/** Keys that determine a tunnel's session: tunnels with the same values share one. */
export const SESSION_KEYS = Object.keys(keysOf(LOCAL_FLAGS, ['session'])) as readonly (keyof typeof LOCAL_FLAGS)[];

/** The tables that a tunnel's values come from, nearest first. */
export function tablesOfTunnel(tunnel: FileTable, client: FileTable): readonly FileTable[] {
  // A server key belongs to one server.
  const isElsewhere = tunnel.has('to');
  return [tunnel, new Map([...client].filter(([key]) => !isElsewhere || key !== 'server-key'))];
}

function keysOf(flags: Flags, places: readonly Place[]): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([, { place = 'session' }]) => places.includes(place)));
}
