import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import yargs from 'yargs';
import { runCompletion } from '../completion/completion.ts';
import { type Command, SHELLS } from '../completion/shells.ts';
import { CONFIG_FLAGS, runConfig } from './config-check.ts';
import type { Context } from '../process/context.ts';
import { DOCTOR_FLAGS } from '../doctor/flags.ts';
import { addFlags, type Arguments, STANDARD_FLAGS } from '../settings/flags.ts';
import { runKeygen } from './keygen.ts';
import { HTTP_FLAGS } from '../settings/http-settings.ts';
import { LOCAL_FLAGS } from '../settings/local-settings.ts';
import { hasReloadSignal } from '../process/signals.ts';
import { standardFolderName } from '../settings/standard-folders.ts';
import { runLocal } from './local.ts';
import { RETRY_FLAGS, runRetry } from './retry.ts';
import { SERVER_FLAGS } from '../settings/server-settings.ts';
import { RUN_FLAGS, runTunnels } from './run.ts';
import { runStatus, STATUS_FLAGS } from './status.ts';
import { type FlagNames, unknownCommand, unknownFlag, unknownWord } from '../usage/unknown-words.ts';
import { CommandError } from '../hints/command-error.ts';

const COMMANDS = {
  server: { describe: 'run the server, on a machine with a public address', flags: SERVER_FLAGS },
  local: { describe: 'make local services reachable through a server', flags: LOCAL_FLAGS },
  http: { describe: 'give local web services a web address', flags: HTTP_FLAGS },
  run: { describe: 'open the tunnels of the configuration file', flags: RUN_FLAGS },
  status: { describe: 'show what the clients on this machine are doing', flags: STATUS_FLAGS },
  retry: { describe: 'make waiting clients reconnect now', flags: RETRY_FLAGS },
  doctor: { describe: 'find out why a connection does not work', flags: DOCTOR_FLAGS },
  config: { describe: 'check the configuration file', flags: CONFIG_FLAGS },
  keygen: { describe: 'create a key file for --identity, and print its public key', flags: {} },
  completion: { describe: 'print a shell completion script', flags: {} },
} as const satisfies Readonly<Record<string, Command>>;

type CommandName = keyof typeof COMMANDS;

const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

const FLAG_NAMES: FlagNames = new Map(
  Object.entries<Command>(COMMANDS).map(([name, { flags }]) => [name, Object.keys(flags)]),
);

/** What yargs itself puts among the flags, beside the names of arguments. */
const NO_FLAGS: readonly string[] = ['_', '--', '$0', 'h', 'target', 'name', 'action', 'file', 'shell'];

/** Asks for the version where it is alone. Beside anything else, `-v` is more likely to mean verbose. */
const VERSION_WORDS: readonly string[] = ['version', '-v', '-V'];

/** What yargs says, in our words. Where it has a singular and a plural, its types know only of one text. */
const MESSAGES = {
  'Not enough arguments following: %s': '--%s needs a value',
  'Not enough non-option arguments: got %s, need at least %s': {
    one: 'not enough arguments: %s given, %s needed',
    other: 'not enough arguments: %s given, %s needed',
  },
} as unknown as Record<string, string>;

/** Lines of help are not made longer than this, however wide the terminal is. */
const MAX_HELP_COLUMNS = 110;

/**
 * Thrown to yargs by the command that it found. Yargs would go on to lay out that command's help, which nobody asked for
 * and which takes a quarter of the time of a start; and it would take a rejection of the command for bad usage.
 */
class Chosen extends Error {
  readonly run: () => Promise<number>;

  constructor(run: () => Promise<number>) {
    super('a command was chosen');
    this.run = run;
  }
}

/** Runs what the command line asks for, and resolves with the exit code. Throws `TunnelError`. */
export async function runCommandLine(args: readonly string[], context: Context): Promise<number> {
  const parser = yargs([...forYargs(args)])
    .scriptName(context.command)
    .locale('en')
    .updateStrings(MESSAGES)
    .parserConfiguration({
      // Values stay as they were written: 8e3 is no port, and a secret of digits is no number.
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      // `--no-reconnect` is a flag with that name, and not the opposite of one.
      'boolean-negation': false,
      // Repeated flags arrive as arrays, so that they can be refused.
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      // A flag takes what follows it, as with getopt: keys may begin with a dash.
      'nargs-eats-options': true,
    })
    .usage('tunnel makes services behind NAT and firewalls reachable, through a server of your own\n\n$0 <command>')
    .command(
      'server',
      COMMANDS.server.describe,
      (command) =>
        addFlags(command, SERVER_FLAGS)
          .usage(
            '$0 server\n\nAccepts clients, opens public ports for them, and gives them host names for web addresses.',
          )
          .example('$0 server --public-host tunnel.example.org', 'names clients and visitors can use')
          .example('$0 server --domain tunnel.example.org --http 80', 'web addresses for `tunnel http`')
          .example('$0 server --min-port 9000 --max-port 9099', 'opens no other ports'),
      (given: Arguments) => {
        throw new Chosen(async () => (await import('./server.ts')).runServer(given, context));
      },
    )
    .command(
      'local [target..]',
      COMMANDS.local.describe,
      (command) =>
        addFlags(command, LOCAL_FLAGS)
          .usage(
            '$0 local <target> [target…]\n\nOpens a public port on the server for each target: 3000, host:3000, [::1]:3000, unix:/run/app.sock or a range such as 18000-18010.',
          )
          .example('$0 local 3000', 'through the server on this machine')
          .example('$0 local 3000 --to tunnel.example.org --port 8001', 'with a public port of your choice'),
      (given: Arguments) => {
        throw new Chosen(() => runLocal('tcp', targetsIn(given), given, context));
      },
    )
    .command(
      'http [target..]',
      COMMANDS.http.describe,
      (command) =>
        addFlags(command, HTTP_FLAGS)
          .usage(
            '$0 http <target> [target…]\n\nGives each target a web address on the server: 3000, host:3000, [::1]:3000, unix:/run/app.sock or a range such as 3000-3002.',
          )
          .example('$0 http 3000', 'through the server on this machine')
          .example('$0 http 3000 --to tunnel.example.org --host shop', 'with a name of your choice')
          .example('$0 http 5173 --host-header local', 'for a dev server that answers only to its own name'),
      (given: Arguments) => {
        throw new Chosen(() => runLocal('http', targetsIn(given), given, context));
      },
    )
    .command(
      'run [name..]',
      COMMANDS.run.describe,
      (command) =>
        addFlags(command, RUN_FLAGS)
          .usage(
            `$0 run [name…]\n\nOpens all tunnels of the configuration file, or those named. ${hasReloadSignal(process.platform) ? 'SIGHUP' : 'A restart'} rereads it.`,
          )
          .example('$0 run', `all tunnels of ${join(standardFolderName('config'), 'config.toml')}`)
          .example('$0 run web --config ./tunnel.toml', 'one tunnel of another file'),
      (given: Arguments) => {
        const names = given['name'];
        throw new Chosen(() => runTunnels(Array.isArray(names) ? names.map(String) : [], given, context));
      },
    )
    .command(
      'status',
      COMMANDS.status.describe,
      (command) =>
        addFlags(command, STATUS_FLAGS)
          .usage(
            '$0 status\n\nShows every client of this state directory: `tunnel local`, `tunnel http` and the sessions of `tunnel run`.',
          )
          .example('$0 status --watch', 'follows them')
          .example("$0 status --json | jq -r '.[].state'", ''),
      (given: Arguments) => {
        throw new Chosen(() => runStatus(given, context));
      },
    )
    .command(
      'retry',
      COMMANDS.retry.describe,
      (command) =>
        addFlags(command, RETRY_FLAGS)
          .usage('$0 retry\n\nMakes every waiting client of this state directory reconnect now.')
          .example('$0 retry', 'after the network was repaired'),
      (given: Arguments) => {
        throw new Chosen(() => runRetry(given, context));
      },
    )
    .command(
      'doctor [target]',
      COMMANDS.doctor.describe,
      (command) =>
        addFlags(command, DOCTOR_FLAGS)
          .positional('target', {
            describe: 'a local service to check as well: 3000, host:3000, unix:/run/app.sock',
            type: 'string',
          })
          .usage(
            '$0 doctor [target]\n\nWalks a connection step by step, with the flags of `tunnel local`: the name, TCP, the proxy, TLS, WebSocket, the handshake, the secret, and the way back through a public port of its own.',
          )
          .example('$0 doctor --to tunnel.example.org', 'a round trip through the server and back')
          .example('$0 doctor 3000', 'and whether the service on port 3000 accepts connections'),
      (given) => {
        throw new Chosen(async () => (await import('./doctor.ts')).runDoctor(given.target, given, context));
      },
    )
    .command(
      'config <action> [file]',
      COMMANDS.config.describe,
      (command) =>
        addFlags(command, CONFIG_FLAGS)
          .positional('action', { describe: 'check', type: 'string', demandOption: true })
          .positional('file', { describe: 'the file to check', type: 'string' })
          .usage('$0 config check [file]\n\nShows what a configuration file sets, or everything that is wrong with it.')
          .example('$0 config check', '')
          .example('$0 config check ./tunnel.toml', ''),
      (given) => {
        throw new Chosen(() => runConfig(given.action, given.file, given, context));
      },
    )
    .command(
      'keygen <file>',
      COMMANDS.keygen.describe,
      (command) =>
        command
          .positional('file', { describe: 'the file to create', type: 'string', demandOption: true })
          .usage(
            '$0 keygen <file>\n\nMakes a key pair, writes the private key to a new file and prints the public key.',
          )
          .example('$0 keygen laptop.key', ''),
      (given) => {
        throw new Chosen(() => runKeygen(given.file, context));
      },
    )
    .command(
      'completion <shell>',
      COMMANDS.completion.describe,
      (command) =>
        command
          .positional('shell', { describe: SHELLS.join(', '), type: 'string', demandOption: true })
          .usage(
            '$0 completion <shell>\n\nPrints a completion script for bash, zsh or fish, which does not run `tunnel` at every key.',
          )
          .example('source <($0 completion bash)', 'in ~/.bashrc')
          .example('source <($0 completion zsh)', 'in ~/.zshrc, after compinit')
          .example('$0 completion fish > ~/.config/fish/completions/tunnel.fish', 'once'),
      (given) => {
        throw new Chosen(async () => runCompletion(given.shell, COMMANDS, context));
      },
    )
    .middleware((given) => refuseUnknownWords(given), true)
    .strict()
    .version(context.version)
    .help()
    .alias({ help: 'h' })
    .showHelpOnFail(false)
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      // yargs throws some of its own complaints, and hands over others as text.
      if (error !== undefined && error.name !== 'YError') throw error;
      throw usageError(message ?? error?.message ?? 'wrong usage', args);
    });
  const columns = parser.terminalWidth();
  parser.wrap(Math.min(MAX_HELP_COLUMNS, columns > 0 ? columns : MAX_HELP_COLUMNS));
  let parsed: Arguments;
  try {
    parsed = await parser.parseAsync();
  } catch (error) {
    if (error instanceof Chosen) return error.run();
    throw error;
  }
  // Help and version were printed by yargs.
  if (STANDARD_FLAGS.some((name) => parsed[name] === true) || args.at(-1) === 'help') return 0;
  throw new CommandError('usage', {
    detail: 'no command was given',
    hint: 'start with `tunnel server`, `tunnel http 3000` or `tunnel local 3000`; see `tunnel --help`',
  });
}

function targetsIn({ target: targets }: Arguments): readonly string[] {
  return Array.isArray(targets) ? targets.map(String) : [];
}

/** Yargs takes `help` for a command only at the end, and what stands behind `--` for no argument of a command. */
function forYargs(args: readonly string[]): readonly string[] {
  if (args[0] === 'help') return [...args.slice(1), '--help'];
  if (args.length === 1 && VERSION_WORDS.includes(args[0] ?? '')) return ['--version'];
  const end = args.indexOf('--');
  const arguments_ = args.slice(end + 1);
  // No command has arguments that begin with a dash: those are left to be complained of.
  return end === -1 || arguments_.some((word) => word.startsWith('-')) ? args : [...args.slice(0, end), ...arguments_];
}

/** Names what was probably meant, which yargs does only for commands. */
function refuseUnknownWords(given: Arguments): void {
  // Whoever asks for help or the version gets it, whatever else is on the line.
  if (STANDARD_FLAGS.some((name) => given[name] === true)) return;
  const [first, ...others] = [given['_'], given['--']]
    .flatMap((part) => (part ?? []) as readonly (string | number)[])
    .map(String);
  const command = COMMAND_NAMES.find((name) => name === first);
  const known = [...NO_FLAGS, ...STANDARD_FLAGS, ...(FLAG_NAMES.get(command ?? '') ?? [])];
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  // In front of the command, a flag that yargs does not know yet has taken that for its value.
  const ownsCommand = (name: string): boolean => COMMAND_NAMES.some((word) => word === given[name]);
  if (first !== undefined && command === undefined && !unknown.some(ownsCommand)) {
    throw unknownCommand(first, others, COMMAND_NAMES);
  }
  const flag = command === undefined ? (unknown.find(ownsCommand) ?? unknown[0]) : unknown[0];
  if (flag !== undefined) throw unknownFlag(flag, command, FLAG_NAMES);
  const [surplus] = others;
  if (surplus !== undefined) throw unknownWord('argument', surplus, helpHint(command));
}

function usageError(detail: string, args: readonly string[]): TunnelError {
  return new CommandError('usage', { detail, hint: helpHint(COMMAND_NAMES.find((name) => name === args[0])) });
}

function helpHint(command: CommandName | undefined): string {
  return `\`tunnel ${command === undefined ? '' : `${command} `}--help\` shows how it is used`;
}
