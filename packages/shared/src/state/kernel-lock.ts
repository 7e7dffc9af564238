import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';

/** flock(1) returns at once. If it hangs, as on a dead network file system, it is given up after this, in ms. */
const FLOCK_TIMEOUT_MS = 10_000;

/** The exit status of flock(1), in util-linux and BusyBox, if someone else has the lock. */
const HELD_STATUS = 1;

/** The outcome of requesting a kernel lock. `unavailable`: no flock(1) here, or a file system without such locks. */
export type KernelLock =
  | { readonly kind: 'taken'; readonly release: () => void }
  | { readonly kind: 'held' }
  | { readonly kind: 'unavailable' };

/**
 * Takes a lock on a directory that works across containers and that the kernel releases with this process, however it
 * ends. Node has no flock(2), so flock(1) takes the lock on an inherited descriptor: the lock belongs to the open file
 * and stays with this process after flock(1) has exited. It is on the directory rather than a file in it, since nobody
 * replaces that.
 */
export async function takeKernelLock(
  directory: string,
  platform: NodeJS.Platform = process.platform,
): Promise<KernelLock> {
  // Which would look for a flock.exe, in the current directory first.
  if (platform === 'win32') return { kind: 'unavailable' };
  let descriptor: number;
  try {
    // A plain descriptor: a `FileHandle` would be closed, and the lock released, when it is collected.
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
      // Only once: the number may belong to another file by then.
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
      // BusyBox uses the same status for all other failures, but then prints a message.
      else resolve(status === HELD_STATUS && complaint === '' ? 'held' : 'unavailable');
    });
  });
}
