const WORDS: Readonly<Record<string, string>> = {
  // ── files ──
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'part of the path is not a directory',
  EISDIR: 'it is a directory',
  EROFS: 'read-only file system',
  ENOSPC: 'no space left on the device',
  EDQUOT: "this user's disk quota is used up",
  EFBIG: 'the file would be larger than this process may write',
  EIO: 'the device failed',
  ELOOP: 'a symbolic link leads back to itself',
  ENAMETOOLONG: 'the name is too long',
  EEXIST: 'it already exists',
  EMFILE: 'too many files and connections are open in this process',
  ENFILE: 'too many files and connections are open on this machine',

  // ── connections ──
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ECONNABORTED: 'the connection was aborted',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'the host is unreachable',
  EHOSTDOWN: 'the host is down',
  ENETUNREACH: 'the network is unreachable',
  ENETDOWN: 'the network is down',
  EADDRINUSE: 'the address is in use',
  // On connect: every local port to that destination is taken, or this machine has no address of that family.
  EADDRNOTAVAIL: 'no free local address or port',
  EAFNOSUPPORT: 'this machine does not support this kind of address',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'temporary failure in name resolution',
};

/**
 * What the system reported, for people: without the system call, the numbers, and the path, which the caller names
 * anyway.
 */
export function describeSystemError(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return WORDS[code ?? ''] ?? code ?? String(error);
}
