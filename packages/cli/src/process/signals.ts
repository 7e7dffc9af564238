import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * What asks a program to stop. Windows has no signals, but Node makes some of what happens to a console: Ctrl-C, Ctrl-Break
 * (SIGBREAK) and its closing (SIGHUP), after which Windows leaves a program some seconds.
 */
export function stopSignals(platform: NodeJS.Platform): readonly NodeJS.Signals[] {
  return platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
}

/** Whether there is a signal that has a program read its configuration again. */
export function hasReloadSignal(platform: NodeJS.Platform): boolean {
  return platform !== 'win32';
}

/** How long a handler that does not end the program itself has to flush its last output. */
const ABORT_GRACE_MS = 500;

export interface SignalHandlers {
  /** The first SIGINT or SIGTERM, and what else stops a program on Windows. */
  readonly stop: (signal: string) => void;
  /** The second one. The process ends right after it. */
  readonly abort: () => void;
  readonly retryNow?: () => void;
  /** SIGHUP. If it means that the program's terminal is gone, `stop` is called instead. */
  readonly reload?: () => void;
  /**
   * For a program that has nothing to reload: SIGHUP means that its terminal is gone, so `stop` is called. Without a
   * terminal it keeps running, as under nohup and service managers.
   */
  readonly stopsWithTerminal?: true;
}

export interface Signals extends Disposable {
  /** 128 plus the number of the signal, as in shells, once a second one arrived or the terminal was closed. */
  readonly exitCode: number | undefined;
}

/** Listens for signals until disposed. */
export function handleSignals(
  { stop, abort, retryNow, reload, stopsWithTerminal }: SignalHandlers,
  platform: NodeJS.Platform = process.platform,
): Signals {
  const stopping = stopSignals(platform);
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
    // End at once even if something hangs.
    setTimeout(() => process.exit(), ABORT_GRACE_MS).unref();
    abort();
  };
  const hadTerminal = process.stdin.isTTY || process.stdout.isTTY;
  const hasTerminal = hadTerminal || process.stderr.isTTY;
  const onHangup = (): void => {
    if (reload === undefined ? !hasTerminal : !hadTerminal || !isTerminalGone()) {
      reload?.();
      return;
    }
    exitCode = 128 + constants.signals.SIGHUP;
    // Node aborts on exit if it cannot reset the terminal, so let the signal end the process, as without a handler.
    process.once('exit', () => {
      process.off('SIGHUP', onHangup);
      process.kill(process.pid, 'SIGHUP');
    });
    onStop('SIGHUP');
  };
  for (const signal of stopping) process.on(signal, onStop);
  if (hasReloadSignal(platform) && (reload !== undefined || stopsWithTerminal)) process.on('SIGHUP', onHangup);
  if (retryNow !== undefined) process.on('SIGUSR1', retryNow);
  return {
    get exitCode() {
      return exitCode;
    },
    [Symbol.dispose]() {
      for (const signal of stopping) process.off(signal, onStop);
      if (retryNow !== undefined) process.off('SIGUSR1', retryNow);
      process.off('SIGHUP', onHangup);
    },
  };
}

/** Whether the controlling terminal is gone: its window was closed. */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}
