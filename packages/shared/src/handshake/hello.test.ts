import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INSTANCE_BYTES, MAX_DETAIL_BYTES, RESUME_TOKEN_BYTES, SESSION_ID_BYTES } from './constants.ts';
import { HandshakeError } from './error.ts';
import {
  type Answer,
  type Hello,
  decodeAnswer,
  decodeHello,
  decodeOffer,
  decodeRefusal,
  encodeAnswer,
  encodeHello,
  encodeOffer,
  encodeRefusal,
  type Offer,
  type Refusal,
  requireOffered,
} from './hello.ts';

const MALFORMED: object = expect.objectContaining({ name: 'HandshakeError', reason: 'malformed' });

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

const HELLO_NEW: Hello = {
  instance: filled(16, 0xaa),
  linkNumber: 7,
  heartbeatIntervalMs: 2000,
  heartbeatTimeoutMs: 8000,
  agent: 'tunnel/0.1.0',
  firstCreditBytes: 0x40000,
  firstCreditTotalBytes: 0x1400000,
};
const HELLO_RESUME: Hello = {
  ...HELLO_NEW,
  linkNumber: Number.MAX_SAFE_INTEGER,
  resume: { sessionId: filled(16, 0xbb), token: filled(32, 0xcc), received: 300, next: 2 ** 32 + 1 },
};

interface Codec {
  readonly name: string;
  readonly encode: () => Uint8Array;
  readonly decode: (payload: Uint8Array) => object;
  readonly value: object;
  readonly bytes: string;
}

function codec<T extends object>(
  name: string,
  encode: (value: T) => Uint8Array,
  decode: (payload: Uint8Array) => T,
  value: T,
  bytes: string,
): Codec {
  return { name, encode: () => encode(value), decode, value, bytes: bytes.replaceAll(' ', '') };
}

const HELLO_HEAD = `${'00'.repeat(32)} ${'aa'.repeat(16)} 0000000000000007 000007d0 00001f40 0c 74756e6e656c2f302e312e30 00040000 01400000`;

const CODECS: readonly Codec[] = [
  codec<Offer>(
    'offer',
    encodeOffer,
    decodeOffer,
    { versions: [1, 65535], features: 0x80000001 },
    '02 0001 ffff 80000001',
  ),
  codec<Answer>('answer', encodeAnswer, decodeAnswer, { version: 1, features: 0xffffffff }, '0001 ffffffff'),
  codec<Hello>('hello of a new session', encodeHello, decodeHello, HELLO_NEW, `${HELLO_HEAD} 00`),
  codec<Hello>(
    'hello of a resume',
    encodeHello,
    decodeHello,
    HELLO_RESUME,
    `${HELLO_HEAD.replace('0000000000000007', '001fffffffffffff')} 01 ${'bb'.repeat(16)} ${'cc'.repeat(32)}
     000000000000012c 0000000100000001`.replaceAll('\n', ''),
  ),
  codec<Refusal>(
    'refusal',
    encodeRefusal,
    decodeRefusal,
    { code: 'at-capacity', retryAfterMs: 5000, detail: 'voll ü' },
    '0b 61742d6361706163697479 00001388 0007 766f6c6c20c3bc',
  ),
];

describe.each(CODECS)('$name', ({ encode, decode, value, bytes }) => {
  it('has these bytes', () => {
    expect(hex(encode())).toBe(bytes);
    expect(decode(unhex(bytes))).toEqual(value);
  });

  it('is malformed when truncated at any byte', () => {
    const whole = unhex(bytes);
    for (let length = 0; length < whole.length; length += 1) {
      // A view into the middle of a buffer, so that reading too far would find bytes.
      const padded = new Uint8Array([0xff, ...whole, 0xff, 0xff]);
      expect(() => decode(padded.subarray(1, 1 + length))).toThrow(MALFORMED);
    }
  });

  it('ignores what follows', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (more) => {
        expect(decode(new Uint8Array([...unhex(bytes), ...more]))).toEqual(value);
      }),
    );
  });

  it('keeps nothing of the input', () => {
    const input = unhex(bytes);
    const decoded = decode(input);
    input.fill(0);
    expect(decoded).toEqual(value);
  });

  it('gives a value or HandshakeError malformed for any bytes', () => {
    const failureOf = (input: Uint8Array): unknown => {
      try {
        decode(input);
        return undefined;
      } catch (error) {
        return error instanceof HandshakeError && error.reason === 'malformed' ? undefined : error;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (input) => {
        expect(failureOf(input)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
    // Random bytes rarely get far, so also change some bytes of valid payloads.
    const changes = fc.array(fc.tuple(fc.nat(unhex(bytes).length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(changes, (list) => {
        const input = unhex(bytes);
        for (const [offset, byte] of list) input[offset] = byte;
        expect(failureOf(input)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

const u32 = fc.nat({ max: 0xffffffff });
const u64 = fc.maxSafeNat();
function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}
/** Well-formed text: a lone surrogate has no UTF-8 encoding. */
function text(maxBytes: number): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary' }).filter((value) => Buffer.byteLength(value) <= maxBytes);
}

const offers: fc.Arbitrary<Offer> = fc.record({
  versions: fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 1, maxLength: 16 }),
  features: u32,
});
const answers: fc.Arbitrary<Answer> = fc.record({ version: fc.nat(0xffff), features: u32 });
const hellos: fc.Arbitrary<Hello> = fc.record(
  {
    instance: bytesOf(INSTANCE_BYTES),
    linkNumber: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    heartbeatIntervalMs: u32,
    heartbeatTimeoutMs: u32,
    agent: text(255),
    firstCreditBytes: u32,
    firstCreditTotalBytes: u32,
    resume: fc.record({
      sessionId: bytesOf(SESSION_ID_BYTES),
      token: bytesOf(RESUME_TOKEN_BYTES),
      received: u64,
      next: u64,
    }),
  },
  {
    requiredKeys: [
      'instance',
      'linkNumber',
      'heartbeatIntervalMs',
      'heartbeatTimeoutMs',
      'agent',
      'firstCreditBytes',
      'firstCreditTotalBytes',
    ],
  },
);
const refusals: fc.Arbitrary<Refusal> = fc.record({
  code: fc.stringMatching(/^[a-z0-9-]{1,255}$/),
  retryAfterMs: u32,
  detail: text(MAX_DETAIL_BYTES),
});

describe('round trips', () => {
  it('offer', () => {
    fc.assert(
      fc.property(offers, (value) => {
        expect(decodeOffer(encodeOffer(value))).toEqual(value);
      }),
    );
  });

  it('answer', () => {
    fc.assert(
      fc.property(answers, (value) => {
        expect(decodeAnswer(encodeAnswer(value))).toEqual(value);
      }),
    );
  });

  it('hello', () => {
    fc.assert(
      fc.property(hellos, (value) => {
        expect(decodeHello(encodeHello(value))).toEqual({ ...value });
      }),
    );
  });

  it('refusal', () => {
    fc.assert(
      fc.property(refusals, (value) => {
        expect(decodeRefusal(encodeRefusal(value))).toEqual(value);
      }),
    );
  });
});

describe('what is malformed', () => {
  it.each([
    ['no version', '00 00000000'],
    ['17 versions', `11 ${'0001'.repeat(17)} 00000000`],
    ['version 0', '01 0000 00000000'],
  ])('an offer with %s', (_, bytes) => {
    expect(() => decodeOffer(unhex(bytes))).toThrow(MALFORMED);
  });

  it.each([
    ['link number 0', HELLO_HEAD.replace('0000000000000007', '0000000000000000')],
    ['a link number over 2^53 - 1', HELLO_HEAD.replace('0000000000000007', '0020000000000000')],
    ['a link number far over 2^53 - 1', HELLO_HEAD.replace('0000000000000007', 'ffffffffffffffff')],
    ['an agent that is not UTF-8', HELLO_HEAD.replace('74756e', 'ff756e')],
    ['a bit set at the start of its zero block', HELLO_HEAD.replace('00', '80')],
    ['a bit set at the end of its zero block', HELLO_HEAD.replace('00 aa', '01 aa')],
  ])('a hello with %s', (_, head) => {
    expect(() => decodeHello(unhex(`${head} 00`))).toThrow(MALFORMED);
  });

  it('a hello that wants something unknown', () => {
    expect(() => decodeHello(unhex(`${HELLO_HEAD} 02`))).toThrow(MALFORMED);
  });

  it.each([
    ['an empty code', '00 00000000 0000'],
    ['a capital in its code', '01 41 00000000 0000'],
    ['a line feed behind its code', '02 610a 00000000 0000'],
    ['a detail over 512 bytes', `01 61 00000000 0201 ${'61'.repeat(513)}`],
  ])('a refusal with %s', (_, bytes) => {
    expect(() => decodeRefusal(unhex(bytes))).toThrow(MALFORMED);
  });

  it('a value that does not fit its field', () => {
    expect(() => encodeOffer({ versions: [], features: 0 })).toThrow(MALFORMED);
    expect(() => encodeOffer({ versions: [0x10000], features: 0 })).toThrow(MALFORMED);
    expect(() => encodeOffer({ versions: [1], features: -1 })).toThrow(MALFORMED);
    expect(() => encodeAnswer({ version: 1.5, features: 0 })).toThrow(MALFORMED);
    expect(() => encodeHello({ ...HELLO_NEW, instance: filled(15, 1) })).toThrow(MALFORMED);
    expect(() => encodeHello({ ...HELLO_NEW, linkNumber: 0 })).toThrow(MALFORMED);
    expect(() => encodeHello({ ...HELLO_NEW, linkNumber: 2 ** 53 })).toThrow(MALFORMED);
    expect(() => encodeHello({ ...HELLO_NEW, heartbeatIntervalMs: Number.NaN })).toThrow(MALFORMED);
    expect(() => encodeHello({ ...HELLO_NEW, agent: 'x'.repeat(256) })).toThrow(MALFORMED);
    expect(() => encodeRefusal({ code: 'x'.repeat(256), retryAfterMs: 0, detail: '' })).toThrow(MALFORMED);
    expect(() => encodeRefusal({ code: 'A', retryAfterMs: 0, detail: '' })).toThrow(MALFORMED);
  });
});

it('cuts a long detail between characters', () => {
  const detailOf = (detail: string): string =>
    decodeRefusal(encodeRefusal({ code: 'x', retryAfterMs: 0, detail })).detail;
  expect(detailOf('x'.repeat(600))).toBe('x'.repeat(512));
  expect(detailOf('ü'.repeat(400))).toBe('ü'.repeat(256));
  expect(detailOf(`x${'ü'.repeat(400)}`)).toBe(`x${'ü'.repeat(255)}`);
  expect(detailOf(`xyz${'😀'.repeat(200)}`)).toBe(`xyz${'😀'.repeat(127)}`);
});

it('refuses an answer of what was not offered', () => {
  const offer: Offer = { versions: [1, 3], features: 0x80000005 };
  expect(() => requireOffered({ version: 3, features: 0x80000001 }, offer)).not.toThrow();
  expect(() => requireOffered({ version: 0, features: 0 }, offer)).not.toThrow();
  expect(() => requireOffered({ version: 2, features: 0 }, offer)).toThrow(MALFORMED);
  expect(() => requireOffered({ version: 1, features: 2 }, offer)).toThrow(MALFORMED);
});
