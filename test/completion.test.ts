// The completion scripts, in the shells that they are for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startTunnel } from './support/command.ts';
import { requirePrograms, runProgram, type ProgramName } from './support/program.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

type Shell = Extract<ProgramName, 'bash' | 'zsh' | 'fish'>;

/** What each shell is asked: `$1` is the script, `$2` the line so far, `$3` the configuration file. One offer a line. */
const ASK: Readonly<Record<Shell, string>> = {
  // As readline calls it: words end at spaces and at `=`.
  bash: `
    source "$1"; export TUNNEL_CONFIG=$3
    read -ra COMP_WORDS <<< "\${2//=/ = }"
    [[ $2 == *[\\ ] ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _tunnel
    printf '%s\\n' "\${COMPREPLY[@]}"`,
  // An interactive zsh on a terminal of its own, whose compadd tells what it is given.
  zsh: `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1=; TERM=dumb; TUNNEL_CONFIG=\${(q)3}; autoload -Uz compinit; compinit -D -u; source \${(q)1}"
    zpty -w shell 'compadd() {
      local -a found
      [[ " \${(j: :)@} " == *" -"[AOD]" "* ]] || { builtin compadd -A found "$@"; print -rl -- "<"$^found">" }
      builtin compadd "$@"
    }'
    zpty -w shell 'over() { print "<>" }; zle -N over; bindkey "^G" over; bindkey "^I" complete-word; print rea""dy'
    zpty -r shell line '*ready*'
    zpty -w -n shell "$2"$'\\t\\a'
    zpty -r shell line '*<>*'
    zpty -d shell
    print -r -- "$line" | tr -d '\\r' | sed -n 's/.*<\\(..*\\)>.*/\\1/p'`,
  fish: `
    source $argv[1]; set -gx TUNNEL_CONFIG $argv[3]
    complete -C $argv[2] | string replace -r '\\t.*' ''; true`,
};

const RUN: Readonly<Record<Shell, readonly string[]>> = {
  bash: ['--norc', '-c', ASK.bash, 'bash'],
  zsh: ['-f', '-c', ASK.zsh, 'zsh'],
  fish: ['--no-config', '-c', ASK.fish],
};

async function complete(shell: Shell, line: string): Promise<readonly string[]> {
  await using home = await temporaryDirectory();
  const config = join(home.path, 'tunnel.toml');
  await writeFile(config, '[client]\nto = "a"\n[tunnels.web]\ntarget = 80\n[tunnels.database]\ntarget = 5432\n');
  await using tunnel = await startTunnel(['completion', shell]);
  expect((await tunnel.waitForExit()).code).toBe(0);
  const script = join(home.path, `_tunnel.${shell}`);
  await writeFile(script, tunnel.stdout);
  const { stdout } = await runProgram(shell, [...RUN[shell], script, line, config], { timeoutMs: 20_000 });
  const offers = stdout
    .toString()
    .split('\n')
    .map((offer) => offer.trim());
  return [...new Set(offers.filter((offer) => offer !== ''))].toSorted();
}

describe.each<Shell>(['bash', 'zsh', 'fish'])('%s completes', (shell) => {
  test.for<[line: string, offers: readonly string[]]>([
    ['tunnel s', ['server', 'status']],
    ['tunnel local --log-f', ['--log-format']],
    ['tunnel local --log-format ', ['json', 'pretty']],
    ['tunnel http --set-', ['--set-header', '--set-response-header']],
    ['tunnel run ', ['database', 'web']],
    ['tunnel completion ', ['bash', 'fish', 'zsh']],
    ['tunnel server --port ', []],
  ])('%s', async ([line, offers], context) => {
    requirePrograms(context, shell);
    expect(await complete(shell, line)).toEqual(offers);
  });
});
