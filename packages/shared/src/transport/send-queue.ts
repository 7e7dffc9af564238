import { fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { monotonicNow } from './clock.ts';
import { descriptorOf } from './socket-ending.ts';

/**
 * The first window of a connection takes this much, and of one within the machine this much: it went out as it was written.
 * Most resets come after less, and need not ask.
 */
const FIRST_WINDOW_BYTES = 12 * 1024;
const FIRST_LOOPBACK_WINDOW_BYTES = 56 * 1024;

/** The kernel is asked so often, in ms: less and less where nothing changes, … */
const LEAST_PAUSE_MS = 5;
const GREATEST_PAUSE_MS = 500;
/** … and never for more than a third of the time, since its tables grow with all connections of the machine. */
const PAUSE_FACTOR = 2;

const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];

/** A row with something in its send queue: `sl: local remote state tx:rx timer:when retransmits uid timeout inode …`. */
const BUSY_ROW = /^ *\d+: \S+ \S+ \S+ (?!00000000)[\dA-F]{8}:\S+ \S+ \S+ +\d+ +\d+ (\d+) /gm;

/** Who waits, by the inode of the socket. */
const waiting = new Map<number, () => void>();
let pauseMs = LEAST_PAUSE_MS;
/** No look at the tables before this. */
let restsUntil = 0;
let isLooking = false;
let timer: NodeJS.Timeout | undefined;

/**
 * Calls `done` once the other end's kernel has all that this one took of `socket`: a reset throws away what is still in the
 * send queue, which on a long way or with a slow reader is up to some megabytes. Only Linux tells of it, through /proc; elsewhere
 * `done` is called at once. How long to wait is the caller's to bound.
 */
export function onceSent(
  socket: Duplex & Pick<Socket, 'bytesWritten' | 'remoteAddress'>,
  done: () => void,
  platform: NodeJS.Platform = process.platform,
): void {
  const fd = descriptorOf(socket);
  if (fd === undefined || platform !== 'linux' || socket.bytesWritten <= firstWindowBytes(socket)) {
    done();
    return;
  }
  waiting.set(fstatSync(fd).ino, done);
  pauseMs = LEAST_PAUSE_MS;
  if (!isLooking) lookAfter(0);
}

function firstWindowBytes({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): number {
  return /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress) ? FIRST_LOOPBACK_WINDOW_BYTES : FIRST_WINDOW_BYTES;
}

function lookAfter(delayMs: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void look(), Math.max(delayMs, restsUntil - monotonicNow())).unref();
}

async function look(): Promise<void> {
  const asked = [...waiting.keys()];
  const begunAt = monotonicNow();
  isLooking = true;
  const busy = await inodesWithUnsent();
  isLooking = false;
  const now = monotonicNow();
  restsUntil = now + PAUSE_FACTOR * (now - begunAt);
  for (const inode of asked) {
    if (busy.has(inode)) continue;
    const done = waiting.get(inode);
    waiting.delete(inode);
    done?.();
  }
  if (waiting.size === 0) return;
  lookAfter(pauseMs);
  pauseMs = Math.min(2 * pauseMs, GREATEST_PAUSE_MS);
}

/** None where the tables cannot be read, as in some sandboxes. */
async function inodesWithUnsent(): Promise<ReadonlySet<number>> {
  const inodes = new Set<number>();
  for (const table of TABLES) {
    const rows = await readFile(table, 'latin1').catch(() => '');
    for (const [, inode] of rows.matchAll(BUSY_ROW)) inodes.add(Number(inode));
  }
  return inodes;
}
