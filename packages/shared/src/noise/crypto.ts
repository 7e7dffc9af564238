/** Bytes of an X25519 key, private or public (DHLEN of the specification). */
export const DH_BYTES = 32;
/** Bytes of a SHA-256 digest (HASHLEN). */
export const HASH_BYTES = 32;
/** Bytes of a ChaCha20-Poly1305 key and of a pre-shared key. */
export const KEY_BYTES = 32;
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16;

/**
 * The primitives of `25519_ChaChaPoly_SHA256` (Noise revision 34, section 12), passed in so that the protocol imports
 * no library.
 */
export interface NoiseCrypto {
  /** X25519; throws NoiseError on an all-zero result (RFC 7748 §6.1) or wrong length. */
  dh(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
  /** The public key of a private one; throws NoiseError on wrong length. */
  publicKey(privateKey: Uint8Array): Uint8Array;
  /** SHA-256 of the concatenated parts. */
  sha256(...parts: Uint8Array[]): Uint8Array;
  /** HMAC-SHA-256 of the concatenated parts. */
  hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array;
  /**
   * ChaCha20-Poly1305 (RFC 8439); the nonce is 4 zero bytes, then `counter` as 64 bits little-endian. The result is
   * the ciphertext followed by the tag.
   */
  seal(key: Uint8Array, counter: number, ad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** The plaintext, or undefined if the ciphertext does not authenticate. */
  open(key: Uint8Array, counter: number, ad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined;
}
