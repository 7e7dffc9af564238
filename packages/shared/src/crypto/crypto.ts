import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type DecipherChaCha20Poly1305,
  diffieHellman,
  type KeyObject,
  randomBytes as nodeRandomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import nacl from 'tweetnacl';
import { DH_BYTES, KEY_BYTES, type NoiseCrypto, TAG_BYTES } from '../noise/crypto.ts';
import { NoiseError } from '../noise/error.ts';

const ALGORITHM = 'chacha20-poly1305';
const NONCE_BYTES = 12;
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES } as const;
const TWO_POW_32 = 2 ** 32;

/** Records under one key before the link must be replaced. */
export const MAX_RECORDS: number = TWO_POW_32;

/** The psk of clients that share no secret and are admitted by their key. */
export const ZERO_PSK: Uint8Array = new Uint8Array(KEY_BYTES);

const PSK_SALT = 'tunnel/1 psk';
// 128 * N * r is 32 MiB, exactly Node's default limit, and OpenSSL needs slightly more.
const PSK_SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;

export function randomBytes(size: number): Uint8Array {
  return nodeRandomBytes(size);
}

/** How many psks are cached: enough for a client, a server, and a server that rotates its secret. */
const PSK_CACHE_ENTRIES = 8;
const psks = new Map<string, Promise<Uint8Array>>();

/**
 * The psk of a shared secret: scrypt on the thread pool, about 100 ms, once per process. A failure (out of memory) is
 * not cached: the next call tries again.
 */
export function derivePsk(secret: string): Promise<Uint8Array> {
  let psk = psks.get(secret);
  if (!psk) {
    psk = scryptPsk(secret);
    psks.set(secret, psk);
    psk.catch(() => psks.delete(secret));
    const [oldest] = psks.keys();
    if (psks.size > PSK_CACHE_ENTRIES && oldest !== undefined) psks.delete(oldest);
  }
  return psk;
}

function scryptPsk(secret: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(secret, PSK_SALT, KEY_BYTES, PSK_SCRYPT, (error, psk) => {
      if (error === null) resolve(psk);
      else reject(error);
    });
  });
}

/** 64 bits of SHA-256 for people and logs, as `0123-4567-89ab-cdef`. Too short to decide anything by. */
export function fingerprint(publicKey: Uint8Array): string {
  const hex = createHash('sha256').update(publicKey).digest('hex').slice(0, 16);
  return `${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}`;
}

/** Compares contents in constant time; lengths are not secret. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function requireKeyLength(key: Uint8Array): void {
  if (key.length !== DH_BYTES) throw new NoiseError('malformed', `an X25519 key has ${DH_BYTES} bytes`);
}

function zeroAgreement(cause?: unknown): NoiseError {
  const message = 'X25519 gave all zeros: the public key is of low order';
  return new NoiseError('zero-agreement', message, cause === undefined ? undefined : { cause });
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

interface PrivateKey {
  readonly bytes: Uint8Array;
  readonly keyObject: KeyObject;
  readonly publicKey: Uint8Array;
}

/**
 * Importing a private key computes its public key, which costs as much as a key agreement. A handshake uses each of its
 * two private keys two or three times, and the identity is used for the life of the process. Weak, so that an ephemeral
 * key is collected with its handshake.
 */
const privateKeys = new WeakMap<Uint8Array, PrivateKey>();

function importPrivateKey(raw: Uint8Array): PrivateKey {
  const known = privateKeys.get(raw);
  // Another key may have been written into the same array.
  if (known !== undefined && timingSafeEqual(known.bytes, raw)) return known;
  requireKeyLength(raw);
  // JWK, because OpenSSL 3 takes 600 µs to decode the same key in DER, against 55 µs. Node reads only `d` here but
  // requires `x` to be present; the tests check the result against tweetnacl.
  const jwk = { kty: 'OKP', crv: 'X25519', d: base64url(raw), x: '' };
  const keyObject = createPrivateKey({ key: jwk, format: 'jwk' });
  const { x } = createPublicKey(keyObject).export({ format: 'jwk' });
  if (x === undefined) throw new NoiseError('malformed', 'the X25519 key has no public part');
  const imported = { bytes: new Uint8Array(raw), keyObject, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) };
  privateKeys.set(raw, imported);
  return imported;
}

function importPublicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(raw) }, format: 'jwk' });
}

/** Writes `counter` into the nonce as Noise does: 4 zero bytes, then 64 bits little-endian. */
function writeCounter(nonce: Buffer, counter: number): void {
  nonce.writeUInt32LE(counter % TWO_POW_32, 4);
  nonce.writeUInt32LE(Math.floor(counter / TWO_POW_32), 8);
}

function nonceOf(counter: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  writeCounter(nonce, counter);
  return nonce;
}

const symmetricCrypto: Omit<NoiseCrypto, 'dh' | 'publicKey'> = {
  sha256(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  hmacSha256(key, ...parts) {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  },
  seal(key, counter, ad, plaintext) {
    const cipher = createCipheriv(ALGORITHM, key, nonceOf(counter), CIPHER_OPTIONS);
    cipher.setAAD(ad, { plaintextLength: plaintext.length });
    const ciphertext = cipher.update(plaintext);
    return Buffer.concat([ciphertext, cipher.final(), cipher.getAuthTag()]);
  },
  open(key, counter, ad, ciphertext) {
    const length = ciphertext.length - TAG_BYTES;
    if (length < 0) return undefined;
    const decipher = createDecipheriv(ALGORITHM, key, nonceOf(counter), CIPHER_OPTIONS);
    decipher.setAAD(ad, { plaintextLength: length });
    return finish(decipher, ciphertext, length);
  },
};

/** Decrypts `length` bytes, then checks the tag that follows; undefined if it is wrong. */
function finish(decipher: DecipherChaCha20Poly1305, sealed: Uint8Array, length: number): Uint8Array | undefined {
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
  } catch {
    return undefined; // Node only says that the tag was wrong.
  }
  return plaintext;
}

/** Everything from Node's OpenSSL. */
export const nodeCrypto: NoiseCrypto = {
  ...symmetricCrypto,
  dh(privateKey, publicKey) {
    requireKeyLength(publicKey);
    const own = importPrivateKey(privateKey).keyObject;
    const remote = importPublicKey(publicKey);
    let agreement: Uint8Array;
    try {
      agreement = diffieHellman({ privateKey: own, publicKey: remote });
    } catch (cause) {
      // Both keys are well-formed by now, so OpenSSL can only have refused an all-zero result.
      throw zeroAgreement(cause);
    }
    if (constantTimeEqual(agreement, ZERO_PSK)) throw zeroAgreement();
    return agreement;
  },
  publicKey(privateKey) {
    return importPrivateKey(privateKey).publicKey;
  },
};

/** X25519 from tweetnacl, the rest from Node: an independent second opinion on the curve, about ten times slower. */
export const tweetnaclCrypto: NoiseCrypto = {
  ...symmetricCrypto,
  dh(privateKey, publicKey) {
    requireKeyLength(privateKey);
    requireKeyLength(publicKey);
    const agreement = nacl.scalarMult(privateKey, publicKey);
    if (constantTimeEqual(agreement, ZERO_PSK)) throw zeroAgreement();
    return agreement;
  },
  publicKey(privateKey) {
    requireKeyLength(privateKey);
    return nacl.scalarMult.base(privateKey);
  },
};

/**
 * Seals the records of one direction of a link: Noise transport messages, but not limited to Noise's 65535 bytes (the
 * cipher's own limit is 256 GiB).
 */
export class RecordSealer {
  readonly #key: Uint8Array;
  readonly #nonce: Buffer = Buffer.alloc(NONCE_BYTES);
  #count: number;

  /** `count` is where to continue; nonzero only in tests. */
  constructor(key: Uint8Array, count = 0) {
    if (key.length !== KEY_BYTES) throw new NoiseError('malformed', `a record key has ${KEY_BYTES} bytes`);
    this.#key = key;
    this.#count = count;
  }

  /** Records sealed so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Seals the parts as one record. Write the resulting pieces in order; the last is the tag. Throws `exhausted` after
   * 2^32 records.
   */
  seal(parts: readonly Uint8Array[]): Uint8Array[] {
    if (this.#count >= MAX_RECORDS) throw new NoiseError('exhausted', 'the link has carried its last record');
    writeCounter(this.#nonce, this.#count);
    this.#count += 1;
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nonce, CIPHER_OPTIONS);
    const pieces: Uint8Array[] = [];
    for (const part of parts) {
      if (part.length > 0) pieces.push(cipher.update(part));
    }
    cipher.final();
    pieces.push(cipher.getAuthTag());
    return pieces;
  }
}

/** Opens the records of one direction of a link, in the order in which they were sealed. */
export class RecordOpener {
  readonly #nonce: Buffer = Buffer.alloc(NONCE_BYTES);
  /** Dropped once a record fails to open. */
  #key: Uint8Array | undefined;
  #count: number;

  /** `count` is where to continue; nonzero only in tests. */
  constructor(key: Uint8Array, count = 0) {
    if (key.length !== KEY_BYTES) throw new NoiseError('malformed', `a record key has ${KEY_BYTES} bytes`);
    this.#key = key;
    this.#count = count;
  }

  /** Records opened so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * The plaintext, or undefined if the record does not authenticate. From then on always undefined, since the order is
   * lost.
   */
  open(record: Uint8Array): Uint8Array | undefined {
    const key = this.#key;
    const length = record.length - TAG_BYTES;
    if (key === undefined || length < 0 || this.#count >= MAX_RECORDS) return this.#die();
    writeCounter(this.#nonce, this.#count);
    const decipher = createDecipheriv(ALGORITHM, key, this.#nonce, CIPHER_OPTIONS);
    const plaintext = finish(decipher, record, length);
    if (plaintext === undefined) return this.#die();
    this.#count += 1;
    return plaintext;
  }

  #die(): undefined {
    this.#key = undefined;
    return undefined;
  }
}
