import type { FileTable, Flag, Flags, Place } from '../settings/flags.ts';
import { CLIENT_FLAGS, TUNNEL_TYPES, type TunnelType } from '../settings/http-settings.ts';
import { SERVER_FLAGS } from '../settings/server-settings.ts';
import { parseChoice } from '../values/choice.ts';
import { parseTarget } from '../values/target.ts';

/** The service of a tunnel, which is an argument on the command line, not a flag. */
const TARGET: Flag = {
  describe: 'the local service: 3000, host:3000, [::1]:3000 or unix:/run/app.sock',
  read: (given) => parseTarget(given, 'localhost'),
  place: 'target',
};

/** Which command it would be on the command line. */
const TYPE: Flag = {
  describe: 'tcp: visitors reach it by a port; http: by a host name',
  default: 'tcp',
  choices: TUNNEL_TYPES,
  read: (given) => parseChoice(given, TUNNEL_TYPES),
  place: 'target',
};

/** The keys of each table of a configuration file. Derived from the flags. */
export const CONFIG_KEYS = {
  server: keysOf(SERVER_FLAGS, ['process', 'session', 'tunnel', 'target']),
  client: keysOf(CLIENT_FLAGS, ['process', 'session', 'tunnel']),
  tunnels: { target: TARGET, type: TYPE, ...keysOf(CLIENT_FLAGS, ['session', 'tunnel', 'target']) },
} as const satisfies Readonly<Record<string, Flags>>;

/** Keys of `[client]` that apply to the whole process. */
export const PROCESS_KEYS: readonly string[] = Object.keys(keysOf(CLIENT_FLAGS, ['process']));

/** Keys that determine a tunnel's session: tunnels with the same values share one. */
export const SESSION_KEYS = Object.keys(keysOf(CLIENT_FLAGS, ['session'])) as readonly (keyof typeof CLIENT_FLAGS)[];

/** What visitors reach a tunnel by. */
export function typeOfTunnel(tunnel: FileTable): TunnelType {
  return tunnel.get('type')?.[0]?.text === 'http' ? 'http' : 'tcp';
}

/** The tables that a tunnel's values come from, nearest first. */
export function tablesOfTunnel(tunnel: FileTable, client: FileTable): readonly FileTable[] {
  // A server key belongs to one server.
  const isElsewhere = tunnel.has('to');
  return [tunnel, new Map([...client].filter(([key]) => !isElsewhere || key !== 'server-key'))];
}

function keysOf(flags: Flags, places: readonly Place[]): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([, { place = 'session' }]) => places.includes(place)));
}
