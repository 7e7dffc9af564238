import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdtemp, readdir, readlink, realpath, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isRunning, makePrivateDirectory } from '@tunnel/shared/node';

/** What fits into `sun_path` everywhere (macOS has 104 bytes with the final zero), in bytes. Node cuts longer ones off. */
const MAX_SOCKET_PATH_BYTES = 103;

const SOCKET_NAME = /^(\d+)-[\da-f]{8}\.sock$/;

/** The name of a directory elsewhere that holds one socket; `mkdtemp` puts six characters behind it. */
const ELSEWHERE_PREFIX = 'tunnel-';
const ELSEWHERE_NAME = 's';

/** A socket that refuses connections may be one that is just being opened, for this long, in ms. */
const OPENING_MS = 5_000;

/** Where the control socket of one process is. */
export interface SocketPlace {
  readonly pid: number;
  /** In the control directory: the socket, or a symbolic link to where a shorter path is. */
  readonly name: string;
  readonly socket: string;
}

/**
 * A new place for a socket of this process. Names are never used again, so nobody has to remove another one's socket to
 * have its place: also where several containers, all with the same process ids, share a state directory.
 */
export async function newPlace(directory: string): Promise<SocketPlace> {
  await makePrivateDirectory(directory);
  await chmod(directory, 0o700);
  const { pid } = process;
  const name = join(await realpath(directory), `${pid}-${randomBytes(4).toString('hex')}.sock`);
  if (fits(name)) return { pid, name, socket: name };
  const base = [tmpdir(), '/tmp'].find((path) => fits(join(path, `${ELSEWHERE_PREFIX}XXXXXX`, ELSEWHERE_NAME)));
  if (base === undefined) throw new Error(`${name} is too long for a socket`);
  // Made with mode 0700 and an unguessable name, so nobody else can have put anything there.
  const elsewhere = await mkdtemp(join(base, ELSEWHERE_PREFIX));
  return { pid, name, socket: join(elsewhere, ELSEWHERE_NAME) };
}

/** Makes a place whose socket is open findable. */
export async function publishPlace({ name, socket }: SocketPlace): Promise<void> {
  if (name !== socket) await symlink(socket, name);
}

/** The places of all processes, also of dead ones, by process id. */
export async function listPlaces(directory: string): Promise<readonly SocketPlace[]> {
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
    const socket = await readlink(name).catch(() => name);
    if (fits(socket)) places.push({ pid, name, socket });
  }
  return places.toSorted((a, b) => a.pid - b.pid || a.name.localeCompare(b.name));
}

/** Removes a place. Never fails: whatever stays behind is stale as soon as its process has ended. */
export async function removePlace({ name, socket }: SocketPlace): Promise<void> {
  try {
    await rm(name, { force: true });
    if (socket === name) return;
    await rm(socket, { force: true });
    const elsewhere = dirname(socket);
    if (basename(elsewhere).startsWith(ELSEWHERE_PREFIX)) await rmdir(elsewhere);
  } catch {
    // The next one who looks tries again.
  }
}

/** Removes a place at whose socket nobody listens, unless its process is only just opening it. */
export async function removeStalePlace(place: SocketPlace): Promise<void> {
  if ((await isRunning({ pid: place.pid })) && !(await isOld(place.name))) return;
  await removePlace(place);
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
