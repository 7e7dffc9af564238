/**
 * Whether a port could not be opened because somebody has it, so that another one may do. Windows denies access to a port that
 * another program has for itself, and to ranges that Hyper-V and WSL set apart; elsewhere that is about privileged ports.
 */
export function isTaken({ code }: NodeJS.ErrnoException, platform: NodeJS.Platform): boolean {
  return code === 'EADDRINUSE' || (platform === 'win32' && code === 'EACCES');
}
