export { monotonicNow } from './clock.ts';
export { constantTimeEqual, derivePsk, fingerprint, nodeCrypto, randomBytes, ZERO_PSK } from './crypto.ts';
export { RecordLink } from './record-link.ts';
export { SessionDriver } from './session-driver.ts';
export type { DriverEvent, SessionDriverHandlers } from './session-driver.ts';
export type { StreamPipe } from './stream-pipe.ts';
export { KEEPALIVE_DELAY_MS, prepareSocket } from './tcp.ts';
