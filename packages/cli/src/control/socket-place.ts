import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { lstat, mkdtemp, open, readdir, readlink, realpath, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, normalize, win32 } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { isForeignLink, isOwn, isRunning, makePrivateDirectory } from '@tunnel/shared/node';

/** What fits into `sun_path` everywhere (macOS has 104 bytes with the final zero), in bytes. Node cuts longer ones off. */
const MAX_SOCKET_PATH_BYTES = 103;

const SOCKET_NAME = /^(\d+)-[\da-f]{8}\.sock$/;

/** The name of a directory elsewhere that holds one socket; `mkdtemp` puts six characters behind it. */
const ELSEWHERE_PREFIX = 'tunnel-';
const ELSEWHERE_NAME = 's';
const ELSEWHERE = /^\/(?:.*\/)?tunnel-[A-Za-z\d]{6}\/s$/;

/** Linux: opens nothing, and only holds what a path leads to. Node has no name for it. */
const O_PATH = 0o10000000;

/** Node on Windows listens on named pipes, which are in no directory. */
const PIPES = '\\\\.\\pipe\\';

/** A socket that refuses connections may be one that is just being opened, for this long, in ms. */
const OPENING_MS = 5_000;

/** Where the control socket of one process is. */
export interface SocketPlace {
  readonly pid: number;
  /** In the control directory: the socket, a symbolic link to where a shorter path is, or, on Windows, a file that stands for a pipe. */
  readonly name: string;
  /** What to connect to. */
  readonly socket: string;
  /** Whose socket it is. */
  readonly uid: number;
}

/** A socket as it was looked at, whatever its path means by now. */
export interface SocketDoor extends Disposable {
  readonly path: string;
}

/**
 * A new place for a socket of this process. Names are never used again, so nobody has to remove another one's socket to
 * have its place: also where several containers, all with the same process ids, share a state directory.
 */
export async function newPlace(directory: string, platform: NodeJS.Platform = process.platform): Promise<SocketPlace> {
  await makePrivateDirectory(directory);
  await requireOwnWay(directory);
  const folder = await realpath(directory);
  // Windows has no modes: who gets in there is up to the access list that the folder inherits.
  if (platform !== 'win32') await makePrivate(folder);
  const { pid } = process;
  const uid = process.getuid?.() ?? 0;
  const name = join(folder, `${pid}-${randomBytes(4).toString('hex')}.sock`);
  const pipe = pipeOf(name, platform);
  if (pipe !== undefined) return { pid, name, socket: pipe, uid };
  if (fits(name)) return { pid, name, socket: name, uid };
  const base = [tmpdir(), '/tmp'].find((path) => fits(join(path, `${ELSEWHERE_PREFIX}XXXXXX`, ELSEWHERE_NAME)));
  if (base === undefined) throw new Error(`${name} is too long for a socket`);
  // Made with mode 0700 and an unguessable name, so nobody else can have put anything there.
  const elsewhere = await mkdtemp(join(base, ELSEWHERE_PREFIX));
  return { pid, name, socket: join(elsewhere, ELSEWHERE_NAME), uid };
}

/** Makes a place whose socket is open findable. */
export async function publishPlace({ name, socket }: SocketPlace): Promise<void> {
  if (isPipe(socket)) await writeFile(name, '', { flag: 'wx' });
  else if (name !== socket) await symlink(socket, name);
}

/**
 * The pipe that a name in the control directory stands for; undefined if sockets are files. Other users may learn its name,
 * but can only read from it, and it says nothing unasked: libuv leaves a pipe's access rights to Windows.
 */
export function pipeOf(name: string, platform: NodeJS.Platform): string | undefined {
  return platform === 'win32' ? `${PIPES}tunnel-${win32.basename(name, '.sock')}` : undefined;
}

export function isPipe(socket: string): boolean {
  return socket.startsWith(PIPES);
}

/**
 * The places of all processes, also of dead ones, by process id. Of what is in the directory, only what this program makes
 * there: root may be the one who looks, and the directory that of a user who wants it to be led astray.
 */
export async function listPlaces(
  directory: string,
  platform: NodeJS.Platform = process.platform,
): Promise<readonly SocketPlace[]> {
  await requireOwnWay(directory);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return [];
  const folder = await realpath(directory);
  const places: SocketPlace[] = [];
  for (const file of names) {
    const pid = Number(SOCKET_NAME.exec(file)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid)) continue;
    const name = join(folder, file);
    const place = await inspectPlace(pid, name, platform);
    if (place && fits(place.socket)) places.push(place);
  }
  return places.toSorted((a, b) => a.pid - b.pid || a.name.localeCompare(b.name));
}

/** Removes a place. Never fails: whatever stays behind is stale as soon as its process has ended. */
export async function removePlace({ name, socket }: SocketPlace): Promise<void> {
  try {
    await rm(name, { force: true });
    // A pipe goes with its last handle.
    if (socket === name || isPipe(socket)) return;
    await rm(socket, { force: true });
    const elsewhere = dirname(socket);
    if (basename(elsewhere).startsWith(ELSEWHERE_PREFIX)) await rmdir(elsewhere);
  } catch {
    // The next one who looks tries again.
  }
}

/** Removes a place at whose socket nobody listens, unless its process is only just opening it. Only one's own: never as root for others. */
export async function removeStalePlace(place: SocketPlace): Promise<void> {
  if (!isOwn(place.uid)) return;
  if ((await isRunning({ pid: place.pid })) && !(await isOld(place.name))) return;
  await removePlace(place);
}

/**
 * A path to connect to. For a socket of another user it leads to the very one that is there now, if that is still that user's:
 * between a look and the connection its owner could put a link to somebody else's socket there. Throws where it is not.
 */
export function openDoor({ socket, uid }: SocketPlace): SocketDoor {
  if (isOwn(uid) || process.platform !== 'linux') return { path: socket, [Symbol.dispose]: () => {} };
  const descriptor = openSync(socket, O_PATH | constants.O_NOFOLLOW);
  const stats = fstatSync(descriptor);
  if (!stats.isSocket() || stats.uid !== uid) {
    closeSync(descriptor);
    throw new Error(`${socket} is not a socket of user ${uid}`);
  }
  return { path: `/proc/self/fd/${descriptor}`, [Symbol.dispose]: () => closeSync(descriptor) };
}

/** What is under this name, if this program can have made it: a socket, or a link to one of the same user in a private directory. */
async function inspectPlace(pid: number, name: string, platform: NodeJS.Platform): Promise<SocketPlace | undefined> {
  const found = await lstat(name).catch(() => undefined);
  const pipe = pipeOf(name, platform);
  if (pipe !== undefined) return found?.isFile() === true ? { pid, name, socket: pipe, uid: found.uid } : undefined;
  if (found?.isSocket() === true) return { pid, name, socket: name, uid: found.uid };
  if (found?.isSymbolicLink() !== true) return undefined;
  const socket = await readlink(name).catch(() => '');
  if (!ELSEWHERE.test(socket) || normalize(socket) !== socket) return undefined;
  const { uid } = found;
  const elsewhere = await lstat(dirname(socket)).catch(() => undefined);
  // Gone, after a reboot, as a rule: then the link is stale.
  if (!elsewhere) return { pid, name, socket, uid };
  const isPrivate = elsewhere.isDirectory() && elsewhere.uid === uid && (elsewhere.mode & 0o077) === 0;
  const target = await lstat(socket).catch(() => undefined);
  if (!isPrivate || (target && !(target.isSocket() && target.uid === uid))) return undefined;
  return { pid, name, socket, uid };
}

/** The control directory, and the one that it is in, must not be links that another user made. */
async function requireOwnWay(directory: string): Promise<void> {
  for (const path of [dirname(directory), directory]) {
    if (!(await isForeignLink(path))) continue;
    throw new TunnelError('file-foreign', { detail: `${path} is a symbolic link that another user made` });
  }
}

/** For a directory of this user, which is no link. Not by its path: that could be another one by then. */
async function makePrivate(folder: string): Promise<void> {
  await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const { uid } = await handle.stat();
  if (!isOwn(uid)) throw new TunnelError('file-foreign', { detail: `${folder} (user id ${uid})` });
  await handle.chmod(0o700);
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > OPENING_MS;
  } catch {
    return false;
  }
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}
