import { concat } from './bytes.ts';
import type { CipherState } from './cipher-state.ts';
import { DH_BYTES, KEY_BYTES, type NoiseCrypto, TAG_BYTES } from './crypto.ts';
import { NoiseError } from './error.ts';
import type { HandshakePattern, Token } from './patterns.ts';
import { SymmetricState } from './symmetric-state.ts';

export interface HandshakeStateOptions {
  readonly crypto: NoiseCrypto;
  readonly pattern: HandshakePattern;
  readonly role: 'initiator' | 'responder';
  readonly prologue: Uint8Array;
  /** Our static private key. */
  readonly s: Uint8Array;
  /** Our ephemeral private key: fresh random bytes for every handshake, fixed only in tests. */
  readonly e: Uint8Array;
}

/** A psk, or a function that chooses it once the remote's static key is known. */
export type Psk = Uint8Array | ((rs: Uint8Array) => Uint8Array);

/** The index of the next message, from 0, or a handshake that has failed for good. */
type Progress = number | 'failed';

/**
 * The HandshakeState of Noise sections 5.3 and 9 (revision 34), for patterns without pre-messages. Names are the
 * specification's letters: `e` and `s` are our keys, `re` and `rs` the remote's public ones, `h` and `ck` are in the
 * symmetric state.
 */
export class HandshakeState {
  readonly #options: HandshakeStateOptions;
  readonly #isPskHandshake: boolean;
  readonly #symmetric: SymmetricState;
  #progress: Progress = 0;
  #re: Uint8Array | undefined;
  #rs: Uint8Array | undefined;
  #psk: Psk | undefined;

  constructor(options: HandshakeStateOptions, symmetric?: SymmetricState) {
    this.#options = options;
    this.#isPskHandshake = options.pattern.messages.some((tokens) => tokens.includes('psk'));
    if (symmetric !== undefined) {
      this.#symmetric = symmetric;
      return;
    }
    const protocolName = `Noise_${options.pattern.name}_25519_ChaChaPoly_SHA256`;
    this.#symmetric = SymmetricState.initialize(options.crypto, protocolName);
    this.#symmetric.mixHash(options.prologue);
  }

  /** An independent copy, to try several psks on one message. */
  clone(): HandshakeState {
    const copy = new HandshakeState(this.#options, this.#symmetric.clone());
    copy.#progress = this.#progress;
    copy.#re = this.#re;
    copy.#rs = this.#rs;
    copy.#psk = this.#psk;
    return copy;
  }

  /** The remote's static public key, once it has been read. After a failure it shows whether `s` itself had opened. */
  get rs(): Uint8Array | undefined {
    return this.#rs;
  }

  get ck(): Uint8Array {
    return this.#symmetric.ck;
  }

  get h(): Uint8Array {
    return this.#symmetric.h;
  }

  /** Sets the psk. Call it before the message with the `psk` token. */
  setPsk(psk: Psk): void {
    if (typeof psk !== 'function') requirePskLength(psk);
    this.#psk = psk;
  }

  writeMessage(payload: Uint8Array): Uint8Array {
    const { tokens, next } = this.#begin('write');
    const parts: Uint8Array[] = [];
    for (const token of tokens) {
      if (token === 'e') {
        const e = this.#options.crypto.publicKey(this.#options.e);
        this.#mixEphemeral(e);
        parts.push(e);
      } else if (token === 's') {
        parts.push(this.#symmetric.encryptAndHash(this.#options.crypto.publicKey(this.#options.s)));
      } else {
        this.#mix(token);
      }
    }
    parts.push(this.#symmetric.encryptAndHash(payload));
    this.#progress = next;
    return concat(...parts);
  }

  /** Returns the payload. After an error the handshake is over. */
  readMessage(message: Uint8Array): Uint8Array {
    const { tokens, next } = this.#begin('read');
    let rest = message;
    const take = (length: number): Uint8Array => {
      if (rest.length < length) throw new NoiseError('malformed', 'the handshake message is too short');
      const taken = rest.subarray(0, length);
      rest = rest.subarray(length);
      return taken;
    };
    for (const token of tokens) {
      if (token === 'e') {
        // Copied: the message may be a view of a buffer that its owner reuses.
        this.#re = new Uint8Array(take(DH_BYTES));
        this.#mixEphemeral(this.#re);
      } else if (token === 's') {
        const tagBytes = this.#symmetric.hasKey ? TAG_BYTES : 0;
        this.#rs = new Uint8Array(this.#symmetric.decryptAndHash(take(DH_BYTES + tagBytes)));
      } else {
        this.#mix(token);
      }
    }
    if (this.#symmetric.hasKey && rest.length < TAG_BYTES) {
      throw new NoiseError('malformed', 'the handshake message has no room for its tag');
    }
    const payload = this.#symmetric.decryptAndHash(rest);
    this.#progress = next;
    return payload;
  }

  /** The transport ciphers, once every message has been processed. */
  split(): { readonly send: CipherState; readonly receive: CipherState } {
    if (this.#progress !== this.#options.pattern.messages.length) {
      throw new NoiseError('out-of-order', 'the handshake has not ended');
    }
    const [c1, c2] = this.#symmetric.split();
    return this.#options.role === 'initiator' ? { send: c1, receive: c2 } : { send: c2, receive: c1 };
  }

  /** Marks the handshake as failed until the caller stores `next`, so that an exception in between leaves it dead. */
  #begin(direction: 'write' | 'read'): { readonly tokens: readonly Token[]; readonly next: number } {
    const index = this.#progress;
    const tokens = index === 'failed' ? undefined : this.#options.pattern.messages[index];
    if (index === 'failed' || tokens === undefined) throw new NoiseError('out-of-order', 'the handshake is over');
    const sender = index % 2 === 0 ? 'initiator' : 'responder';
    if ((sender === this.#options.role) !== (direction === 'write')) {
      throw new NoiseError('out-of-order', `message ${index + 1} is the ${sender}'s`);
    }
    this.#progress = 'failed';
    return { tokens, next: index + 1 };
  }

  #mixEphemeral(e: Uint8Array): void {
    this.#symmetric.mixHash(e);
    // Section 9.2: with psks, `e` must also randomise the key, since a psk alone would give the same key each time.
    if (this.#isPskHandshake) this.#symmetric.mixKey(e);
  }

  #mix(token: Exclude<Token, 'e' | 's'>): void {
    const initiator = this.#options.role === 'initiator';
    switch (token) {
      case 'ee':
        return this.#mixAgreement(this.#options.e, this.#re);
      case 'es':
        return initiator
          ? this.#mixAgreement(this.#options.e, this.#rs)
          : this.#mixAgreement(this.#options.s, this.#re);
      case 'se':
        return initiator
          ? this.#mixAgreement(this.#options.s, this.#re)
          : this.#mixAgreement(this.#options.e, this.#rs);
      case 'psk':
        return this.#symmetric.mixKeyAndHash(this.#choosePsk());
    }
  }

  #choosePsk(): Uint8Array {
    const psk = this.#psk;
    if (psk === undefined) throw new NoiseError('out-of-order', 'no psk was set');
    if (typeof psk !== 'function') return psk;
    if (this.#rs === undefined) throw new NoiseError('out-of-order', 'the remote key is not known yet');
    const chosen = psk(this.#rs);
    requirePskLength(chosen);
    return chosen;
  }

  #mixAgreement(own: Uint8Array, remote: Uint8Array | undefined): void {
    if (remote === undefined) throw new NoiseError('out-of-order', 'the remote key is not known yet');
    this.#symmetric.mixKey(this.#options.crypto.dh(own, remote));
  }
}

function requirePskLength(psk: Uint8Array): void {
  if (psk.length !== KEY_BYTES) throw new NoiseError('malformed', `a psk has ${KEY_BYTES} bytes`);
}
