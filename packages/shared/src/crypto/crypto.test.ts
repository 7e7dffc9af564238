import { describe, expect, it, vi } from 'vitest';
import {
  constantTimeEqual,
  derivePsk,
  fingerprint,
  MAX_RECORDS,
  nodeCrypto,
  randomBytes,
  RecordOpener,
  RecordSealer,
  tweetnaclCrypto,
  ZERO_PSK,
} from './crypto.ts';

const scryptState = vi.hoisted(() => ({ failure: undefined as Error | undefined }));

vi.mock(import('node:crypto'), async (original) => {
  const crypto = await original();
  const failing = (...args: unknown[]): void => {
    if (scryptState.failure) (args.at(-1) as (error: Error) => void)(scryptState.failure);
    else (crypto.scrypt as (...args: unknown[]) => void)(...args);
  };
  return { ...crypto, scrypt: failing };
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

const BOTH = [
  ['node', nodeCrypto],
  ['tweetnacl', tweetnaclCrypto],
] as const;

/** Every u-coordinate of low order, as 32 bytes, also with the ignored top bit set (https://cr.yp.to/ecdh.html). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((point) => {
  const bytes = unhex(point);
  bytes[31] = (bytes[31] ?? 0) | 0x80;
  return [unhex(point), bytes];
});

describe.each(BOTH)('X25519 of %s', (_, crypto) => {
  it('gives the keys and the agreement of RFC 7748 §6.1', () => {
    const a = unhex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const b = unhex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const agreement = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(hex(crypto.publicKey(a))).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(hex(crypto.publicKey(b))).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    expect(hex(crypto.dh(a, crypto.publicKey(b)))).toBe(agreement);
    expect(hex(crypto.dh(b, crypto.publicKey(a)))).toBe(agreement);
  });

  it('rejects every public key of low order', () => {
    const privateKey = randomBytes(32);
    for (const point of LOW_ORDER) {
      expect(() => crypto.dh(privateKey, point)).toThrow(
        expect.objectContaining({ name: 'NoiseError', reason: 'zero-agreement' }),
      );
    }
  });

  it.each([0, 31, 33])('rejects keys of %i bytes', (length) => {
    const malformed: object = expect.objectContaining({ name: 'NoiseError', reason: 'malformed' });
    const key = randomBytes(32);
    const other = new Uint8Array(length).fill(9);
    expect(() => crypto.dh(key, other)).toThrow(malformed);
    expect(() => crypto.dh(other, key)).toThrow(malformed);
    expect(() => crypto.publicKey(other)).toThrow(malformed);
  });

  it('notices another key in the same array', () => {
    const array = randomBytes(32);
    const first = crypto.publicKey(array);
    array.set(randomBytes(32));
    const second = crypto.publicKey(array);
    expect(second).not.toEqual(first);
    expect(new Uint8Array(second)).toEqual(new Uint8Array(tweetnaclCrypto.publicKey(array)));
  });
});

it('X25519 of node and of tweetnacl agree on random keys', () => {
  for (let round = 0; round < 50; round += 1) {
    const own = randomBytes(32);
    // Random bytes are public keys too, including those on the twist or with the ignored bit set.
    const remotes = [tweetnaclCrypto.publicKey(randomBytes(32)), randomBytes(32)];
    expect(hex(nodeCrypto.publicKey(own))).toBe(hex(tweetnaclCrypto.publicKey(own)));
    for (const remote of remotes) expect(hex(nodeCrypto.dh(own, remote))).toBe(hex(tweetnaclCrypto.dh(own, remote)));
  }
});

describe('ChaCha20-Poly1305', () => {
  const key = randomBytes(32);
  const ad = randomBytes(5);
  const plaintext = randomBytes(100);

  it('writes the counter as Noise has it, also over 32 bits', () => {
    const counters = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER - 1];
    const sealed = counters.map((counter) => nodeCrypto.seal(key, counter, ad, plaintext));
    expect(new Set(sealed.map(hex)).size).toBe(counters.length);
    for (const [index, counter] of counters.entries()) {
      const ciphertext = sealed[index] ?? new Uint8Array();
      expect(nodeCrypto.open(key, counter, ad, ciphertext)).toEqual(plaintext);
    }
  });

  it('opens nothing else', () => {
    const sealed = nodeCrypto.seal(key, 1, ad, plaintext);
    expect(sealed).toHaveLength(116);
    expect(nodeCrypto.open(key, 2, ad, sealed)).toBeUndefined();
    expect(nodeCrypto.open(key, 1, randomBytes(5), sealed)).toBeUndefined();
    expect(nodeCrypto.open(randomBytes(32), 1, ad, sealed)).toBeUndefined();
    expect(nodeCrypto.open(key, 1, ad, sealed.subarray(1))).toBeUndefined();
    expect(nodeCrypto.open(key, 1, ad, sealed.subarray(0, 15))).toBeUndefined();
    expect(nodeCrypto.open(key, 1, ad, new Uint8Array())).toBeUndefined();
  });

  it('seals nothing to a tag', () => {
    const empty = new Uint8Array();
    expect(nodeCrypto.open(key, 0, empty, nodeCrypto.seal(key, 0, empty, empty))).toHaveLength(0);
  });
});

describe('records', () => {
  const key = randomBytes(32);

  it('are Noise transport messages: counters from 0, no associated data', () => {
    const sealer = new RecordSealer(key);
    const opener = new RecordOpener(key);
    for (let n = 0; n < 3; n += 1) {
      const plaintext = randomBytes(1000 * n);
      const parts = [plaintext.subarray(0, n), new Uint8Array(), plaintext.subarray(n)];
      const record = Buffer.concat(sealer.seal(parts));
      expect(hex(record)).toBe(hex(nodeCrypto.seal(key, n, new Uint8Array(), plaintext)));
      expect(hex(opener.open(record) ?? new Uint8Array(1))).toBe(hex(plaintext));
    }
    expect([sealer.count, opener.count]).toEqual([3, 3]);
  });

  it('do not open when altered, doubled, reordered or cut, and the opener is dead from then on', () => {
    const sealer = new RecordSealer(key);
    const [first, second] = [1, 2].map((byte) => Buffer.concat(sealer.seal([Uint8Array.of(byte)]))) as [Buffer, Buffer];
    const altered = Buffer.from(first);
    altered[0] = (altered[0] ?? 0) ^ 1;
    for (const bad of [altered, second, first.subarray(1), first.subarray(0, 3), Buffer.alloc(0)]) {
      const opener = new RecordOpener(key);
      expect(opener.open(bad)).toBeUndefined();
      expect(opener.open(first)).toBeUndefined();
      expect(opener.count).toBe(0);
    }
    const opener = new RecordOpener(key);
    expect(opener.open(first)).toHaveLength(1);
    expect(opener.open(first)).toBeUndefined();
    expect(opener.open(second)).toBeUndefined();
  });

  it('may be up to 256 KiB and over', () => {
    const plaintext = new Uint8Array(300_000).fill(7);
    const record = Buffer.concat(new RecordSealer(key).seal([plaintext]));
    expect(Buffer.compare(new RecordOpener(key).open(record) ?? Buffer.alloc(0), plaintext)).toBe(0);
  });

  it('end after 2^32', () => {
    expect(MAX_RECORDS).toBe(2 ** 32);
    const sealer = new RecordSealer(key, MAX_RECORDS - 1);
    const opener = new RecordOpener(key, MAX_RECORDS - 1);
    const record = Buffer.concat(sealer.seal([Uint8Array.of(1)]));
    expect(opener.open(record)).toHaveLength(1);
    expect(() => sealer.seal([])).toThrow(expect.objectContaining({ name: 'NoiseError', reason: 'exhausted' }));
    expect(opener.open(record)).toBeUndefined();
  });

  it('need a key of 32 bytes', () => {
    const malformed: object = expect.objectContaining({ name: 'NoiseError', reason: 'malformed' });
    expect(() => new RecordSealer(new Uint8Array(16))).toThrow(malformed);
    expect(() => new RecordOpener(new Uint8Array(16))).toThrow(malformed);
  });
});

it('derives the psk by scrypt', async () => {
  // From Python's hashlib.scrypt.
  const expected = 'e2bc31dcc82326ae761d3269815ac9400c0931a2bdfce75d7f25bf2275e0cefc';
  expect(hex(await derivePsk('correct horse battery staple'))).toBe(expected);
});

it('derives a psk again where that failed', async () => {
  scryptState.failure = new Error('memory limit exceeded');
  await expect(derivePsk('a secret that needs memory')).rejects.toBe(scryptState.failure);
  scryptState.failure = undefined;
  const psk = derivePsk('a secret that needs memory');
  expect(await psk).toHaveLength(32);
  expect(derivePsk('a secret that needs memory')).toBe(psk);
});

it('has a psk of zeros', () => {
  expect(hex(ZERO_PSK)).toBe('00'.repeat(32));
});

it('prints a short fingerprint', () => {
  expect(fingerprint(new Uint8Array(32))).toBe('6668-7aad-f862-bd77');
});

it('compares contents', () => {
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  expect(constantTimeEqual(new Uint8Array(), new Uint8Array())).toBe(true);
});
