import { concat, EMPTY } from './bytes.ts';
import { CipherState } from './cipher-state.ts';
import { HASH_BYTES, type NoiseCrypto } from './crypto.ts';

const ONE: Uint8Array = Uint8Array.of(1);
const TWO: Uint8Array = Uint8Array.of(2);
const THREE: Uint8Array = Uint8Array.of(3);

/** HKDF of Noise section 4.3 (RFC 5869 with empty info): three outputs; callers may ignore the last ones. */
export function hkdf(
  crypto: NoiseCrypto,
  chainingKey: Uint8Array,
  inputKeyMaterial: Uint8Array,
): [Uint8Array, Uint8Array, Uint8Array] {
  const tempKey = crypto.hmacSha256(chainingKey, inputKeyMaterial);
  const output1 = crypto.hmacSha256(tempKey, ONE);
  const output2 = crypto.hmacSha256(tempKey, output1, TWO);
  const output3 = crypto.hmacSha256(tempKey, output2, THREE);
  return [output1, output2, output3];
}

/** The SymmetricState of Noise section 5.2: chaining key `ck`, transcript hash `h`, and the cipher they key. */
export class SymmetricState {
  readonly #crypto: NoiseCrypto;
  readonly #cipher: CipherState;
  #ck: Uint8Array;
  #h: Uint8Array;

  private constructor(crypto: NoiseCrypto, cipher: CipherState, ck: Uint8Array, h: Uint8Array) {
    this.#crypto = crypto;
    this.#cipher = cipher;
    this.#ck = ck;
    this.#h = h;
  }

  /** InitializeSymmetric. */
  static initialize(crypto: NoiseCrypto, protocolName: string): SymmetricState {
    const name = new TextEncoder().encode(protocolName);
    const h = name.length <= HASH_BYTES ? concat(name, new Uint8Array(HASH_BYTES - name.length)) : crypto.sha256(name);
    return new SymmetricState(crypto, new CipherState(crypto), h, h);
  }

  get ck(): Uint8Array {
    return this.#ck;
  }

  get h(): Uint8Array {
    return this.#h;
  }

  /** Whether there is a key, so that encrypted data carries a tag. */
  get hasKey(): boolean {
    return this.#cipher.k !== undefined;
  }

  /** `ck` and `h` are replaced, never written into, so the copies may share them. */
  clone(): SymmetricState {
    return new SymmetricState(this.#crypto, this.#cipher.clone(), this.#ck, this.#h);
  }

  mixKey(inputKeyMaterial: Uint8Array): void {
    const [ck, tempK] = hkdf(this.#crypto, this.#ck, inputKeyMaterial);
    this.#ck = ck;
    this.#cipher.initializeKey(tempK);
  }

  mixHash(data: Uint8Array): void {
    this.#h = this.#crypto.sha256(this.#h, data);
  }

  mixKeyAndHash(inputKeyMaterial: Uint8Array): void {
    const [ck, tempH, tempK] = hkdf(this.#crypto, this.#ck, inputKeyMaterial);
    this.#ck = ck;
    this.mixHash(tempH);
    this.#cipher.initializeKey(tempK);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher.encryptWithAd(this.#h, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipher.decryptWithAd(this.#h, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** The two transport ciphers: the initiator sends with the first, the responder with the second. */
  split(): [CipherState, CipherState] {
    const [k1, k2] = hkdf(this.#crypto, this.#ck, EMPTY);
    return [new CipherState(this.#crypto, k1), new CipherState(this.#crypto, k2)];
  }
}
