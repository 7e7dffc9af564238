import type { NoiseCrypto } from '../noise/crypto.ts';
import type { HandshakeState } from '../noise/handshake-state.ts';
import { hkdf } from '../noise/symmetric-state.ts';
import { REFUSAL_LABEL } from './constants.ts';
import { decodeRefusal, encodeRefusal, type Refusal } from './hello.ts';

/**
 * What protects a refusal, derived from the state of the handshake after message 2. With `ck` and `h` at that point:
 *
 *     key   = first output of Noise's HKDF (section 4.3) with chaining key `ck` and input "tunnel refusal", 14 bytes
 *     nonce = 0: there is at most one refusal in a handshake
 *     ad    = SHA-256(h || message 3), message 3 whole, as the server received it or the client sent it
 *     bytes = ChaCha20-Poly1305(key, nonce, ad, payload)
 *
 * Only the client and the holder of the server's `s` know that `ck` (it includes `ee` and `es`), so a refusal comes
 * from the server. The handshake's own next key is derived from `ck` with a 32-byte DH result as input, never these 14
 * bytes, so the keys are independent. The current `k` is not used, because its next nonce belongs to message 3. `ad`
 * ties a refusal to one message 3: if someone on the path alters that, the server refuses something that the client
 * never sent, and the client does not believe it.
 */
export interface RefusalSeal {
  readonly key: Uint8Array;
  /** `h` after message 2. */
  readonly h: Uint8Array;
}

/** Call it between messages 2 and 3. */
export function refusalSealOf(crypto: NoiseCrypto, noise: HandshakeState): RefusalSeal {
  const [key] = hkdf(crypto, noise.ck, REFUSAL_LABEL);
  return { key, h: noise.h };
}

/** The associated data that ties a refusal to one message 3. */
export function refusalAd(crypto: NoiseCrypto, seal: RefusalSeal, message3: Uint8Array): Uint8Array {
  return crypto.sha256(seal.h, message3);
}

/** Call it at most once per handshake: there is only one nonce. */
export function sealRefusal(crypto: NoiseCrypto, key: Uint8Array, ad: Uint8Array, refusal: Refusal): Uint8Array {
  return crypto.seal(key, 0, ad, encodeRefusal(refusal));
}

/** Undefined if it is not authentic; throws HandshakeError `malformed` if the server itself wrote nonsense. */
export function openRefusal(
  crypto: NoiseCrypto,
  key: Uint8Array,
  ad: Uint8Array,
  bytes: Uint8Array,
): Refusal | undefined {
  const payload = crypto.open(key, 0, ad, bytes);
  return payload === undefined ? undefined : decodeRefusal(payload);
}
