import type { Flag } from '../settings/flags.ts';
import { ARGUMENTS, type Commands, isSwitch, STANDARD, TAKES_FILE, TUNNEL_NAMES } from './shells.ts';

const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;

function flagLine(condition: string, [name, flag]: [string, Flag]): string {
  const value =
    flag.choices !== undefined
      ? ` -x -a ${quote(flag.choices.join(' '))}`
      : isSwitch(flag)
        ? ''
        : flag.isPath === true
          ? ' -r -F'
          : ' -x';
  return `complete -c tunnel${condition} -l ${name}${value} -d ${quote(flag.describe)}`;
}

export function fishScript(commands: Commands): string {
  const behind = (command: string): string => ` -n '__fish_seen_subcommand_from ${command}'`;
  return [
    '# fish completion of tunnel: tunnel completion fish > ~/.config/fish/completions/tunnel.fish',
    'complete -c tunnel -f',
    ...Object.entries(STANDARD).map((flag) => flagLine('', flag)),
    ...Object.entries(commands).map(
      ([name, { describe }]) => `complete -c tunnel -n __fish_use_subcommand -a ${name} -d ${quote(describe)}`,
    ),
    ...Object.entries(commands).flatMap(([name, { flags }]) =>
      Object.entries(flags).map((flag) => flagLine(behind(name), flag)),
    ),
    ...Object.entries(ARGUMENTS).map(
      ([name, words]) => `complete -c tunnel${behind(name)} -a ${quote(words.join(' '))}`,
    ),
    ...TAKES_FILE.map((name) => `complete -c tunnel${behind(name)} -F`),
    `complete -c tunnel${behind('run')} -a '(__tunnel_names)'`,
    `
function __tunnel_names
    set -l file $TUNNEL_CONFIG
    set -l words (commandline -opc)
    if set -l index (contains -i -- --config $words)
        set file (string replace -r '^~' $HOME -- $words[(math $index + 1)])
    end
    if test -z "$file"
        set -l home $XDG_CONFIG_HOME
        test -n "$home"; or set home $HOME/.config
        set file $home/tunnel/config.toml
    end
    ${TUNNEL_NAMES}$file 2>/dev/null
end`,
  ].join('\n');
}
