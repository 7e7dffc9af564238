import { dirname, sep } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { type Access, accessTo, isMountPoint } from '@tunnel/shared/node';

/** What must be this user's alone, as far as it is there. */
export interface PrivateFiles {
  readonly stateDirectory: string;
  /** Those in it that are used. What is in them decides whom this program trusts. */
  readonly directories: readonly string[];
  /** With keys and secrets. */
  readonly files: readonly (string | undefined)[];
}

/** Something that other users can get at. */
export interface Exposure {
  readonly path: string;
  readonly problem: string;
  readonly hint: string;
}

/**
 * What other users of this machine can read or change of these. Throws `file-foreign` where one of them belongs to another
 * user; root's are everybody's, and what is mounted there was given by an administrator.
 */
export async function checkPrivateFiles(given: PrivateFiles): Promise<readonly Exposure[]> {
  const { stateDirectory } = given;
  const found: (Exposure | undefined)[] = [];
  // One after the other, from the top: the first one that is wrong is the one to be told.
  for (const path of [stateDirectory, ...given.directories]) {
    found.push(await checkDirectory(path, stateDirectory));
  }
  for (const path of given.files) {
    if (path !== undefined) found.push(await checkFile(path, stateDirectory));
  }
  return found.filter((exposure) => exposure !== undefined);
}

async function checkDirectory(path: string, stateDirectory: string): Promise<Exposure | undefined> {
  const access = await accessTo(path);
  if (!access) return undefined;
  if (access.owner === 'foreign') return requireMount(path, access, [stateDirectory]);
  if (!access.othersCanWrite) return undefined;
  return { path, problem: `other users of this machine can change ${path}`, hint: `chmod 700 ${path}` };
}

async function checkFile(path: string, stateDirectory: string): Promise<Exposure | undefined> {
  const access = await accessTo(path);
  if (!access) return undefined;
  if (access.owner === 'foreign') {
    if (access.uid === sudoUser()) return undefined;
    const isInState = path.startsWith(stateDirectory + sep);
    return requireMount(path, access, [path, dirname(path), ...(isInState ? [stateDirectory] : [])]);
  }
  const { othersCanRead, othersCanWrite } = access;
  if (!othersCanRead && !othersCanWrite) return undefined;
  const verbs = [...(othersCanRead ? ['read'] : []), ...(othersCanWrite ? ['change'] : [])].join(' and ');
  return { path, problem: `other users of this machine can ${verbs} ${path}`, hint: `chmod 600 ${path}` };
}

/** Whoever became root by sudo, and may well name files of their own. */
function sudoUser(): number | undefined {
  return process.getuid?.() === 0 ? Number(process.env['SUDO_UID'] || Number.NaN) : undefined;
}

/** One of these places has to be mounted. */
async function requireMount(path: string, { uid }: Access, places: readonly string[]): Promise<Exposure> {
  const areMounted = await Promise.all(places.map(isMountPoint));
  if (!areMounted.includes(true)) {
    throw new TunnelError('file-foreign', { detail: `${path} belongs to user id ${uid}` });
  }
  return {
    path,
    problem: `${path} belongs to another user (user id ${uid}), who can read and change it`,
    hint: `run as that user (--user ${uid} in a container), or give it to this one with chown`,
  };
}
