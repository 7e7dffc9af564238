/**
 * - `malformed`: a key, psk or message of impossible length
 * - `unauthentic`: a ciphertext did not open
 * - `zero-agreement`: X25519 gave all zeros, so the peer's public key was of low order
 * - `out-of-order`: a call that the handshake's state does not allow
 * - `exhausted`: no nonce is left under this key
 */
export type NoiseErrorReason = 'malformed' | 'unauthentic' | 'zero-agreement' | 'out-of-order' | 'exhausted';

/** Any failure inside the Noise engine. */
export class NoiseError extends Error {
  override readonly name: string = 'NoiseError';
  readonly reason: NoiseErrorReason;

  constructor(reason: NoiseErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
