/** What users of other tunnels type, and what it is called here. */
export type Habit =
  /** Another word means the same. */
  | { readonly instead: string }
  /** There is no equivalent here: what to do instead. */
  | { readonly hint: string };

const VERBOSE: Habit = { hint: '`--log-level debug` shows more detail' };
const QUIET: Habit = { hint: '`--log-level error` shows less' };
const NO_UDP: Habit = { hint: 'tunnels carry TCP only, not UDP' };
const BACKGROUND: Habit = { hint: 'it runs in the foreground; docs/operations.md has units for systemd' };
const NO_ACCOUNT: Habit = {
  hint: "there are no accounts: give the server's secret with --secret-file, or make a key with `tunnel keygen`; `tunnel status` shows what runs",
};

/** By flag name, without dashes. */
const FLAGS: Readonly<Record<string, Habit>> = {
  'auth-token': { instead: 'secret' },
  authtoken: { instead: 'secret' },
  auth: { instead: 'basic-auth' },
  background: BACKGROUND,
  c: { instead: 'config' },
  d: BACKGROUND,
  daemon: BACKGROUND,
  debug: VERBOSE,
  hostname: { instead: 'host' },
  insecure: { hint: 'certificates are always verified: give their CA with --ca FILE' },
  key: { hint: 'a shared secret is given with --secret-file, a key file with --identity' },
  l: { instead: 'local-host' },
  o: { instead: 'output' },
  p: { instead: 'port' },
  password: { instead: 'secret' },
  q: QUIET,
  quiet: QUIET,
  remote: { instead: 'to' },
  'remote-port': { instead: 'port' },
  s: { instead: 'secret' },
  server: { instead: 'to' },
  'server-addr': { instead: 'to' },
  subdomain: { instead: 'host' },
  t: { instead: 'to' },
  token: { instead: 'secret' },
  u: NO_UDP,
  udp: NO_UDP,
  V: { hint: '`tunnel --version` prints the version' },
  v: { hint: '`--log-level debug` shows more detail; `tunnel --version` prints the version' },
  verbose: VERBOSE,
};

/** By command name. `instead` is followed by the given target. */
const COMMANDS: Readonly<Record<string, Habit>> = {
  authtoken: NO_ACCOUNT,
  client: { instead: 'local' },
  connect: { instead: 'local' },
  expose: { instead: 'local' },
  forward: { instead: 'local' },
  list: { instead: 'status' },
  login: NO_ACCOUNT,
  ls: { instead: 'status' },
  ps: { instead: 'status' },
  share: { instead: 'local' },
  start: { instead: 'run' },
  tcp: { instead: 'local' },
  udp: NO_UDP,
  up: { instead: 'run' },
};

export function flagHabit(name: string): Habit | undefined {
  return own(FLAGS, name);
}

export function commandHabit(name: string): Habit | undefined {
  return own(COMMANDS, name);
}

function own(table: Readonly<Record<string, Habit>>, name: string): Habit | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
