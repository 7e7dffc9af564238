const SECRET_FLAGS: readonly string[] = ['--secret', '--basic-auth', '--set-header', '--set-response-header'];
const PROXY_FLAG = '--proxy';

/**
 * Removes secrets from what the process list shows. They have been there since the process began, so this only shortens
 * the time during which they can be seen.
 */
export function hideSecrets(args: readonly string[]): void {
  const shown = withoutSecrets(args);
  if (shown.some((arg, index) => arg !== args[index])) process.title = ['tunnel', ...shown].join(' ');
}

/** The arguments with `***` in place of secrets and passwords, and of the user and password in `--proxy`. */
export function withoutSecrets(args: readonly string[]): readonly string[] {
  return args.map((arg, index) => {
    const before = args[index - 1];
    if (before !== undefined && SECRET_FLAGS.includes(before)) return '***';
    const flag = SECRET_FLAGS.find((name) => arg.startsWith(`${name}=`));
    if (flag !== undefined) return `${flag}=***`;
    if (before === PROXY_FLAG || arg.startsWith(`${PROXY_FLAG}=`)) return withoutCredentials(arg);
    return arg;
  });
}

function withoutCredentials(text: string): string {
  return text.replace(/^((?:--proxy=)?(?:[^:/?#@]*:\/\/)?)[^]*@/, '$1***@');
}
