import { commandHabit, flagHabit, type Habit } from './habits.ts';
import { nearest } from './nearest.ts';
import { CommandError } from '../hints/command-error.ts';

/** The error for an unknown word. `word` is shown as typed. */
export function unknownWord(kind: 'flag' | 'command' | 'argument' | 'action' | 'shell', word: string, hint: string) {
  return new CommandError('usage', { detail: `unknown ${kind}: ${word}`, hint });
}

/** All flag names, by command. */
export type FlagNames = ReadonlyMap<string, readonly string[]>;

/**
 * The error for a flag that a command does not have. `name` comes without dashes; `command` is undefined if none was
 * found.
 */
export function unknownFlag(name: string, command: string | undefined, flags: FlagNames): CommandError {
  const word = `${name.length === 1 ? '-' : '--'}${name}`;
  return unknownWord(
    'flag',
    word,
    command === undefined ? lonelyFlagHint(name, flags) : flagHint(name, command, flags),
  );
}

function flagHint(name: string, command: string, flags: FlagNames): string {
  const known = flags.get(command) ?? [];
  const habit = flagHabit(name);
  if (habit !== undefined && 'hint' in habit) return habit.hint;
  // Near to --host, but not by accident.
  if (command === 'http' && name === 'port') return 'a web address has a name in place of a port: --host';
  const near = habit !== undefined && known.includes(habit.instead) ? habit.instead : nearestFlag(name, known);
  if (near !== undefined) return `did you mean --${near}?`;
  if (command === 'run' && (name === 'port' || name === 'host')) {
    return `in the configuration file each tunnel has its \`${name}\``;
  }
  const owners = ownersOf(name, flags);
  if (owners.length > 0) return `--${name} is a flag of ${owners.map((owner) => `\`tunnel ${owner}\``).join(' and ')}`;
  return `\`tunnel ${command} --help\` shows all flags`;
}

/** The hint for a flag that stands alone, or before the command and has swallowed it as its value. */
function lonelyFlagHint(name: string, flags: FlagNames): string {
  const habit = flagHabit(name);
  if (habit !== undefined && 'hint' in habit) return habit.hint;
  const [owner] = ownersOf(habit?.instead ?? name, flags);
  if (owner === undefined) return 'see `tunnel --help`';
  return `the command comes first: \`tunnel ${owner} --${habit?.instead ?? name} …\``;
}

/** A single letter is close to too many words. */
function nearestFlag(name: string, known: readonly string[]): string | undefined {
  return name.length === 1 ? undefined : nearest(name, known);
}

/** The commands that have a flag. If `tunnel local` has it, only that one: others share most of its flags; `tunnel run` has what others have. */
function ownersOf(name: string, flags: FlagNames): readonly string[] {
  const owners = [...flags].filter(([, names]) => names.includes(name)).map(([command]) => command);
  return owners.includes('local') ? ['local'] : owners.filter((owner) => owner !== 'run' || owners.length === 1);
}

/** The error for an unknown command. `rest` is what follows it, without flags. */
export function unknownCommand(word: string, rest: readonly string[], commands: readonly string[]): CommandError {
  return unknownWord('command', word, commandHint(word, rest, commands));
}

/** A local service as given to `tunnel local`. */
const TARGET = /^(?:(?:https?|tcp):\/\/)?(?:[\w.-]*:|\[[\da-f:.]+\]:)?\d+\/?$/i;

function commandHint(word: string, rest: readonly string[], commands: readonly string[]): string {
  const habit: Habit | undefined = commandHabit(word);
  if (habit !== undefined && 'hint' in habit) return habit.hint;
  const near = habit?.instead ?? nearest(word, commands);
  if (near === 'local') {
    const [target = '3000'] = rest.filter((text) => TARGET.test(text));
    return `did you mean \`tunnel local ${target}\`?`;
  }
  if (near !== undefined) return `did you mean \`tunnel ${near}\`?`;
  // Users of other tunnels may well leave out the command.
  if (TARGET.test(word)) return `did you mean \`tunnel local ${word}\`?`;
  return `the commands are ${commands.join(', ')}; \`tunnel --help\` shows them`;
}
