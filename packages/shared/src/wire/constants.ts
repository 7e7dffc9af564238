/**
 * Specification constants: both sides must agree on them. Changing one changes the protocol, and `docs/protocol.md` with it.
 */

/** The protocol version that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** HTTP header that carries handshake messages 1 and 2 inside the WebSocket upgrade, in base64url. */
export const HANDSHAKE_HEADER = 'tunnel-handshake';

/** One record as it travels, its 16-byte tag included. Also the largest WebSocket message that is accepted. */
export const MAX_RECORD_BYTES = 256 * 1024;

/** What the AEAD adds to a record's plaintext. */
export const RECORD_TAG_BYTES = 16;

/** The largest plaintext of a record. */
export const MAX_PLAINTEXT_BYTES: number = MAX_RECORD_BYTES - RECORD_TAG_BYTES;

/** Type (1) and length of the payload (3). */
export const FRAME_HEADER_BYTES = 4;

/** Header and stream id of a DATA frame. */
export const DATA_HEADER_BYTES = FRAME_HEADER_BYTES + 4;

/** The control port of a server that was not given another one. */
export const DEFAULT_CONTROL_PORT = 7835;

/** The least heartbeat timeout that may be announced, in ms. Below it, ordinary scheduling noise would look like death. */
export const MIN_HEARTBEAT_TIMEOUT_MS = 500;

/** Session ids, in bytes. */
export const SESSION_ID_BYTES = 16;

/** Resume tokens, in bytes. */
export const RESUME_TOKEN_BYTES = 32;

/** Streams that a session may have open at a time. At the bound new visitors are reset. */
export const STREAM_LIMIT = 16_384;

/** Tunnels that a session may have at a time. */
export const TUNNEL_LIMIT = 1024;

/** Rules for the visitors of one tunnel: the terms of its request. */
export const TERM_LIMIT = 256;

/** Addresses in one grant, and the bytes of each. */
export const PUBLIC_ADDRESS_LIMIT = 8;
export const PUBLIC_ADDRESS_BYTES = 255;

/** Attributes of one OPEN. */
export const ATTRIBUTE_LIMIT = 64;

/**
 * Feature bits, for offer and answer. What only one side knows never travels.
 *
 * `visitorCounts`: the server sends VISITORS-REFUSED.
 */
export const FEATURE = { visitorCounts: 1 } as const;

/** The feature bits of this code. */
export const KNOWN_FEATURES: number = FEATURE.visitorCounts;
