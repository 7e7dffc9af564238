import { readFileSync, writeFileSync } from 'node:fs';

/** What `getconf CLK_TCK` says on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time of these processes since their start, user and system, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // proc(5): behind the name in parentheses, utime is the 12th field and stime the 13th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Resident memory of a process now, in KiB. */
export function residentKiB(pid: number): number {
  return statusField(pid, 'VmRSS');
}

/** The most resident memory that a process had since its start, or since `resetPeak`, in KiB. */
export function peakResidentKiB(pid: number): number {
  return statusField(pid, 'VmHWM');
}

/** From now on `peakResidentKiB` counts anew. */
export function resetPeak(pid: number): void {
  // proc(5): 5 resets the peak. A kernel without it leaves the peak since the start, which is no less true.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function statusField(pid: number, name: string): number {
  const match = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm'));
  if (match === null) throw new Error(`process ${pid} has no ${name}`);
  return Number(match[1]);
}
