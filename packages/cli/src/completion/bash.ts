import type { Flag } from '../settings/flags.ts';
import { ARGUMENTS, type Commands, isSwitch, STANDARD, TAKES_FILE, TUNNEL_NAMES } from './shells.ts';

const names = (flags: Readonly<Record<string, Flag>>): string =>
  Object.keys({ ...flags, ...STANDARD })
    .map((name) => `--${name}`)
    .join(' ');

/** Needs nothing but bash: no bash-completion, and no `compopt`, which macOS's bash lacks. */
export function bashScript(commands: Commands): string {
  const values = (command: string, name: string, { choices, isPath }: Flag): string => {
    const action =
      choices !== undefined
        ? `words='${choices.join(' ')}'`
        : isPath === true
          ? 'compopt -o default 2>/dev/null; return'
          : 'return';
    return `    ${command}:--${name}) ${action} ;;`;
  };
  const valueLines = Object.entries(commands).flatMap(([command, { flags }]) =>
    Object.entries(flags)
      .filter(([, flag]) => !isSwitch(flag))
      .map(([name, flag]) => values(command, name, flag)),
  );
  const flagLines = Object.entries(commands).map(
    ([command, { flags }]) => `    ${command}:-*) words='${names(flags)}' ;;`,
  );
  const argumentLines = Object.entries(ARGUMENTS).map(
    ([command, words]) => `    ${command}:*) ((COMP_CWORD == 2)) && words='${words.join(' ')}' ;;`,
  );
  return `# bash completion of tunnel: source <(tunnel completion bash)
_tunnel() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} words=
  COMPREPLY=()
  # Bash takes --flag=value for three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${Object.keys(commands).join(' ')} ${names({})}' -- "$current"))
    return
  fi
  case $command:$previous in
${valueLines.join('\n')}
  esac
  [[ -n $words ]] || case $command:$current in
${flagLines.join('\n')}
    run:*) words=$(_tunnel_names) ;;
${argumentLines.join('\n')}
  esac
  case $command in
    ${TAKES_FILE.join('|')}) [[ -n $words ]] || compopt -o default 2>/dev/null ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

_tunnel_names() {
  local file=\${TUNNEL_CONFIG:-\${XDG_CONFIG_HOME:-$HOME/.config}/tunnel/config.toml} index
  for ((index = 2; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == --config ]] && file=\${COMP_WORDS[index + 1]}
    [[ $file == = ]] && file=\${COMP_WORDS[index + 2]}
  done
  ${TUNNEL_NAMES}"\${file/#\\~/$HOME}" 2>/dev/null
}

complete -F _tunnel tunnel`;
}
