import { readSync } from 'node:fs';
import type { Duplex } from 'node:stream';

/** Since 1.52 libuv tells a reset behind data by itself, and another read would cost for nothing. */
const isToldByLibuv = isAtLeast(process.versions.uv, 1, 52);

/** One for the process: nearly always nothing is read, and to allocate as much for each connection costs more than the read. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** What libuv holds of a TCP socket; only there on systems with file descriptors. */
interface WithDescriptor {
  readonly _handle?: { readonly fd?: number } | null;
  /** Of TLS sockets, whose descriptor carries other bytes than they do. */
  readonly encrypted?: boolean;
}

/** Of a plain TCP socket that is not closed. Undefined on Windows, and for everything else. */
export function descriptorOf(socket: Duplex): number | undefined {
  const { _handle: handle, encrypted } = socket as WithDescriptor;
  const fd = handle?.fd ?? -1;
  return fd < 0 || encrypted === true ? undefined : fd;
}

/**
 * What a connection that was reset before it was accepted had to say: the kernel still gives that, and the reset after it.
 * Undefined if it said nothing, and where there is no descriptor.
 */
export function readBeforeReset(socket: Duplex): Uint8Array | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  try {
    const bytes = readSync(fd, scratch);
    return bytes > 0 ? Buffer.from(scratch.subarray(0, bytes)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the reset that made the first write fail came after an end, by which the other end had said all it had to say. Linux
 * has another error for that; the failed write took it, so that `readEnding` cannot tell any more.
 */
export function cameResetAfterEnd(
  socket: Duplex,
  writeError: NodeJS.ErrnoException,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return platform === 'linux' && descriptorOf(socket) !== undefined && writeError.code === 'EPIPE';
}

/**
 * What the end of a socket really is; call it in the `end` event. libuv below 1.52 (Node 20) reports a reset that arrives
 * together with data as an end. The kernel still knows: another read gives 0 for a FIN, and the error for a reset (measured on
 * Linux, 320 of 320, also where this side had ended first). What it gives besides is passed to `onData`. `getpeername` would be
 * no test: it fails after a clean FIN, too. Without a descriptor, and where libuv is newer, libuv is believed.
 */
export function readEnding(socket: Duplex, onData: (data: Buffer) => void): 'end' | 'reset' {
  const fd = isToldByLibuv ? undefined : descriptorOf(socket);
  if (fd === undefined) return 'end';
  for (;;) {
    let bytes: number;
    try {
      bytes = readSync(fd, scratch);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'EAGAIN' || code === 'EBADF' ? 'end' : 'reset';
    }
    if (bytes === 0) return 'end';
    onData(Buffer.from(scratch.subarray(0, bytes)));
  }
}

function isAtLeast(version: string, leastMajor: number, leastMinor: number): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
