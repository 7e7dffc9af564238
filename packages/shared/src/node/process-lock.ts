import { readFile, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { TunnelError } from '../errors.ts';
import { makePrivateDirectory, unusable, writeNew } from './files.ts';
import { isRunning, ownProcess, type ProcessStamp } from './process-stamp.ts';

/** How often a lock whose holder died may be contested before that is called odd. */
const MAX_ATTEMPTS = 10;

export interface ProcessLock {
  /** Lets go. Idempotent, never fails. */
  release(): Promise<void>;
}

/**
 * Takes the lock that this file is, and makes its directory. A lock is stale, and taken over, when the process that
 * took it does not run any more. Throws `state-locked` where it does, and `state-unusable`.
 */
export async function takeProcessLock(path: string): Promise<ProcessLock> {
  await makePrivateDirectory(dirname(path));
  const own = `${JSON.stringify(await ownProcess())}\n`;
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await writeNew(path, own)) return { release: () => release(path, own) };
      const holder = await read(path);
      if (holder === undefined) continue;
      const stamp = parseStamp(holder);
      // A lock with our own stamp in it is one that this process holds twice.
      if (stamp !== undefined && (await isRunning(stamp))) {
        throw new TunnelError('state-locked', { detail: `${dirname(path)} (process ${stamp.pid})` });
      }
      await setAside(path, holder);
    }
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw unusable(path, error);
  }
  throw new TunnelError('state-locked', { detail: `${dirname(path)} (several servers start there at once)` });
}

async function release(path: string, own: string): Promise<void> {
  try {
    if ((await read(path)) === own) await rm(path, { force: true });
  } catch {
    // What stays behind is stale as soon as this process has ended.
  }
}

/**
 * Removes a stale lock, and only that one: between our reading and our renaming, somebody else may have set it aside and
 * taken a lock of his own. Then that is put back.
 */
async function setAside(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
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

function parseStamp(text: string): ProcessStamp | undefined {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof ProcessStamp, unknown>> | null;
    if (typeof value?.pid !== 'number' || !Number.isSafeInteger(value.pid) || value.pid <= 0) return undefined;
    return { pid: value.pid, started: typeof value.started === 'string' ? value.started : undefined };
  } catch {
    return undefined;
  }
}
