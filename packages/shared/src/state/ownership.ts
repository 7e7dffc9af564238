import { lstat, readFile, realpath, stat } from 'node:fs/promises';

/** Inside a user namespace, unmapped users appear as this one. */
const DEFAULT_OVERFLOW_UID = 65_534;

/** The map of a user namespace with all users: the initial one, or one that maps everyone. */
const WHOLE_UID_MAP = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * Who owns a file. `somebody`: a user that is not mapped in this user namespace, as in rootless containers and systemd
 * units with `PrivateUsers`; it may be root. On systems without owners everything is `own`.
 */
export type Owner = 'own' | 'root' | 'somebody' | 'foreign';

/** Who owns a file with this user id. */
export async function ownerOf(uid: number): Promise<Owner> {
  const own = process.getuid?.();
  if (own === undefined || uid === own) return 'own';
  if (uid === 0) return 'root';
  return uid === DEFAULT_OVERFLOW_UID && !(await knowsEverybody()) ? 'somebody' : 'foreign';
}

/** Whether a file with this user id is this user's own. Root can access any file, but that does not count here. */
export function isOwn(uid: number): boolean {
  const own = process.getuid?.();
  return own === undefined || uid === own;
}

/**
 * Whether the last component of a path is a symbolic link made by another user: its target is then that user's choice,
 * not something this program put there. Root's links are the administrator's.
 */
export async function isForeignLink(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats?.isSymbolicLink() === true && stats.uid !== 0 && !isOwn(stats.uid);
}

/** Whether a file's mode says what others may do with it. Windows has access lists, of which Node tells nothing. */
export function hasModes(platform: NodeJS.Platform): boolean {
  return platform !== 'win32';
}

export interface Access {
  readonly owner: Owner;
  readonly uid: number;
  readonly othersCanRead: boolean;
  readonly othersCanWrite: boolean;
}

const READABLE_BY_GROUP = 0o040;
const READABLE_BY_ALL = 0o004;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;

/**
 * Who can access a file or directory. Undefined if there is none or nothing can be said: pipes and terminals come from
 * whoever starts the process, and so do unnamed files, such as those that shells make for `<<<`.
 */
export async function accessTo(
  path: string,
  platform: NodeJS.Platform = process.platform,
): Promise<Access | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats || !hasModes(platform)) return undefined;
  if (!(stats.isFile() || stats.isDirectory()) || stats.nlink === 0) return undefined;
  const { uid, gid, mode } = stats;
  const owner = await ownerOf(uid);
  // Permissions that root gave to a group are intended: `fsGroup` in Kubernetes, systemd credentials, root:tunnel with
  // 0640. And many systems give each user a private group with the same number, which may write all of that user's
  // files.
  const isTrusted = owner === 'root' || owner === 'somebody' || gid === uid;
  const group = isTrusted ? 0 : READABLE_BY_GROUP | WRITABLE_BY_GROUP;
  const rights = mode & (READABLE_BY_ALL | WRITABLE_BY_ALL | group);
  return {
    owner,
    uid,
    othersCanRead: (rights & (READABLE_BY_ALL | READABLE_BY_GROUP)) !== 0,
    othersCanWrite: (rights & (WRITABLE_BY_ALL | WRITABLE_BY_GROUP)) !== 0,
  };
}

/**
 * Whether something is mounted there, as in a container. Only an administrator can do that, and then decides what is in
 * it, whoever owns it.
 */
export async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [real, mounts] = await Promise.all([realpath(path), readFile('/proc/self/mountinfo', 'utf8')]);
    // proc_pid_mountinfo(5): the mount point is field 5, with blanks and backslashes escaped in octal.
    const escaped = real.replaceAll(/[ \t\n\\]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`);
    return mounts.split('\n').some((line) => line.split(' ')[4] === escaped);
  } catch {
    return false;
  }
}

async function knowsEverybody(): Promise<boolean> {
  try {
    return WHOLE_UID_MAP.test(await readFile('/proc/self/uid_map', 'utf8'));
  } catch {
    return true;
  }
}
