import { NoiseError } from '../noise/error.ts';

/**
 * - `malformed`: a message or payload that violates the protocol
 * - `unauthentic`: a ciphertext did not open
 * - `zero-agreement`: the peer's public key was of low order
 * - `out-of-order`: a call that the handshake's state does not allow; a bug in the caller
 * - `too-large`: a message over MAX_HANDSHAKE_BYTES
 */
export type HandshakeErrorReason = 'malformed' | 'unauthentic' | 'zero-agreement' | 'out-of-order' | 'too-large';

/** Any failure of a handshake. */
export class HandshakeError extends Error {
  override readonly name: string = 'HandshakeError';
  readonly reason: HandshakeErrorReason;

  constructor(reason: HandshakeErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Runs a step of the Noise engine, turning its failures into HandshakeError. */
export function asHandshakeStep<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (!(cause instanceof NoiseError)) throw cause;
    // A handshake seals a handful of times under each key, so only a misplaced call can exhaust a nonce.
    const reason = cause.reason === 'exhausted' ? 'out-of-order' : cause.reason;
    throw new HandshakeError(reason, cause.message, { cause });
  }
}
