import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';

/** flock(1) answers at once. One that hangs, on a dead network file system, is given up after this, in ms. */
const FLOCK_TIMEOUT_MS = 10_000;

/** The status of flock(1), of util-linux and of BusyBox, where somebody else has the lock. */
const HELD_STATUS = 1;

/** What came of asking the kernel for a lock. `unavailable`: no flock(1) here, or a file system that knows no such locks. */
export type KernelLock =
  | { readonly kind: 'taken'; readonly release: () => void }
  | { readonly kind: 'held' }
  | { readonly kind: 'unavailable' };

/**
 * Takes a lock on a directory that holds over containers, and that the kernel drops with this process, however it ends.
 * Node has no flock(2), so flock(1) takes the lock on a descriptor that it inherits: the lock belongs to the open file, and
 * stays with this process when flock(1) has ended. On the directory, and not on a file in it, since nobody replaces that.
 */
export async function takeKernelLock(
  directory: string,
  platform: NodeJS.Platform = process.platform,
): Promise<KernelLock> {
  // Which would look for a flock.exe, in the current directory first.
  if (platform === 'win32') return { kind: 'unavailable' };
  let descriptor: number;
  try {
    // A plain descriptor: a `FileHandle` would be closed, and the lock dropped, once it is collected.
    descriptor = openSync(directory, constants.O_RDONLY);
  } catch {
    return { kind: 'unavailable' };
  }
  const kind = await flock(descriptor);
  if (kind !== 'taken') {
    closeSync(descriptor);
    return { kind };
  }
  let isReleased = false;
  return {
    kind,
    release: () => {
      // Once only: the number may be that of another file by then.
      if (!isReleased) closeSync(descriptor);
      isReleased = true;
    },
  };
}

function flock(descriptor: number): Promise<KernelLock['kind']> {
  return new Promise((resolve) => {
    const child = spawn('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
      timeout: FLOCK_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    child.on('error', () => resolve('unavailable'));
    child.on('close', (status) => {
      if (status === 0) resolve('taken');
      // BusyBox uses the same status for everything else that goes wrong, but then it says so.
      else resolve(status === HELD_STATUS && complaint === '' ? 'held' : 'unavailable');
    });
  });
}
