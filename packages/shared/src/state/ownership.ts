import { lstat, readFile, realpath, stat } from 'node:fs/promises';

/** Inside a user namespace, whoever it does not know of is shown as this user. */
const DEFAULT_OVERFLOW_UID = 65_534;

/** A user namespace that knows of everybody: the first one, and those that map all. */
const WHOLE_UID_MAP = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * Whose a file is. `somebody`: it belongs to a user that this user namespace does not know of, as in rootless containers and
 * systemd units with `PrivateUsers`; that may be root. Where a system has no owners, all is this user's own.
 */
export type Owner = 'own' | 'root' | 'somebody' | 'foreign';

/** Whose a file with this user id is. */
export async function ownerOf(uid: number): Promise<Owner> {
  const own = process.getuid?.();
  if (own === undefined || uid === own) return 'own';
  if (uid === 0) return 'root';
  return uid === DEFAULT_OVERFLOW_UID && !(await knowsEverybody()) ? 'somebody' : 'foreign';
}

/** Whether this user may act on a file with this user id as on one of its own: root is anybody, but not for this. */
export function isOwn(uid: number): boolean {
  const own = process.getuid?.();
  return own === undefined || uid === own;
}

/**
 * Whether a path is, at its last part, a symbolic link that another user made: what is behind it is that user's choice, and
 * nothing that this program put there. Links of root are the administrator's.
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
 * Who can get at a file or directory; undefined where there is none, or nothing to be found out: pipes and terminals are given
 * to a process by whoever starts it, and so are files without a name, as shells make them for `<<<`.
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
  // A group that root gave rights to is meant: `fsGroup` of Kubernetes, credentials of systemd, root:tunnel with 0640. And
  // many systems give each user a group of its own, with the same number, and let it write whatever that user makes.
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
 * Whether something is mounted there, as into a container. Only an administrator can do that, who then decides what is in
 * it, whoever owns it.
 */
export async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [real, mounts] = await Promise.all([realpath(path), readFile('/proc/self/mountinfo', 'utf8')]);
    // proc_pid_mountinfo(5): the mount point is field 5, with blanks and backslashes in octal.
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
