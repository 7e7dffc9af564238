/**
 * How to spawn a program that npm installed, which on Windows is a batch file: Node starts those only through the shell, where
 * one text is the whole command line.
 */
export function programCall(program, args, platform = process.platform) {
  if (platform !== 'win32') return { file: program, args, options: {} };
  return { file: [program, ...args].map(quoted).join(' '), args: [], options: { shell: true } };
}

/** A word as cmd.exe takes it. It has no way to quote quotation marks and percent signs that every program understands. */
function quoted(word) {
  if (/["%]/.test(word)) throw new Error(`${word} cannot be passed to a program on Windows`);
  return /^[\w@+=:,./\\-]+$/.test(word) ? word : `"${word}"`;
}
