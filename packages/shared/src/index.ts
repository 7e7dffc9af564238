export { ERRORS, isErrorCode, kindOf, TunnelError } from './errors/errors.ts';
export type { Disposition, ErrorCode, ErrorKind, Fault, TunnelErrorOptions } from './errors/errors.ts';
export type { Hint, HintId, SpecialHint } from './errors/hint.ts';

export { RepeatDigest } from './errors/repeat-digest.ts';

export * from './wire/constants.ts';
export { ENDPOINT_KIND } from './wire/frame.ts';
export type * from './wire/frame.ts';
export { AUTH_SALT_BYTES } from './wire/term.ts';
export type { Term } from './wire/term.ts';
export { decodeAddresses, encodeAddresses } from './wire/attributes.ts';
export type { AddressAndPort, Attribute, VisitorAddresses } from './wire/attributes.ts';
export { formatPublicAddress, parsePublicAddress } from './wire/public-address.ts';
export type { PublicAddress } from './wire/public-address.ts';
export { encodeFrame } from './wire/encode.ts';
export { decodeFrames } from './wire/decode.ts';
export { isPublicHost } from './wire/public-host.ts';

export { INSTANCE_BYTES, MAX_HANDSHAKE_BYTES } from './handshake/constants.ts';
export { HandshakeError } from './handshake/error.ts';
export type { Answer, Hello, Offer, Refusal, Resume } from './handshake/hello.ts';
export { Initiator } from './handshake/initiator.ts';
export { Responder } from './handshake/responder.ts';
export type { Message3Outcome } from './handshake/responder.ts';
export type { Transport } from './handshake/transport.ts';

export type { NoiseCrypto } from './noise/crypto.ts';
export type { Psk } from './noise/handshake-state.ts';

export { MEMORY_BUDGET_BYTES } from './session/memory/constants.ts';
export type { SessionEvent } from './session/events.ts';
export { DEFAULT_HEARTBEAT, PROBE_MS } from './link/heartbeat.ts';
export type { HeartbeatSettings } from './link/heartbeat.ts';
export type { FirstCredit } from './session/memory/first-credit.ts';
export { MemoryBudget } from './session/memory/memory-budget.ts';
export { RecordBuilder } from './link/record-builder.ts';
export { Session } from './session/session.ts';
export type { PeerHello, ResumePoint } from './session/session.ts';

export { Backoff, DEFAULT_MAX_RECONNECT_DELAY_MS, GREATEST_DELAY_MS, MIN_DELAY_CAP_MS } from './reconnect/backoff.ts';
export { RetryPolicy } from './reconnect/retry-policy.ts';
export type { RetryDecision } from './reconnect/retry-policy.ts';

export { Claims, NAME_LIFE_MS } from './claims/claims.ts';
export type { Claimant, Verdict } from './claims/claims.ts';
export { MemoryRegistry } from './claims/memory-registry.ts';
export { formatRecord } from './claims/name-record.ts';
export type { NameRecord, PublicName } from './claims/name-record.ts';
