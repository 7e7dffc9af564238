export { CacheFile } from './state/cache-file.ts';
export { monotonicNow } from './transport/clock.ts';
export {
  constantTimeEqual,
  derivePsk,
  fingerprint,
  nodeCrypto,
  randomBytes,
  tweetnaclCrypto,
  ZERO_PSK,
} from './crypto/crypto.ts';
export { freeMemory } from './transport/memory.ts';
export { RecordLink } from './transport/record-link.ts';
export { SessionDriver } from './transport/session-driver.ts';
export type { DriverEvent, SessionDriverHandlers } from './transport/session-driver.ts';
export { readBeforeReset } from './transport/socket-ending.ts';
export type { PipeSocket, StreamObserver, StreamPipe, Traffic } from './transport/stream-pipe.ts';
export { VisitorSocket } from './transport/visitor-socket.ts';
export type { VisitorEnds } from './transport/visitor-socket.ts';
export { hostNameFault, isBelow, parentOf, parseHostName } from './net/host-name.ts';
export { matchesHost, parseDomain, parseHostPattern, wildcardParent } from './net/host-patterns.ts';
export { canonicalAddress, hostToDial, NetworkList, parseNetwork } from './net/networks.ts';
export type { Network } from './net/networks.ts';
export { KEEPALIVE_DELAY_MS, localAddressOf, prepareSocket, remoteAddressOf } from './net/tcp.ts';
export {
  createOnce,
  makePrivateDirectory,
  PRIVATE_MODE,
  readTextFile,
  removeFile,
  writeFileAtomic,
  writeNew,
} from './state/files.ts';
export {
  decodeGivenKey,
  decodeKey,
  encodeKey,
  formatIdentity,
  generateIdentity,
  loadOrCreateIdentity,
  parseIdentity,
} from './crypto/keys.ts';
export type { Identity } from './crypto/keys.ts';
export { accessTo, hasModes, isForeignLink, isMountPoint, isOwn, ownerOf } from './state/ownership.ts';
export type { Access, Owner } from './state/ownership.ts';
export { hasProc } from './state/proc.ts';
export { takeProcessLock } from './state/process-lock.ts';
export type { ProcessLock } from './state/process-lock.ts';
export { isRunning, ownProcess } from './state/process-stamp.ts';
export type { ProcessStamp } from './state/process-stamp.ts';
export {
  generateSecret,
  loadOrCreateSecret,
  readSecretFile,
  requireSecret,
  SAFE_SECRET_CHARACTERS,
} from './crypto/secrets.ts';
export { describeSystemError } from './net/system-errors.ts';
export { isUtf16, oddityOf, withoutByteOrderMark } from './state/text.ts';
