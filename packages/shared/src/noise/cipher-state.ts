import type { NoiseCrypto } from './crypto.ts';
import { NoiseError } from './error.ts';

/** The CipherState of Noise section 5.1: a key `k`, once there is one, and its next nonce `n`. */
export class CipherState {
  readonly #crypto: NoiseCrypto;
  #k: Uint8Array | undefined;
  #n = 0;

  constructor(crypto: NoiseCrypto, k?: Uint8Array) {
    this.#crypto = crypto;
    this.#k = k;
  }

  get k(): Uint8Array | undefined {
    return this.#k;
  }

  get n(): number {
    return this.#n;
  }

  clone(): CipherState {
    const copy = new CipherState(this.#crypto, this.#k);
    copy.#n = this.#n;
    return copy;
  }

  initializeKey(k: Uint8Array): void {
    this.#k = k;
    this.#n = 0;
  }

  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    if (this.#k === undefined) return plaintext;
    return this.#crypto.seal(this.#k, this.#takeNonce(), ad, plaintext);
  }

  /** Throws `unauthentic`, leaving the nonce unchanged as section 5.1 requires. */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    if (this.#k === undefined) return ciphertext;
    const n = this.#takeNonce();
    const plaintext = this.#crypto.open(this.#k, n, ad, ciphertext);
    if (plaintext === undefined) {
      this.#n = n;
      throw new NoiseError('unauthentic', 'the ciphertext does not authenticate');
    }
    return plaintext;
  }

  #takeNonce(): number {
    // The specification's limit is 2^64 - 1. A JS number is exact only up to this one, which is never reached in
    // practice.
    if (this.#n >= Number.MAX_SAFE_INTEGER) throw new NoiseError('exhausted', 'no nonce is left under this key');
    const n = this.#n;
    this.#n += 1;
    return n;
  }
}
