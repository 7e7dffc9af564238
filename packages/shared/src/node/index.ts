export { CacheFile } from './cache-file.ts';
export { monotonicNow } from './clock.ts';
export {
  constantTimeEqual,
  derivePsk,
  fingerprint,
  nodeCrypto,
  randomBytes,
  tweetnaclCrypto,
  ZERO_PSK,
} from './crypto.ts';
export { freeMemory } from './memory.ts';
export { RecordLink } from './record-link.ts';
export { SessionDriver } from './session-driver.ts';
export type { DriverEvent, SessionDriverHandlers } from './session-driver.ts';
export type { StreamPipe, Traffic } from './stream-pipe.ts';
export { canonicalAddress, hostToDial, NetworkList, parseNetwork } from './networks.ts';
export type { Network } from './networks.ts';
export { KEEPALIVE_DELAY_MS, localAddressOf, prepareSocket, remoteAddressOf } from './tcp.ts';
export {
  createOnce,
  makePrivateDirectory,
  PRIVATE_MODE,
  readTextFile,
  removeFile,
  writeFileAtomic,
  writeNew,
} from './files.ts';
export {
  decodeGivenKey,
  decodeKey,
  encodeKey,
  formatIdentity,
  generateIdentity,
  loadOrCreateIdentity,
  parseIdentity,
} from './keys.ts';
export type { Identity } from './keys.ts';
export { takeProcessLock } from './process-lock.ts';
export type { ProcessLock } from './process-lock.ts';
export { isRunning, ownProcess } from './process-stamp.ts';
export type { ProcessStamp } from './process-stamp.ts';
export {
  generateSecret,
  loadOrCreateSecret,
  readSecretFile,
  requireSecret,
  SAFE_SECRET_CHARACTERS,
} from './secrets.ts';
export { describeSystemError, RAISE_FILE_LIMIT } from './system-errors.ts';
export { isUtf16, oddityOf, UTF16_HINT, withoutByteOrderMark } from './text.ts';
