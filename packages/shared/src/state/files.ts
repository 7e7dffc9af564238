import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { TunnelError } from '../errors/errors.ts';
import type { Hint } from '../errors/hint.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { replaceFile } from './replace-file.ts';

/** Only its owner may read it. */
export const PRIVATE_MODE = 0o600;

const PRIVATE_DIRECTORY_MODE = 0o700;

const MAKE_ROOM: Hint = { id: 'disk-full' };
const CLEAR_THE_WAY: Hint = { id: 'path-taken' };
const RAISE_FILE_LIMIT: Hint = { id: 'open-files-limit' };

/** By the system's code, if the usual hint would be misleading. */
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
 * No hard links on this file system, or not for programs (Android). A copy can be seen half written, but not replace. EISDIR
 * is how libuv puts what Windows says of FAT.
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

/** Makes a directory and those above it, with mode 0700 where they are new. Throws `state-unusable`. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await makeDirectories(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

/** The text of a file, or undefined where there is none. Throws `state-unusable`. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

/**
 * Replaces a file, so that whoever reads it, also after a crash, finds the old text or the new one and never a part.
 * Throws `state-unusable`.
 */
export async function writeFileAtomic(path: string, text: string, mode: number = PRIVATE_MODE): Promise<void> {
  try {
    await withTemporaryFile(path, text, mode, (temporary) => replaceFile(temporary, path));
  } catch (error) {
    throw unusable(path, error);
  }
}

/**
 * Makes a file unless it is there. Of several that do so at once one wins, and all get what that one wrote. Makes the
 * directory as well. Throws `state-unusable`.
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

/** Makes a file that must not be there yet. False where it is. Errors are the system's own. */
export async function writeNew(path: string, text: string, mode: number = PRIVATE_MODE): Promise<boolean> {
  try {
    await withTemporaryFile(path, text, mode, (temporary) => linkNew(temporary, path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a file; it may be gone already. Throws `state-unusable`. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Not by `recursive` of Node: on a read-only file system that says ENOENT, and below /proc it never ends. */
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

/** A new name is safe from a power cut only once its directory is. Some systems cannot do that, and need not. */
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

/** A `state-unusable` that says why, and what to do about that. */
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
