import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../errors/errors.ts';
import { decodeAddresses, encodeAddresses } from './attributes.ts';
import {
  ATTRIBUTE_LIMIT,
  PUBLIC_ADDRESS_LIMIT,
  RESUME_TOKEN_BYTES,
  SESSION_ID_BYTES,
  TERM_LIMIT,
} from './constants.ts';
import { decodeFrames, FrameReader } from './decode.ts';
import { encodeFrame } from './encode.ts';
import type { Frame } from './frame.ts';
import type { Term } from './term.ts';
import { formatPublicAddress, parsePublicAddress } from './public-address.ts';

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/[ |]/g, ''), 'hex'));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const PROTOCOL_ERROR: object = expect.objectContaining({ name: 'TunnelError', code: 'protocol-error' });

/** The protocol, byte by byte. A bar stands where the frame could also end. */
const LITERALS: readonly (readonly [Frame, string])[] = [
  [
    {
      type: 'accepted',
      sessionId: new Uint8Array(SESSION_ID_BYTES).fill(0x11),
      token: new Uint8Array(RESUME_TOKEN_BYTES).fill(0x22),
      received: 0x1f_ffff_ffff_ffff,
      next: 0x1_0000_0002,
      resumeWindowMs: 120_000,
      heartbeatIntervalMs: 2000,
      heartbeatTimeoutMs: 8000,
      agent: 'tunnel/1',
    },
    `01 000055 ${'11'.repeat(16)} ${'22'.repeat(32)} 001fffffffffffff 0000000100000002 0001d4c0 000007d0 00001f40 08 74756e6e656c2f31`,
  ],
  [
    { type: 'refused', code: 'draining', retryAfterMs: 5000, detail: 'né' },
    '02 000012 08 647261696e696e67 00001388 0003 6ec3a9',
  ],
  [{ type: 'acknowledgement', number: 258 }, '03 000008 0000000000000102'],
  [{ type: 'credit', streamId: 3, offset: 65_536 }, '04 00000c 00000003 0000000000010000'],
  [
    { type: 'heartbeat', answerNow: true, timestamp: 0xffff_fffe, echo: undefined, nextWithinMs: 2000 },
    '05 000011 01 fffffffe 00000000 00000000 000007d0',
  ],
  [
    { type: 'heartbeat', answerNow: false, timestamp: 16, echo: { timestamp: 9, heldMs: 7 }, nextWithinMs: 500 },
    '05 000011 02 00000010 00000009 00000007 000001f4',
  ],
  [{ type: 'goodbye', code: 'stopped' }, '06 000008 07 73746f70706564'],
  [{ type: 'drain', retryAfterMs: 1, spreadMs: 2, graceMs: 3 }, '07 00000c 00000001 00000002 00000003'],
  [
    { type: 'visitors-refused', tunnelId: 2, denied: 5, overLimit: 1 },
    '08 000014 00000002 0000000000000005 0000000000000001',
  ],
  [
    { type: 'open', streamId: 1, tunnelId: 2, creditBytes: 0x40000, takenBytes: 0x4000, attributes: [] },
    '40 000010 00000001 00000002 00040000 00004000',
  ],
  [
    {
      type: 'open',
      streamId: 1,
      tunnelId: 2,
      creditBytes: 0xffff_ffff,
      takenBytes: 0,
      attributes: [
        ...encodeAddresses({ visitor: { address: '::1', port: 0xabcd }, destination: { address: '::2', port: 80 } }),
        { type: 0x99, value: unhex('0102') },
      ],
    },
    '40 000025 00000001 00000002 ffffffff 00000000 | 01 0005 abcd 3a3a31 | 02 0005 0050 3a3a32 | 99 0002 0102',
  ],
  [{ type: 'data', streamId: 0xffff_ffff, data: unhex('00ff') }, '41 000006 ffffffff 00ff'],
  [{ type: 'end', streamId: 5 }, '42 000004 00000005'],
  [{ type: 'reset', streamId: 5, code: 'stream-reset' }, '43 000011 00000005 0c 73747265616d2d7265736574'],
  [{ type: 'void', count: 7 }, '44 000004 00000007'],
  [
    { type: 'tunnel-request', tunnelId: 1, kind: 1, name: '8080', label: 'web', terms: [] },
    '48 00000e 00000001 01 04 38303830 03 776562',
  ],
  [{ type: 'tunnel-request', tunnelId: 1, kind: 0xff, name: '', label: '', terms: [] }, '48 000007 00000001 ff 00 00'],
  [
    {
      type: 'tunnel-request',
      tunnelId: 1,
      kind: 1,
      name: '',
      label: '',
      terms: [
        { term: 'allow', network: '::1' },
        { term: 'deny', network: '::/0' },
        { term: 'max-connections', limit: 258 },
        { term: 'upstream', speaks: 'h2c' },
        { term: 'unknown', type: 10, value: unhex('0aff') },
      ],
    },
    '48 000024 00000001 01 00 00 | 01 0003 3a3a31 | 02 0004 3a3a2f30 | 03 0004 00000102 | 09 0001 01 | 0a 0002 0aff',
  ],
  [
    { type: 'tunnel-granted', tunnelId: 1, name: '80', addresses: ['tcp://:80'] },
    '49 000013 00000001 02 3830 01 0009 7463703a2f2f3a3830',
  ],
  [
    { type: 'tunnel-granted', tunnelId: 1, name: '', addresses: ['https://a.b:443', 'tcp://[::1]:80'] },
    '49 000027 00000001 00 02 000f 68747470733a2f2f612e623a343433 000e 7463703a2f2f5b3a3a315d3a3830',
  ],
  [
    { type: 'tunnel-refused', tunnelId: 1, code: 'port-in-use', detail: 'x' },
    '4a 000013 00000001 0b 706f72742d696e2d757365 0001 78',
  ],
  [{ type: 'tunnel-close', tunnelId: 1, code: 'stopped' }, '4b 00000c 00000001 07 73746f70706564'],
  [
    { type: 'tunnel-addresses', tunnelId: 1, addresses: ['https://a.b:443'] },
    '4c 000016 00000001 01 000f 68747470733a2f2f612e623a343433',
  ],
];

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u53 = fc.maxSafeNat();
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Short enough for every field, also in four-byte characters. */
const text = fc.string({ unit: 'binary', maxLength: 60 });

const TERM: fc.Arbitrary<Term> = fc.oneof(
  fc.record({ term: fc.constantFrom('allow' as const, 'deny' as const), network: text }),
  fc.record({
    term: fc.constant('max-connections' as const),
    limit: fc.integer({ min: 1, max: 0xffff_ffff }),
  }),
  fc.record({
    term: fc.constant('unknown' as const),
    type: fc.integer({ min: 10, max: 0xff }),
    value: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ term: fc.constant('basic-auth' as const), salt: bytes(16), digest: bytes(32) }),
  fc.record({ term: fc.constant('upstream' as const), speaks: fc.constantFrom('http' as const, 'h2c' as const) }),
  fc.record({ term: fc.constant('host-header' as const), rewritesOrigin: fc.boolean(), host: text }),
  fc.record({
    term: fc.constantFrom('set-header' as const, 'set-response-header' as const),
    name: text,
    value: fc.string({ unit: 'binary', maxLength: 600 }),
  }),
  fc.record({ term: fc.constant('remove-header' as const), name: text }),
);

const ADDRESS: fc.Arbitrary<string> = fc
  .record({
    scheme: fc.constantFrom('tcp' as const, 'http' as const, 'https' as const),
    host: fc.oneof(fc.constant(''), fc.domain({ size: 'small' }), fc.ipV4(), fc.ipV6()),
    port: fc.integer({ min: 1, max: 0xffff }),
  })
  .map(formatPublicAddress);

const FRAME: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('accepted' as const),
    sessionId: bytes(SESSION_ID_BYTES),
    token: bytes(RESUME_TOKEN_BYTES),
    received: u53,
    next: u53,
    resumeWindowMs: u32,
    heartbeatIntervalMs: u32,
    heartbeatTimeoutMs: u32,
    agent: text,
  }),
  fc.record({ type: fc.constant('refused' as const), code: text, retryAfterMs: u32, detail: text }),
  fc.record({ type: fc.constant('acknowledgement' as const), number: u53 }),
  fc.record({ type: fc.constant('credit' as const), streamId: u32, offset: u53 }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    answerNow: fc.boolean(),
    timestamp: u32,
    echo: fc.option(fc.record({ timestamp: u32, heldMs: u32 }), { nil: undefined }),
    nextWithinMs: u32,
  }),
  fc.record({ type: fc.constant('goodbye' as const), code: text }),
  fc.record({ type: fc.constant('drain' as const), retryAfterMs: u32, spreadMs: u32, graceMs: u32 }),
  fc.record({
    type: fc.constant('visitors-refused' as const),
    tunnelId: u32,
    denied: u53,
    overLimit: u53,
  }),
  fc.record({
    type: fc.constant('open' as const),
    streamId: u32,
    tunnelId: u32,
    creditBytes: u32,
    takenBytes: u32,
    attributes: fc.array(
      fc.record({ type: fc.integer({ min: 3, max: 0xff }), value: fc.uint8Array({ maxLength: 300 }) }),
      {
        maxLength: ATTRIBUTE_LIMIT,
      },
    ),
  }),
  fc.record({
    type: fc.constant('data' as const),
    streamId: u32,
    data: fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  }),
  fc.record({ type: fc.constant('end' as const), streamId: u32 }),
  fc.record({ type: fc.constant('reset' as const), streamId: u32, code: text }),
  fc.record({ type: fc.constant('void' as const), count: fc.integer({ min: 1, max: 0xffff_ffff }) }),
  fc.record({
    type: fc.constant('tunnel-request' as const),
    tunnelId: u32,
    kind: u8,
    name: text,
    label: text,
    terms: fc.array(TERM, { maxLength: TERM_LIMIT }),
  }),
  fc.record({
    type: fc.constant('tunnel-granted' as const),
    tunnelId: u32,
    name: text,
    addresses: fc.array(ADDRESS, { minLength: 1, maxLength: PUBLIC_ADDRESS_LIMIT }),
  }),
  fc.record({ type: fc.constant('tunnel-refused' as const), tunnelId: u32, code: text, detail: text }),
  fc.record({ type: fc.constant('tunnel-close' as const), tunnelId: u32, code: text }),
  fc.record({
    type: fc.constant('tunnel-addresses' as const),
    tunnelId: u32,
    addresses: fc.array(ADDRESS, { minLength: 1, maxLength: PUBLIC_ADDRESS_LIMIT }),
  }),
);

/** Every frame of a record, or the one error that is allowed. Anything else fails the test. */
function decodeOrRefuse(record: Uint8Array): Frame[] | 'refused' {
  try {
    return decodeFrames(record);
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'protocol-error') return 'refused';
    throw error;
  }
}

describe('frames as literal bytes', () => {
  it.each(LITERALS.map(([frame, literal]) => [frame.type, frame, literal] as const))('%s', (_type, frame, literal) => {
    const wire = unhex(literal);
    expect(hex(encodeFrame(frame))).toBe(hex(wire));
    expect(decodeFrames(wire)).toEqual([frame]);
  });

  it.each(LITERALS.map(([frame, literal]) => [frame.type, literal] as const))(
    '%s, cut at every byte',
    (_type, literal) => {
      const wire = unhex(literal);
      for (let length = 1; length < wire.length; length += 1) {
        expect(() => decodeFrames(wire.subarray(0, length))).toThrow(PROTOCOL_ERROR);
      }
    },
  );

  it.each(LITERALS.map(([frame, literal]) => [frame.type, literal] as const))(
    '%s, shorter or longer than its fields',
    (type, literal) => {
      const wire = unhex(literal);
      const ends = [...literal.matchAll(/ \||$/g)].map(({ index }) => unhex(literal.slice(0, index)).length - 4);
      const fitting: number[] = [];
      for (let length = 0; length <= wire.length - 3; length += 1) {
        const changed = new Uint8Array([...wire, 0xff]).subarray(0, 4 + length);
        changed[3] = length;
        if (decodeOrRefuse(changed) !== 'refused') fitting.push(length);
      }
      // Data may have any length but none.
      expect(fitting).toEqual(type === 'data' ? [5, 6, 7] : ends);
    },
  );

  it('in a row, one record', () => {
    const record = unhex(LITERALS.map(([, literal]) => literal).join(''));
    expect(decodeFrames(record)).toEqual(LITERALS.map(([frame]) => frame));
    expect(decodeFrames(new Uint8Array())).toEqual([]);
  });
});

describe('what a reader refuses and what it passes over', () => {
  it('passes over unknown types that may be ignored', () => {
    const record = unhex('30 000000 3f 000003 aabbcc 42 000004 00000005 37 000001 00');
    expect(decodeFrames(record)).toEqual([{ type: 'end', streamId: 5 }]);
  });

  it('refuses every other unknown type', () => {
    const ignored: number[] = [];
    const unknown: number[] = [];
    for (let type = 0; type <= 0xff; type += 1) {
      try {
        decodeFrames(new Uint8Array([type, 0, 0, 0]));
        ignored.push(type);
      } catch (error) {
        if (String(error).includes('unknown type')) unknown.push(type);
      }
    }
    expect(ignored).toEqual(Array.from({ length: 16 }, (_, index) => 0x30 + index));
    // The others are known, and refused for want of their fields.
    const known = LITERALS.map(([, literal]) => unhex(literal)[0]!);
    expect(unknown).toHaveLength(256 - ignored.length - new Set(known).size);
    expect(unknown.filter((type) => known.includes(type))).toEqual([]);
  });

  it('refuses numbers beyond 2^53, text that is not UTF-8, data without data, and a void for nothing', () => {
    for (const literal of [
      '03 000008 0020000000000000',
      '06 000003 02 c328',
      '06 000004 03 eda080',
      '41 000004 00000001',
      '44 000004 00000000',
    ]) {
      expect(() => decodeFrames(unhex(literal))).toThrow(PROTOCOL_ERROR);
    }
  });

  it('refuses a limit of no visitors, one of another length, and more terms than are allowed', () => {
    const request = (terms: string): Uint8Array => {
      const bytes = unhex(`48 000000 00000001 01 00 00 ${terms}`);
      bytes.set([(bytes.length - 4) >>> 8, bytes.length - 4], 2);
      return bytes;
    };
    const atLimit = '01 0000'.repeat(TERM_LIMIT);
    expect(decodeFrames(request(atLimit))).toMatchObject([{ terms: { length: TERM_LIMIT } }]);
    for (const terms of ['03 0004 00000000', '03 0003 000001', '03 0005 0000000001', `${atLimit} 01 0000`]) {
      expect(() => decodeFrames(request(terms))).toThrow(PROTOCOL_ERROR);
    }
  });

  it('refuses more attributes than are allowed, and visitors without a port or in other than UTF-8', () => {
    const open = (attributes: string): Uint8Array => {
      const bytes = unhex(`40 000000 00000001 00000001 00000000 00000000 ${attributes}`);
      bytes.set([(bytes.length - 4) >>> 8, bytes.length - 4], 2);
      return bytes;
    };
    const atLimit = '03 0000'.repeat(ATTRIBUTE_LIMIT);
    expect(decodeFrames(open(atLimit))).toMatchObject([{ attributes: { length: ATTRIBUTE_LIMIT } }]);
    for (const attributes of [`${atLimit} 03 0000`, '01 0001 00', '02 0000', '01 0004 0050 c328']) {
      expect(() => decodeFrames(open(attributes))).toThrow(PROTOCOL_ERROR);
    }
  });

  it('takes a grant of one to eight addresses, none of them too long', () => {
    const granted = (addresses: readonly string[]): Uint8Array =>
      encodeFrame({ type: 'tunnel-granted', tunnelId: 1, name: '', addresses });
    const longest = `tcp://${'x'.repeat(243)}:65535`;
    expect(longest).toHaveLength(255);
    for (const count of [1, PUBLIC_ADDRESS_LIMIT]) {
      expect(decodeFrames(granted(Array<string>(count).fill(longest)))).toHaveLength(1);
    }
    for (const count of [0, PUBLIC_ADDRESS_LIMIT + 1]) {
      expect(() => decodeFrames(granted(Array<string>(count).fill(longest)))).toThrow(PROTOCOL_ERROR);
    }
    const none: Frame = { type: 'tunnel-addresses', tunnelId: 1, addresses: [] };
    expect(() => decodeFrames(encodeFrame(none))).toThrow(PROTOCOL_ERROR);
    const tooLong = unhex(`49 000107 00000001 00 01 0100 ${Buffer.from(`${longest}0`).toString('hex')}`);
    expect(() => decodeFrames(tooLong)).toThrow(PROTOCOL_ERROR);
  });

  it.each([
    ['tcp', ''],
    ['tcp', 'a'],
    ['http', 'tunnel.example.org'],
    ['https', 'my_host'],
    ['tcp', 'xn--bcher-kva.example'],
    ['tcp', '192.0.2.1'],
    ['tcp', '::1'],
    ['tcp', 'fe80::1%eth0'],
  ] as const)('takes %s and the host "%s" for a public address', (scheme, host) => {
    for (const port of [1, 8080, 65_535]) {
      const address = formatPublicAddress({ scheme, host, port });
      expect(parsePublicAddress(address)).toEqual({ scheme, host, port });
      const frame: Frame = { type: 'tunnel-granted', tunnelId: 1, name: '', addresses: [address] };
      expect(decodeFrames(encodeFrame(frame))).toEqual([frame]);
    }
  });

  // Nothing that means more in a URL or a terminal.
  it.each([
    '',
    'tcp',
    'tcp://',
    'tcp://a',
    'tcp://a:',
    'tcp://a:0',
    'tcp://a:080',
    'tcp://a:65536',
    'tcp://a:99999999',
    'tcp://a:-1',
    'TCP://a:80',
    'udp://a:80',
    'javascript://a:80',
    '//a:80',
    'tcp://a:80/',
    'tcp://a:80 ',
    'tcp://a:80\n',
    'tcp:// :80',
    'tcp://a b:80',
    'tcp://user@evil.example:80',
    'tcp://evil.example/path:80',
    'tcp://a?b:80',
    'tcp://a#b:80',
    'tcp://::1:80',
    'tcp://[::1:80',
    'tcp://[a]:80',
    'tcp://[]:80',
    'tcp://-rf:80',
    'tcp://a\u001b[2J:80',
    'tcp://b\u00fccher.example:80',
    'tcp://\u202eevil:80',
    `tcp://${'x'.repeat(254)}:80`,
  ])('does not take %j for a public address', (address) => {
    expect(parsePublicAddress(address)).toBeUndefined();
    const frame: Frame = { type: 'tunnel-granted', tunnelId: 1, name: '', addresses: ['tcp://a:80', address] };
    expect(() => decodeFrames(encodeFrame(frame))).toThrow(PROTOCOL_ERROR);
  });

  it('gives the frames before the offending one', () => {
    const reader = new FrameReader(unhex('42 000004 00000005 ff 000000'));
    expect(reader.next()).toEqual({ type: 'end', streamId: 5 });
    expect(() => reader.next()).toThrow(PROTOCOL_ERROR);
  });
});

describe('the addresses of a visitor', () => {
  it('are what was encoded, each of them optional, and other attributes do not matter', () => {
    const visitor = { address: '2001:db8::7', port: 51_000 };
    const destination = { address: '192.0.2.1', port: 443 };
    const other = { type: 200, value: unhex('ff') };
    for (const addresses of [{ visitor, destination }, { visitor }, { destination }, {}]) {
      expect(decodeAddresses([other, ...encodeAddresses(addresses), other])).toEqual(addresses);
    }
  });

  it('are the first of each', () => {
    const first = { address: 'a', port: 1 };
    const second = { address: 'b', port: 2 };
    const attributes = [...encodeAddresses({ visitor: first }), ...encodeAddresses({ visitor: second })];
    expect(decodeAddresses(attributes).visitor).toEqual(first);
  });

  it.each(['', '00', '0050 c328'])('break the protocol with the bytes "%s"', (value) => {
    expect(() => decodeAddresses([{ type: 1, value: unhex(value) }])).toThrow(PROTOCOL_ERROR);
    expect(() => decodeAddresses([{ type: 2, value: unhex(value) }])).toThrow(PROTOCOL_ERROR);
  });
});

describe('texts', () => {
  it('are cut at a character where they are too long', () => {
    // 85 three-byte characters fill 255 bytes exactly; one byte before them moves the cut into a character.
    const [fits] = decodeFrames(encodeFrame({ type: 'goodbye', code: '€'.repeat(100) }));
    expect(fits).toEqual({ type: 'goodbye', code: '€'.repeat(85) });
    const [cut] = decodeFrames(encodeFrame({ type: 'goodbye', code: `a${'€'.repeat(100)}` }));
    expect(cut).toEqual({ type: 'goodbye', code: `a${'€'.repeat(84)}` });
    const [detail] = decodeFrames(
      encodeFrame({ type: 'refused', code: '', retryAfterMs: 0, detail: '😀'.repeat(200) }),
    );
    expect(detail).toMatchObject({ detail: '😀'.repeat(128) });
  });

  it('keep a byte order mark, and lose half a surrogate pair', () => {
    expect(decodeFrames(encodeFrame({ type: 'goodbye', code: '\ufeffx' }))).toEqual([
      { type: 'goodbye', code: '\ufeffx' },
    ]);
    expect(decodeFrames(encodeFrame({ type: 'goodbye', code: '\ud800' }))).toEqual([
      { type: 'goodbye', code: '\ufffd' },
    ]);
  });
});

describe('memory', () => {
  it('data is a view into its record, and a copy where the record is much larger', () => {
    const large = encodeFrame({ type: 'data', streamId: 1, data: new Uint8Array(80) });
    const small = encodeFrame({ type: 'data', streamId: 1, data: new Uint8Array(1) });
    // Node's Buffer, as records are: its `slice` copies nothing.
    const record = Buffer.concat([large, small]);
    const [view, copy] = decodeFrames(record) as { data: Uint8Array }[];
    expect(view?.data.buffer).toBe(record.buffer);
    expect(copy?.data.buffer).not.toBe(record.buffer);
  });

  it('a session id and a token outlive their record', () => {
    const record = Buffer.from(encodeFrame(LITERALS[0]![0]));
    const [accepted] = decodeFrames(record);
    record.fill(0);
    expect(accepted).toEqual(LITERALS[0]![0]);
  });
});

describe('properties', () => {
  it('what is encoded is what is decoded', () => {
    fc.assert(
      fc.property(fc.array(FRAME, { maxLength: 10 }), (frames) => {
        const record = new Uint8Array(Buffer.concat(frames.map((frame) => encodeFrame(frame))));
        expect(decodeFrames(record)).toEqual(frames);
      }),
      { numRuns: 500 },
    );
  });

  it('arbitrary bytes are frames or a protocol error, and nothing is read beyond them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), u16, (input, at) => {
        // The record lies inside of a larger buffer, with something else on both sides.
        const around = new Uint8Array(input.length + 64).fill(0x41);
        const offset = at % 64;
        around.set(input, offset);
        const inside = around.subarray(offset, offset + input.length);
        const frames = decodeOrRefuse(inside);
        expect(frames).toEqual(decodeOrRefuse(input));
        for (const frame of frames === 'refused' ? [] : frames) {
          if (frame.type !== 'data' || frame.data.buffer !== around.buffer) continue;
          expect(frame.data.byteOffset).toBeGreaterThanOrEqual(offset);
          expect(frame.data.byteOffset + frame.data.length).toBeLessThanOrEqual(offset + input.length);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('frames with a few bytes changed are frames or a protocol error', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(FRAME, { minLength: 1, maxLength: 4 }),
        fc.array(change, { maxLength: 4 }),
        (frames, changes) => {
          const record = new Uint8Array(Buffer.concat(frames.map((frame) => encodeFrame(frame))));
          for (const [at, value] of changes) record[at % record.length] = value;
          if (decodeOrRefuse(record) === 'refused') refused += 1;
        },
      ),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(0);
  });
});
