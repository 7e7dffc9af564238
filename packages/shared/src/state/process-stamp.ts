import { readFile, readlink } from 'node:fs/promises';
import { hasProc } from './proc.ts';

/** Identifies one run of one process: pids are reused, often at once in containers, where every server is pid 1. */
export interface ProcessStamp {
  readonly pid: number;
  /** When it started, according to the system; undefined if unknown. Only for comparison. */
  readonly started?: string | undefined;
  /** The namespace in which the pid is valid; undefined if the system has no such namespaces or does not say. */
  readonly pidNamespace?: string | undefined;
}

/**
 * What is known about a process. `out-of-sight`: it is or was in another PID namespace, on another machine, or before a
 * reboot.
 */
export type ProcessFate = 'running' | 'ended' | 'out-of-sight';

/** The stamp of this process. */
export async function ownProcess(platform: NodeJS.Platform = process.platform): Promise<ProcessStamp> {
  const [found, pidNamespace] = await Promise.all([
    inspect(process.pid, platform),
    hasProc(platform) ? readlink('/proc/self/ns/pid').catch(() => undefined) : undefined,
  ]);
  return { pid: process.pid, started: found === 'dead' ? undefined : found, pidNamespace };
}

/**
 * Whether that very run of the process is known to be going on; without start times, whether the pid is alive. False if
 * it is out of sight.
 */
export async function isRunning(stamp: ProcessStamp): Promise<boolean> {
  return (await fateOf(stamp)) === 'running';
}

/** As `isRunning`, distinguishing the two other cases. */
export async function fateOf(stamp: ProcessStamp, platform: NodeJS.Platform = process.platform): Promise<ProcessFate> {
  const own = await ownProcess(platform);
  if (stamp.pidNamespace !== undefined && stamp.pidNamespace !== own.pidNamespace) return 'out-of-sight';
  if (stamp.started !== undefined && own.started !== undefined && bootOf(stamp.started) !== bootOf(own.started)) {
    return 'out-of-sight';
  }
  try {
    process.kill(stamp.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'ended';
  }
  const found = await inspect(stamp.pid, platform);
  if (found === 'dead') return 'ended';
  return found === undefined || stamp.started === undefined || found === stamp.started ? 'running' : 'ended';
}

/** The start of a process; undefined if the system has no /proc. */
async function inspect(pid: number, platform: NodeJS.Platform): Promise<string | undefined> {
  if (!hasProc(platform)) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc(5): after the name, which may contain spaces and parentheses, state is field 3 and starttime field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Dead, just not reaped by its parent yet.
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead';
    // Ticks since boot: the same number may recur after the next one.
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return fields[19] === undefined ? undefined : `${boot.trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function bootOf(started: string): string {
  return started.slice(0, started.lastIndexOf('/'));
}
