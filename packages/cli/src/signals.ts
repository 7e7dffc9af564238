import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** A handler that does not end the program by itself gets this long to let its last words out. */
const ABORT_GRACE_MS = 500;

export interface SignalHandlers {
  /** The first SIGINT or SIGTERM. */
  readonly stop: (signal: string) => void;
  /** The second one. The process ends right behind it. */
  readonly abort: () => void;
  readonly retryNow?: () => void;
  /** SIGHUP. Where it means that the program's terminal is gone, `stop` is called instead. */
  readonly reload?: () => void;
}

export interface Signals extends Disposable {
  /** 128 and the number of the signal, as shells have it, once a second one came: the program did not end cleanly. */
  readonly exitCode: number | undefined;
}

/** Listens for signals until it is disposed of. */
export function handleSignals({ stop, abort, retryNow, reload }: SignalHandlers): Signals {
  let received = 0;
  let exitCode: number | undefined;
  const onStop = (signal: NodeJS.Signals): void => {
    received += 1;
    if (received === 1) {
      stop(signal);
      return;
    }
    exitCode = 128 + constants.signals[signal];
    process.exitCode = exitCode;
    // "At once" holds also where something hangs.
    setTimeout(() => process.exit(), ABORT_GRACE_MS).unref();
    abort();
  };
  const hadTerminal = process.stdin.isTTY || process.stdout.isTTY;
  const onHangup = (): void => {
    if (!hadTerminal || !isTerminalGone()) {
      reload?.();
      return;
    }
    // Node aborts at its end where it cannot reset the terminal. So it ends by the signal, as without a handler.
    process.once('exit', () => {
      process.off('SIGHUP', onHangup);
      process.kill(process.pid, 'SIGHUP');
    });
    onStop('SIGHUP');
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onStop);
  if (reload !== undefined) process.on('SIGHUP', onHangup);
  // Node opens its debugger at SIGUSR1 unless somebody listens for it.
  if (retryNow !== undefined) process.on('SIGUSR1', retryNow);
  return {
    get exitCode() {
      return exitCode;
    },
    [Symbol.dispose]() {
      for (const signal of STOP_SIGNALS) process.off(signal, onStop);
      if (retryNow !== undefined) process.off('SIGUSR1', retryNow);
      process.off('SIGHUP', onHangup);
    },
  };
}

/** Whether there is no controlling terminal any more: its window was closed. */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}
