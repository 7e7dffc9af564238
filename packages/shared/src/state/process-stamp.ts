import { readFile, readlink } from 'node:fs/promises';
import { hasProc } from './proc.ts';

/** Names one run of one process: pids are used again, often at once in containers, where every server is pid 1. */
export interface ProcessStamp {
  readonly pid: number;
  /** When it started, as the system tells it; undefined where it does not. Only to be compared. */
  readonly started?: string | undefined;
  /** Where that pid means this process; undefined where the system has no such namespaces, or does not tell. */
  readonly pidNamespace?: string | undefined;
}

/** What is known about a process. `out-of-sight`: it is, or was, in another PID namespace, on another machine, or before a reboot. */
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
 * Whether that very run of that process is known to go on. Where the system tells no start times, whether the pid lives. False
 * for one that is out of sight.
 */
export async function isRunning(stamp: ProcessStamp): Promise<boolean> {
  return (await fateOf(stamp)) === 'running';
}

/** As `isRunning`, which tells the two other cases apart. */
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

/** The start of a process, undefined where the system has no /proc. */
async function inspect(pid: number, platform: NodeJS.Platform): Promise<string | undefined> {
  if (!hasProc(platform)) return undefined;
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

function bootOf(started: string): string {
  return started.slice(0, started.lastIndexOf('/'));
}
