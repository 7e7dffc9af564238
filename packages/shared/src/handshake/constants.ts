// Specification constants: both sides must agree on them.

/** The prologue, and thereby the protocol's major version: no message opens under another one. */
export const PROLOGUE: Uint8Array = new TextEncoder().encode('tunnel/1');

/** Separates the key for refusals from every other key derived from the same `ck`. */
export const REFUSAL_LABEL: Uint8Array = new TextEncoder().encode('tunnel refusal');

/** The longest handshake message; a longer one is refused before it is parsed. */
export const MAX_HANDSHAKE_BYTES = 4096;

/** Zero bytes at the start of a hello. */
export const ZERO_BLOCK_BYTES = 32;
export const INSTANCE_BYTES = 16;
export const SESSION_ID_BYTES = 16;
export const RESUME_TOKEN_BYTES = 32;

/** The most protocol versions in one offer. */
export const MAX_VERSIONS = 16;
/** The longest text of a refusal, in bytes of UTF-8. */
export const MAX_DETAIL_BYTES = 512;
