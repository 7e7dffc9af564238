import type { NoiseCrypto } from '../noise/crypto.ts';
import { DH_BYTES, TAG_BYTES } from '../noise/crypto.ts';
import { NoiseError } from '../noise/error.ts';
import { HandshakeState, type Psk } from '../noise/handshake-state.ts';
import { XXpsk3 } from '../noise/patterns.ts';
import { MAX_HANDSHAKE_BYTES, PROLOGUE } from './constants.ts';
import { asHandshakeStep, HandshakeError } from './error.ts';
import {
  type Answer,
  type Hello,
  decodeHello,
  decodeOffer,
  encodeAnswer,
  type Offer,
  type Refusal,
  requireOffered,
} from './hello.ts';
import { refusalAd, refusalSealOf, sealRefusal } from './refusal-seal.ts';
import { type Transport, transportOf } from './transport.ts';

export interface ResponderOptions {
  readonly crypto: NoiseCrypto;
  /** The server's identity: a private key. */
  readonly s: Uint8Array;
  /** A fresh private key for this handshake alone. */
  readonly e: Uint8Array;
}

export type Message3Outcome =
  | {
      readonly kind: 'opened';
      readonly hello: Hello;
      /** The feature bits that both sides know. */
      readonly features: number;
      /** The client's identity, proven. */
      readonly clientKey: Uint8Array;
      /** Which of the psks it used. */
      readonly pskIndex: number;
      readonly transport: Transport;
    }
  | {
      readonly kind: 'secret-refused';
      /** Claimed, not proven: for the log only, never for a decision. */
      readonly clientKey: Uint8Array;
      /** Seals the refusal to send before closing. Once only. */
      readonly sealRefusal: (refusal: Refusal) => Uint8Array;
    }
  /** Not even `s` opened: close silently, since there is no known peer to talk to. */
  | { readonly kind: 'unreadable' };

/**
 *     reads-1 -> writes-2 -> reads-3 -> over
 *
 * and from each to `over`, if it fails or there is no common version.
 */
type Step =
  | { readonly at: 'reads-1'; readonly noise: HandshakeState }
  | { readonly at: 'writes-2'; readonly noise: HandshakeState; readonly offer: Offer }
  | { readonly at: 'reads-3'; readonly noise: HandshakeState; readonly features: number }
  | { readonly at: 'over' };

/** `s` and the payload have a tag each. */
const MIN_MESSAGE3_BYTES = DH_BYTES + TAG_BYTES + TAG_BYTES;

/**
 * The server's side of `Noise_XXpsk3_25519_ChaChaPoly_SHA256` with prologue `tunnel/1`. Bytes in, bytes out; any
 * failure is a HandshakeError and ends the handshake.
 */
export class Responder {
  readonly #crypto: NoiseCrypto;
  #step: Step;

  constructor(options: ResponderOptions) {
    const { crypto, s, e } = options;
    this.#crypto = crypto;
    const noise = asHandshakeStep(
      () => new HandshakeState({ crypto, pattern: XXpsk3, role: 'responder', prologue: PROLOGUE, s, e }),
    );
    this.#step = { at: 'reads-1', noise };
  }

  // -> e
  readMessage1(bytes: Uint8Array): Offer {
    const { noise } = this.#leave('reads-1');
    requireSize(bytes, 1);
    const offer = decodeOffer(asHandshakeStep(() => noise.readMessage(bytes)));
    this.#step = { at: 'writes-2', noise, offer };
    return offer;
  }

  // <- e, ee, s, es
  /** An answer with version 0 ends the handshake once it is sent. */
  message2(answer: Answer): Uint8Array {
    const { noise, offer } = this.#leave('writes-2');
    requireOffered(answer, offer);
    const message = asHandshakeStep(() => noise.writeMessage(encodeAnswer(answer)));
    if (answer.version !== 0) this.#step = { at: 'reads-3', noise, features: answer.features };
    return message;
  }

  // -> s, se, psk
  /**
   * Tries the psks in order; there must be at least one. To admit only some clients, make the psk depend on the
   * client's key and give the others one that nobody knows: they then fail in the same way, and in the same time, as
   * with a wrong secret.
   */
  readMessage3(bytes: Uint8Array, psks: readonly Psk[]): Message3Outcome {
    const { noise, features } = this.#leave('reads-3');
    requireSize(bytes, 3);
    if (bytes.length < MIN_MESSAGE3_BYTES) throw new HandshakeError('malformed', 'message 3 is too short');
    // Noise without a psk would be another protocol; to admit by key only, pass the zero psk explicitly.
    if (psks.length === 0) throw new HandshakeError('out-of-order', 'there is no psk to try');
    let clientKey: Uint8Array | undefined;
    for (const [pskIndex, psk] of psks.entries()) {
      const attempt = noise.clone();
      const hello = asHandshakeStep(() => tryMessage3(attempt, bytes, psk));
      clientKey = attempt.rs;
      if (clientKey === undefined) return { kind: 'unreadable' };
      if (hello !== undefined) {
        return { kind: 'opened', hello, features, clientKey, pskIndex, transport: transportOf(attempt) };
      }
    }
    if (clientKey === undefined) return { kind: 'unreadable' };
    return { kind: 'secret-refused', clientKey, sealRefusal: this.#refusalSealer(noise, bytes) };
  }

  /** `noise` is in the state after message 2: the attempts used clones of it. */
  #refusalSealer(noise: HandshakeState, message3: Uint8Array): (refusal: Refusal) => Uint8Array {
    const seal = refusalSealOf(this.#crypto, noise);
    const ad = refusalAd(this.#crypto, seal, message3);
    let key: Uint8Array | undefined = seal.key;
    return (refusal) => {
      if (key === undefined) throw new HandshakeError('out-of-order', 'a refusal was sealed already');
      const bytes = sealRefusal(this.#crypto, key, ad, refusal);
      key = undefined; // One nonce, one refusal.
      return bytes;
    };
  }

  /** Leaves the state at `over` until the caller moves on, so that an exception in between ends the handshake. */
  #leave<At extends Step['at']>(at: At): Extract<Step, { readonly at: At }> {
    const step = this.#step;
    if (step.at !== at) throw new HandshakeError('out-of-order', `the handshake is at ${step.at}, not ${at}`);
    this.#step = { at: 'over' };
    return step as Extract<Step, { readonly at: At }>;
  }
}

function requireSize(bytes: Uint8Array, number: 1 | 3): void {
  if (bytes.length > MAX_HANDSHAKE_BYTES) throw new HandshakeError('too-large', `message ${number} is too large`);
}

/**
 * The hello, or undefined if this psk does not open the payload as one.
 *
 * A payload that opens but is not a hello must look like a wrong secret, not like a separate error: a server that
 * distinguished the two would let one ciphertext test many guessed psks at once. An honest client's hello is never
 * malformed, since its version was agreed.
 */
function tryMessage3(noise: HandshakeState, bytes: Uint8Array, psk: Psk): Hello | undefined {
  noise.setPsk(psk);
  try {
    return decodeHello(noise.readMessage(bytes));
  } catch (error) {
    if (error instanceof NoiseError && error.reason === 'unauthentic') return undefined;
    if (error instanceof HandshakeError && error.reason === 'malformed') return undefined;
    throw error;
  }
}
