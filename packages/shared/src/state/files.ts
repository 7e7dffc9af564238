import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { TunnelError } from '../errors/errors.ts';
import type { Hint } from '../errors/hint.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { replaceFile } from './replace-file.ts';

/** Readable and writable by its owner only. */
export const PRIVATE_MODE = 0o600;

const PRIVATE_DIRECTORY_MODE = 0o700;

const MAKE_ROOM: Hint = { id: 'disk-full' };
const CLEAR_THE_WAY: Hint = { id: 'path-taken' };
const RAISE_FILE_LIMIT: Hint = { id: 'open-files-limit' };

/** By system error code, for those where the usual hint would be misleading. */
const HINTS: Readonly<Record<string, Hint>> = {
  ENOSPC: MAKE_ROOM,
  EDQUOT: MAKE_ROOM,
  EFBIG: { id: 'file-size-limit' },
  ENOTDIR: CLEAR_THE_WAY,
  EISDIR: CLEAR_THE_WAY,
  EEXIST: CLEAR_THE_WAY,
  EROFS: { id: 'read-only' },
  EMFILE: RAISE_FILE_LIMIT,
  ENFILE: RAISE_FILE_LIMIT,
};

/**
 * What `link` says if this file system has no hard links, or forbids them (Android). A copy can be seen half written, but never
 * replaces another file. EISDIR is libuv's word for the answer of FAT on Windows.
 */
const NO_HARD_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EISDIR',
]);

/** Creates a directory and its parents, new ones with mode 0700. Throws `state-unusable`. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await makeDirectories(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

/** The text of a file, or undefined if there is none. Throws `state-unusable`. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

/**
 * Replaces a file so that a reader, even after a crash, finds either the old text or the new one, never a part. Throws
 * `state-unusable`.
 */
export async function writeFileAtomic(path: string, text: string, mode: number = PRIVATE_MODE): Promise<void> {
  try {
    await withTemporaryFile(path, text, mode, (temporary) => replaceFile(temporary, path));
  } catch (error) {
    throw unusable(path, error);
  }
}

/**
 * Creates a file unless it exists, and its directory. Of several concurrent callers one wins, and all get what it
 * wrote. Throws `state-unusable`.
 */
export async function createOnce(
  path: string,
  make: () => string,
  mode: number = PRIVATE_MODE,
): Promise<{ readonly text: string; readonly created: boolean }> {
  const existing = await readTextFile(path);
  if (existing !== undefined) return { text: existing, created: false };
  await makePrivateDirectory(dirname(path));
  const text = make();
  try {
    if (await writeNew(path, text, mode)) return { text, created: true };
    return { text: await readFile(path, 'utf8'), created: false };
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Creates a file. False if it already exists. Errors are the system's own. */
export async function writeNew(path: string, text: string, mode: number = PRIVATE_MODE): Promise<boolean> {
  try {
    await withTemporaryFile(path, text, mode, (temporary) => linkNew(temporary, path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a file, which may already be gone. Throws `state-unusable`. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Not with Node's `recursive`: on a read-only file system that reports ENOENT, and below /proc it never returns. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(dirname(path));
    await makeDirectory(path);
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: PRIVATE_DIRECTORY_MODE });
  } catch (error) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
  }
}

async function withTemporaryFile(
  path: string,
  text: string,
  mode: number,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary);
    await syncDirectory(dirname(path));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function linkNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!NO_HARD_LINKS.has(codeOf(error) ?? '')) throw error;
    await copyFile(temporary, path, constants.COPYFILE_EXCL);
  }
}

/**
 * A new name survives a power cut only once its directory is synced. Some systems cannot do that and do not need it.
 */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** A `state-unusable` error with the reason and what to do about it. */
export function unusable(path: string, error: unknown): TunnelError {
  const hint = HINTS[codeOf(error) ?? ''];
  return new TunnelError('state-unusable', {
    detail: `${path}: ${describeSystemError(error)}`,
    ...(hint !== undefined && { hint }),
    cause: error,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
