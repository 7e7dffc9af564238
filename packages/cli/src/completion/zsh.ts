import type { Flag } from '../settings/flags.ts';
import { ARGUMENTS, type Commands, isSwitch, STANDARD, TAKES_FILE, TUNNEL_NAMES } from './shells.ts';

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** These characters end the text in an `_arguments` specification. */
const escape = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);

function flagSpec([name, flag]: [string, Flag]): string {
  const text = `${flag.isList === true ? '*' : ''}--${name}${isSwitch(flag) ? '' : '='}[${escape(flag.describe)}]`;
  if (isSwitch(flag)) return quote(text);
  const action = flag.choices !== undefined ? `(${flag.choices.join(' ')})` : flag.isPath === true ? '_files' : ' ';
  return quote(`${text}:${name}:${action}`);
}

function argumentSpecs(command: string): readonly string[] {
  const words = ARGUMENTS[command];
  return [
    ...(words === undefined ? [] : [`'1:argument:(${words.join(' ')})'`]),
    ...(TAKES_FILE.includes(command) ? [`'*:file:_files'`] : []),
    ...(command === 'local' || command === 'http' ? [`'*:target: '`] : []),
    ...(command === 'run' ? [`'*:tunnel:_tunnel_names'`] : []),
  ];
}

/** Works with `source <(…)` and as a file `_tunnel` in `$fpath`. */
export function zshScript(commands: Commands): string {
  const commandLines = Object.entries(commands).map(([name, { describe }]) => `    ${quote(`${name}:${describe}`)}`);
  const cases = Object.entries(commands).map(([name, { flags }]) => {
    const specs = [...Object.entries({ ...flags, ...STANDARD }).map(flagSpec), ...argumentSpecs(name)];
    return `    ${name})\n      _arguments -s \\\n        ${specs.join(' \\\n        ')}\n      ;;`;
  });
  return `#compdef tunnel
# zsh completion of tunnel: source <(tunnel completion zsh), behind compinit
_tunnel() {
  local -a commands
  commands=(
${commandLines.join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    _arguments ${Object.entries(STANDARD).map(flagSpec).join(' ')}
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join('\n')}
  esac
}

_tunnel_names() {
  local -a names
  local file=\${TUNNEL_CONFIG:-\${XDG_CONFIG_HOME:-$HOME/.config}/tunnel/config.toml}
  local index=$words[(I)--config]
  ((index > 0)) && file=\${(Q)words[index + 1]/#\\~/$HOME}
  names=(\${(f)"$(${TUNNEL_NAMES}"$file" 2>/dev/null)"})
  compadd -a names
}

if [[ $funcstack[1] == _tunnel ]]; then
  _tunnel "$@"
else
  compdef _tunnel tunnel
fi`;
}
