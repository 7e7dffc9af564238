// Specification constants: both sides must agree on them.

/** The prologue, and with it the protocol's major version: another one opens nothing. */
export const PROLOGUE: Uint8Array = new TextEncoder().encode('tunnel/1');

/** The label that keeps the key of refusals apart from every other key drawn from the same `ck`. */
export const REFUSAL_LABEL: Uint8Array = new TextEncoder().encode('tunnel refusal');

/** No message before the end of the handshake is longer; a longer one is refused before it is parsed. */
export const MAX_HANDSHAKE_BYTES = 4096;

/** Zero bytes at the start of a hello. */
export const ZERO_BLOCK_BYTES = 32;
export const INSTANCE_BYTES = 16;
export const SESSION_ID_BYTES = 16;
export const RESUME_TOKEN_BYTES = 32;

/** Protocol versions in one offer, at most. */
export const MAX_VERSIONS = 16;
/** The text of a refusal, at most, in UTF-8. */
export const MAX_DETAIL_BYTES = 512;
