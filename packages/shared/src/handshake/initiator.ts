import type { NoiseCrypto } from '../noise/crypto.ts';
import { HandshakeState } from '../noise/handshake-state.ts';
import { XXpsk3 } from '../noise/patterns.ts';
import { MAX_HANDSHAKE_BYTES, PROLOGUE } from './constants.ts';
import { asHandshakeStep, HandshakeError } from './error.ts';
import {
  type Answer,
  type Hello,
  decodeAnswer,
  encodeHello,
  encodeOffer,
  type Offer,
  type Refusal,
  requireOffered,
} from './hello.ts';
import { openRefusal, refusalAd, refusalSealOf } from './refusal-seal.ts';
import { type Transport, transportOf } from './transport.ts';

export interface InitiatorOptions {
  readonly crypto: NoiseCrypto;
  /** The client's identity: a private key. */
  readonly s: Uint8Array;
  /** A fresh private key for this handshake alone. */
  readonly e: Uint8Array;
  readonly offer: Offer;
}

/** What message 2 said. The client has not identified itself yet: decide now whether it may do so to `serverKey`. */
export interface ServerAnswer {
  readonly answer: Answer;
  /** The server's identity, proven. */
  readonly serverKey: Uint8Array;
}

/**
 *     writes-1 -> reads-2 -> writes-3 -> done
 *
 * and from each of the first three to `over`, if it fails or there is no common version.
 */
type Step =
  | { readonly at: 'writes-1' | 'reads-2' | 'writes-3'; readonly noise: HandshakeState }
  | {
      readonly at: 'done';
      readonly transport: Transport;
      readonly refusalKey: Uint8Array;
      readonly refusalAd: Uint8Array;
    }
  | { readonly at: 'over' };

type NoiseStep = Extract<Step, { readonly noise: HandshakeState }>;

/**
 * The client's side of `Noise_XXpsk3_25519_ChaChaPoly_SHA256` with prologue `tunnel/1`. Bytes in, bytes out; any
 * failure is a HandshakeError and ends the handshake.
 */
export class Initiator {
  readonly #crypto: NoiseCrypto;
  readonly #offer: Offer;
  #step: Step;

  constructor(options: InitiatorOptions) {
    const { crypto, s, e } = options;
    this.#crypto = crypto;
    this.#offer = options.offer;
    const noise = asHandshakeStep(
      () => new HandshakeState({ crypto, pattern: XXpsk3, role: 'initiator', prologue: PROLOGUE, s, e }),
    );
    this.#step = { at: 'writes-1', noise };
  }

  // -> e
  message1(): Uint8Array {
    const noise = this.#leave('writes-1');
    const message = asHandshakeStep(() => noise.writeMessage(encodeOffer(this.#offer)));
    this.#step = { at: 'reads-2', noise };
    return message;
  }

  // <- e, ee, s, es
  /** An answer with version 0 ends the handshake: there is no common version, and message 3 cannot be written. */
  readMessage2(bytes: Uint8Array): ServerAnswer {
    const noise = this.#leave('reads-2');
    if (bytes.length > MAX_HANDSHAKE_BYTES) throw new HandshakeError('too-large', 'message 2 is too large');
    const answer = decodeAnswer(asHandshakeStep(() => noise.readMessage(bytes)));
    requireOffered(answer, this.#offer);
    const serverKey = noise.rs;
    if (serverKey === undefined) throw new HandshakeError('out-of-order', 'message 2 brought no key');
    if (answer.version !== 0) this.#step = { at: 'writes-3', noise };
    return { answer, serverKey };
  }

  // -> s, se, psk
  /** Records may follow at once. The server's first record, or a refusal, says whether it accepts. */
  message3(hello: Hello, psk: Uint8Array): Uint8Array {
    const noise = this.#leave('writes-3');
    const seal = refusalSealOf(this.#crypto, noise);
    const message = asHandshakeStep(() => {
      noise.setPsk(psk);
      return noise.writeMessage(encodeHello(hello));
    });
    this.#step = {
      at: 'done',
      transport: transportOf(noise),
      refusalKey: seal.key,
      refusalAd: refusalAd(this.#crypto, seal, message),
    };
    return message;
  }

  /** Available once message 3 is written. */
  get transport(): Transport {
    return this.#done().transport;
  }

  /**
   * The refusal, if the server sent it in answer to the very message 3 that this side wrote. Undefined for anything
   * else, which is no reason to give up: it was forged, or answers a message altered on the way.
   */
  openRefusal(bytes: Uint8Array): Refusal | undefined {
    const step = this.#done();
    if (bytes.length > MAX_HANDSHAKE_BYTES) return undefined;
    return openRefusal(this.#crypto, step.refusalKey, step.refusalAd, bytes);
  }

  #done(): Extract<Step, { readonly at: 'done' }> {
    if (this.#step.at !== 'done')
      throw new HandshakeError('out-of-order', `message 3 is not written: ${this.#step.at}`);
    return this.#step;
  }

  /** Leaves the state at `over` until the caller moves on, so that an exception in between ends the handshake. */
  #leave(at: NoiseStep['at']): HandshakeState {
    const step = this.#step;
    if (step.at !== at) throw new HandshakeError('out-of-order', `the handshake is at ${step.at}, not ${at}`);
    this.#step = { at: 'over' };
    return step.noise;
  }
}
