import { readFileSync } from 'node:fs';
import type { ReadStream } from 'node:tty';
import { hasProc } from '@tunnel/shared/node';

/**
 * Calls `onEnter` for every line that is entered on the terminal, until it is disposed of. Reads nothing while the program
 * is in the background: the system stops background programs that read from their terminal.
 */
export function watchEnterKey(terminal: ReadStream, onEnter: () => void): Disposable {
  const onData = (): void => onEnter();
  const onContinue = (): void => {
    // The shell's `fg` and `bg` both send SIGCONT, when the terminal has its new foreground already.
    if (isInForeground()) terminal.resume();
    else terminal.pause();
  };
  terminal.on('data', onData);
  // A terminal that is gone (EIO) says nothing any more, and that is all.
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

/** Whether this program is its terminal's foreground. Where that cannot be told: yes. */
function isInForeground(): boolean {
  if (!hasProc()) return true;
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // proc(5): behind the name come state, ppid, pgrp, session, tty_nr and tpgid.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
