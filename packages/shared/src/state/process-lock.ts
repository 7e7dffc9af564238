import { open, readFile, rm, utimes } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TunnelError } from '../errors/errors.ts';
import type { Hint } from '../errors/hint.ts';
import { makePrivateDirectory, unusable, writeNew } from './files.ts';
import { takeKernelLock } from './kernel-lock.ts';
import { replaceFile } from './replace-file.ts';
import { fateOf, ownProcess, type ProcessStamp } from './process-stamp.ts';

/** How often a lock whose holder died may be contested before we give up. */
const MAX_ATTEMPTS = 10;

/** How often a holder without a kernel lock touches its file, in ms. */
const BEAT_MS = 2_000;

/** A holder whose file was not touched for this many beats has ended. */
const SILENT_BEATS = 3.5;

export interface ProcessLock {
  /** Releases the lock. Idempotent, never fails. */
  release(): Promise<void>;
}

/** What a lock file says about its holder. */
interface Holder extends ProcessStamp {
  /** It also has a kernel lock. */
  readonly hasKernelLock: boolean;
}

/**
 * Takes the lock represented by this file, creating its directory. Throws `state-locked` if another process has it, and
 * `state-unusable`.
 *
 * A kernel lock decides if both sides have one: it works across containers and is released however its holder ends.
 * Without it (no flock(1), some network file systems) the file decides: it names the holder, which has ended if that
 * process is no longer running. If that cannot be seen from here, in another container or on another machine, or
 * if this system does not tell a process from a later one with its pid (macOS, Windows), the holder is watched: it touches
 * its file every `beatMs`.
 */
export async function takeProcessLock(
  path: string,
  beatMs: number = BEAT_MS,
  platform: NodeJS.Platform = process.platform,
): Promise<ProcessLock> {
  const directory = dirname(path);
  await makePrivateDirectory(directory);
  const kernelLock = await takeKernelLock(directory, platform);
  try {
    if (kernelLock.kind === 'held') throw await lockedBy(path, parseHolder((await read(path)) ?? ''));
    const hasKernelLock = kernelLock.kind === 'taken';
    const stamp = await ownProcess(platform);
    const own = `${JSON.stringify({ ...stamp, hasKernelLock })}\n`;
    await takeFile(path, own, { hasKernelLock, beatMs, platform, tellsStarts: stamp.started !== undefined });
    const beat = hasKernelLock ? undefined : setInterval(() => void touch(path), beatMs).unref();
    return {
      release: async () => {
        clearInterval(beat);
        await release(path, own);
        if (kernelLock.kind === 'taken') kernelLock.release();
      },
    };
  } catch (error) {
    if (kernelLock.kind === 'taken') kernelLock.release();
    if (error instanceof TunnelError) throw error;
    throw unusable(path, error);
  }
}

/** What this process has to find out about the holder with. */
interface Means {
  readonly hasKernelLock: boolean;
  readonly beatMs: number;
  readonly platform: NodeJS.Platform;
  /** The system tells when a process started: a later one with the same pid is another one. */
  readonly tellsStarts: boolean;
}

async function takeFile(path: string, own: string, means: Means): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (await writeNew(path, own)) return;
    const found = await read(path);
    if (found === undefined) continue;
    const holder = parseHolder(found);
    if (holder !== undefined) {
      const fate = await fateOf(holder, means.platform);
      if (fate === 'running' && means.tellsStarts) throw await lockedBy(path, holder);
      // If both have kernel locks, ours proves that the other is gone.
      if (fate !== 'ended' && !(holder.hasKernelLock && means.hasKernelLock)) {
        // A holder with a kernel lock does not touch its file, so whether it has ended cannot be known from here.
        if (holder.hasKernelLock) throw await lockedBy(path, holder, { id: 'lock-holder-out-of-sight', path });
        if (await isTouched(path, means.beatMs)) throw await lockedBy(path, holder);
      }
    }
    await setAside(path, found);
  }
  throw new TunnelError('state-locked', { detail: `${dirname(path)} (several servers start there at once)` });
}

async function lockedBy(path: string, holder: Holder | undefined, hint?: Hint): Promise<TunnelError> {
  const directory = dirname(path);
  // The holder is between its two locks, or just ending.
  if (holder === undefined) return new TunnelError('state-locked', { detail: directory });
  const place = (await fateOf(holder)) === 'out-of-sight' ? ' in another container or on another machine' : '';
  const detail = `${directory} (process ${holder.pid}${place})`;
  return new TunnelError('state-locked', { detail, ...(hint !== undefined && { hint }) });
}

/** Watches the file until it is touched, or long enough to conclude that its holder has ended. */
async function isTouched(path: string, beatMs: number): Promise<boolean> {
  const before = await lastTouch(path);
  for (let waitedMs = 0; waitedMs < beatMs * SILENT_BEATS; waitedMs += beatMs / 4) {
    await sleep(beatMs / 4);
    const now = await lastTouch(path);
    if (now === undefined) return false;
    if (now !== before) return true;
  }
  return false;
}

/** Through an open file: only then do network file systems ask their server. Undefined if there is no file. */
async function lastTouch(path: string): Promise<number | undefined> {
  try {
    await using file = await open(path, 'r');
    return (await file.stat()).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  // A failing disk must not end the server.
  await utimes(path, now, now).catch(() => {});
}

async function release(path: string, own: string): Promise<void> {
  try {
    if ((await read(path)) === own) await rm(path, { force: true });
  } catch {
    // Anything left behind is stale once this process has ended.
  }
}

/**
 * Removes a stale lock and no other: between our read and our rename, someone else may have removed it and taken a lock
 * of their own. That one is then put back.
 */
async function setAside(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await replaceFile(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const found = await read(aside);
  if (found !== undefined && found !== stale) await writeNew(path, found);
  await rm(aside, { force: true });
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof Holder, unknown>> | null;
    if (typeof value?.pid !== 'number' || !Number.isSafeInteger(value.pid) || value.pid <= 0) return undefined;
    const textOf = (field: unknown): string | undefined => (typeof field === 'string' ? field : undefined);
    return {
      pid: value.pid,
      started: textOf(value.started),
      pidNamespace: textOf(value.pidNamespace),
      hasKernelLock: value.hasKernelLock === true,
    };
  } catch {
    return undefined;
  }
}
