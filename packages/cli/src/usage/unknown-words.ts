import { commandHabit, flagHabit, type Habit } from './habits.ts';
import { nearest } from './nearest.ts';
import { CommandError } from '../hints/command-error.ts';

/** The one wording for a word that means nothing here. `word` is shown as it was typed. */
export function unknownWord(kind: 'flag' | 'command' | 'argument' | 'action' | 'shell', word: string, hint: string) {
  return new CommandError('usage', { detail: `unknown ${kind}: ${word}`, hint });
}

/** The names of all flags, by command. */
export type FlagNames = ReadonlyMap<string, readonly string[]>;

/** A flag that a command does not have. `name` comes without its dashes; `command` is undefined where none was found. */
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

/** Where a flag stands alone, or in front of the command and has taken it for its value. */
function lonelyFlagHint(name: string, flags: FlagNames): string {
  const habit = flagHabit(name);
  if (habit !== undefined && 'hint' in habit) return habit.hint;
  const [owner] = ownersOf(habit?.instead ?? name, flags);
  if (owner === undefined) return 'see `tunnel --help`';
  return `the command comes first: \`tunnel ${owner} --${habit?.instead ?? name} …\``;
}

/** One letter is near to too many words. */
function nearestFlag(name: string, known: readonly string[]): string | undefined {
  return name.length === 1 ? undefined : nearest(name, known);
}

/** The commands that have a flag. What `tunnel local` has is told of that alone, and `tunnel run` has what others have. */
function ownersOf(name: string, flags: FlagNames): readonly string[] {
  const owners = [...flags].filter(([, names]) => names.includes(name)).map(([command]) => command);
  return owners.includes('local') ? ['local'] : owners.filter((owner) => owner !== 'run' || owners.length === 1);
}

/** A command that there is not. `rest`: what stands behind it, without flags. */
export function unknownCommand(word: string, rest: readonly string[], commands: readonly string[]): CommandError {
  return unknownWord('command', word, commandHint(word, rest, commands));
}

/** A local service as it is given to `tunnel local`. */
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
  // Somebody who knows other tunnels may well leave the command out.
  if (TARGET.test(word)) return `did you mean \`tunnel local ${word}\`?`;
  return `the commands are ${commands.join(', ')}; \`tunnel --help\` shows them`;
}
