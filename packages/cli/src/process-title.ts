const SECRET_FLAG = '--secret';

/**
 * Takes a secret out of what the list of processes shows. It was there since the process began, so this only makes the
 * time short in which it can be seen.
 */
export function hideSecret(args: readonly string[]): void {
  const shown = withoutSecret(args);
  if (shown.some((arg, index) => arg !== args[index])) process.title = ['tunnel', ...shown].join(' ');
}

/** The arguments with `***` for the value of `--secret`. */
export function withoutSecret(args: readonly string[]): readonly string[] {
  return args.map((arg, index) => {
    if (args[index - 1] === SECRET_FLAG) return '***';
    return arg.startsWith(`${SECRET_FLAG}=`) ? `${SECRET_FLAG}=***` : arg;
  });
}
