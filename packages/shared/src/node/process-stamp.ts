import { readFile } from 'node:fs/promises';

/** Names one run of one process: pids are used again, often at once in containers, where every server is pid 1. */
export interface ProcessStamp {
  readonly pid: number;
  /** When it started, as the system tells it; undefined where it does not. Only to be compared. */
  readonly started?: string | undefined;
}

/** The stamp of this process. */
export async function ownProcess(): Promise<ProcessStamp> {
  const found = await inspect(process.pid);
  return { pid: process.pid, started: found === 'dead' ? undefined : found };
}

/** Whether that very run of that process still goes on. Where the system tells no start times, whether the pid lives. */
export async function isRunning(stamp: ProcessStamp): Promise<boolean> {
  try {
    process.kill(stamp.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const found = await inspect(stamp.pid);
  if (found === 'dead') return false;
  return found === undefined || stamp.started === undefined || found === stamp.started;
}

/** The start of a process, undefined where the system has no /proc. */
async function inspect(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc(5): behind the name, which may itself have spaces and parentheses, state is field 3 and starttime field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Dead, and only not yet reaped by its parent.
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead';
    // Ticks since the boot: the same number may come again after the next one.
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return fields[19] === undefined ? undefined : `${boot.trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}
