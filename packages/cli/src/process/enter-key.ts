import { readFileSync } from 'node:fs';
import type { ReadStream } from 'node:tty';
import { hasProc } from '@tunnel/shared/node';

/**
 * Calls `onEnter` for every line entered on the terminal, until disposed. Reads nothing while the program is in the
 * background, since the system stops background programs that read from their terminal.
 */
export function watchEnterKey(terminal: ReadStream, onEnter: () => void): Disposable {
  const onData = (): void => onEnter();
  const onContinue = (): void => {
    // The shell's `fg` and `bg` both send SIGCONT, after they have set the terminal's new foreground.
    if (isInForeground()) terminal.resume();
    else terminal.pause();
  };
  terminal.on('data', onData);
  // A terminal that is gone (EIO) sends nothing more; no need to do anything.
  terminal.on('error', ignore);
  process.on('SIGCONT', onContinue);
  onContinue();
  return {
    [Symbol.dispose]() {
      process.off('SIGCONT', onContinue);
      terminal.off('data', onData);
      terminal.pause();
    },
  };
}

function ignore(): void {}

/** Whether this program is in the foreground of its terminal. Assumed if unknown. */
function isInForeground(): boolean {
  if (!hasProc()) return true;
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // proc(5): after the name come state, ppid, pgrp, session, tty_nr and tpgid.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
