import type { Context } from '../process/context.ts';
import { unknownWord } from '../usage/unknown-words.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type Commands, type Shell, SHELLS } from './shells.ts';
import { zshScript } from './zsh.ts';

const SCRIPTS: Readonly<Record<Shell, (commands: Commands) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `tunnel completion <shell>`: prints the script that completes these commands. Throws `TunnelError`. */
export function runCompletion(text: string, commands: Commands, { writers }: Context): number {
  const shell = SHELLS.find((name) => name === text);
  if (shell === undefined) {
    throw unknownWord('shell', text, `the shells are ${SHELLS.join(', ')}`);
  }
  writers.stdout.write(SCRIPTS[shell](commands));
  return 0;
}
