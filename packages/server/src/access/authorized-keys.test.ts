import { TunnelError } from '@tunnel/shared';
import { encodeKey, randomBytes } from '@tunnel/shared/node';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AuthorizedKey, type AuthorizedKeys, parseAuthorizedKeys } from './authorized-keys.ts';
import { HostBounds } from './host-bounds.ts';

const BOUNDS = {
  ports: { first: 1024, last: 65_535 },
  hosts: new HostBounds({ domain: 'example.org', allowHosts: ['*.example.com'], publicHost: undefined }),
};
const [A = '', B = ''] = [1, 2].map((byte) => encodeKey(new Uint8Array(32).fill(byte)));

function parse(text: string): AuthorizedKeys {
  return parseAuthorizedKeys(text, '/etc/keys', BOUNDS);
}

function entry(line: string): AuthorizedKey | undefined {
  return parse(line).find(A, 0);
}

function complaint(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'keys-unusable') return error.detail;
    throw error;
  }
  return 'nothing is wrong';
}

describe('a line', () => {
  test('is a key alone, or with a comment, which may have blanks, quotes and commas', () => {
    expect(entry(A)).toEqual({ publicKey: A, comment: '', reserved: [] });
    expect(entry(`  ${A}\tanna's "old" laptop, ports=80 `)).toMatchObject({
      comment: `anna's "old" laptop, ports=80`,
      reserved: [],
    });
  });

  test('has options in front', () => {
    const options = 'ports="8000-8010, 9000,8005-8020",tunnels=3,sessions=20,expires="2027-01-01",reserve=8022';
    expect(entry(`${options} ${A} laptop`)).toEqual({
      publicKey: A,
      comment: 'laptop',
      ports: [
        { first: 8000, last: 8020 },
        { first: 9000, last: 9000 },
      ],
      tunnels: 3,
      sessions: 20,
      expiresAt: Date.UTC(2027, 0, 1),
      reserved: [8022],
    });
  });

  test('has host names in their one spelling', () => {
    const options = 'hosts="Shop.Example.ORG., *.anna.example.org,*.example.com",reserve-host=bücher.example.org';
    expect(entry(`${options} ${A}`)).toMatchObject({
      hosts: ['shop.example.org', '*.anna.example.org', '*.example.com'],
      reservedHosts: ['xn--bcher-kva.example.org'],
    });
  });

  test.each([
    ['2027-01-31T18:00Z', Date.UTC(2027, 0, 31, 18)],
    ['2027-01-31T18:00:30+02:00', Date.UTC(2027, 0, 31, 16, 0, 30)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
  ])('expires %s', (text, time) => {
    expect(entry(`expires=${text} ${A}`)).toMatchObject({ expiresAt: time });
  });

  test('may be empty or a remark; lines may end in CRLF, and a byte order mark may come first', () => {
    const keys = parse(`\uFEFF# ours\r\n\r\n${A} one\r\n   # indented\r\n${B} two\r\n`);
    expect(keys.count).toBe(2);
    expect(keys.find(B, 0)?.comment).toBe('two');
    expect(parse('').count).toBe(0);
  });

  test.each([
    ['nonsense', 'the key has 8 characters instead of 43'],
    [`ssh-ed25519 ${A}`, 'the key has 11 characters instead of 43'],
    ['!'.repeat(43), 'the key is not in base64url'],
    [`${A.slice(0, 42)}B`, 'the key is not in base64url'],
    ['tunnels=3', 'the key is missing after the options'],
    [`ports="8000 ${A}`, 'a quote is not closed'],
    [`ports=8000 , ${A}`, 'the key has 1 characters instead of 43'],
    [
      `port=8000 ${A}`,
      'unknown option "port"; the options are ports, reserve, hosts, reserve-host, tunnels, sessions, expires',
    ],
    [
      `constructor=1 ${A}`,
      'unknown option "constructor"; the options are ports, reserve, hosts, reserve-host, tunnels, sessions, expires',
    ],
    [`tunnels=3,tunnels=4 ${A}`, 'the option tunnels was given twice'],
    [`tunnels=3, ${A}`, '"tunnels=3," is not an option: write NAME=VALUE or NAME="VALUES"'],
    [`tunnels=3,,ports=8000 ${A}`, '",ports=8000" is not an option: write NAME=VALUE or NAME="VALUES"'],
    [`Tunnels=3 ${A}`, '"Tunnels=3" is not an option: write NAME=VALUE or NAME="VALUES"'],
    [`tunnels=0 ${A}`, 'tunnels: "0" is not a number from 1 to 99999'],
    [`sessions=many ${A}`, 'sessions: "many" is not a number from 1 to 99999'],
    [`tunnels=1e3 ${A}`, 'tunnels: "1e3" is not a number from 1 to 99999'],
    [`ports="" ${A}`, '"" is neither a port from 1 to 65535 nor a range such as 8000-8010'],
    [`ports="8000-" ${A}`, '"8000-" is neither a port from 1 to 65535 nor a range such as 8000-8010'],
    [`ports=0 ${A}`, '"0" is neither a port from 1 to 65535 nor a range such as 8000-8010'],
    [`ports=65536 ${A}`, '"65536" is neither a port from 1 to 65535 nor a range such as 8000-8010'],
    [`ports=9-8 ${A}`, 'the range 9-8 ends before it begins'],
    [`ports=80-90 ${A}`, 'ports: the server opens none of 80-90, only 1024-65535'],
    [`reserve=443 ${A}`, 'reserve: the server does not open 443, only 1024-65535'],
    [`reserve=8000-8001 ${A}`, 'reserve: 8000-8001 is a range; give single ports'],
    [
      `hosts="shop.example.org, a b" ${A}`,
      'hosts: "a b" is neither a host name such as shop.example.org nor a pattern such as *.example.org',
    ],
    [
      `hosts="*.*.example.org" ${A}`,
      'hosts: "*.*.example.org" is neither a host name such as shop.example.org nor a pattern such as *.example.org',
    ],
    [
      `hosts=10.0.0.1 ${A}`,
      'hosts: "10.0.0.1" is neither a host name such as shop.example.org nor a pattern such as *.example.org',
    ],
    [`hosts=shop ${A}`, 'hosts: shop; this server grants *.example.org, *.example.com'],
    [`hosts=*.org ${A}`, 'hosts: *.org; this server grants *.example.org, *.example.com'],
    [`hosts=a.b.example.com ${A}`, 'hosts: a.b.example.com; this server grants *.example.org, *.example.com'],
    [`hosts=EXAMPLE.org ${A}`, "hosts: example.org is the server's own name"],
    [`reserve-host=localhost ${A}`, "reserve-host: localhost is the server's own name"],
    [`reserve-host=*.example.org ${A}`, 'reserve-host: "*.example.org" is not a host name such as shop.example.org'],
    [`reserve-host=shop.net ${A}`, 'reserve-host: shop.net; this server grants *.example.org, *.example.com'],
    [
      `expires=tomorrow ${A}`,
      'expires: "tomorrow" is neither a date such as 2027-01-31 nor a time such as 2027-01-31T18:00Z',
    ],
    [
      `expires=2027-02-30 ${A}`,
      'expires: "2027-02-30" is neither a date such as 2027-01-31 nor a time such as 2027-01-31T18:00Z',
    ],
    [
      `expires=2027-01-01T10:00 ${A}`,
      'expires: "2027-01-01T10:00" is neither a date such as 2027-01-31 nor a time such as 2027-01-31T18:00Z',
    ],
  ])('that is wrong is named with its reason: %s', (line, reason) => {
    expect(complaint(`# first\n${line}`)).toBe(`/etc/keys, line 2: ${reason}`);
  });

  test('with a key or a reserved port of another line names that one', () => {
    expect(complaint(`${A}\n\n${A} again`)).toBe('/etc/keys, line 3: the same key on line 1 already');
    expect(complaint(`reserve=8022 ${A}\nreserve="8023,8022" ${B}`)).toBe(
      '/etc/keys, line 2: port 8022 is reserved on line 1 already',
    );
    expect(complaint(`reserve-host=shop.example.org ${A}\nreserve-host="a.example.org,Shop.example.org" ${B}`)).toBe(
      '/etc/keys, line 2: shop.example.org is reserved on line 1 already',
    );
  });

  test('that is wrong is not repeated as far as it may be a key', () => {
    expect(complaint(`${A}x`)).not.toContain(A);
    expect(complaint(`"${A}`)).not.toContain(A);
    expect(complaint(`${A}=3 ${B}`)).not.toContain(A);
  });
});

describe('a key that has expired', () => {
  const keys = parse(`expires=2027-01-01,reserve=8022,reserve-host=shop.example.org ${A}`);
  const end = Date.UTC(2027, 0, 1);

  test('counts as not listed, and so does what is reserved for it', () => {
    expect(keys.find(A, end - 1)).toBeDefined();
    expect(keys.ownerOf(8022, end - 1)?.publicKey).toBe(A);
    expect(keys.ownerOfHost('shop.example.org', end - 1)?.publicKey).toBe(A);
    expect(keys.find(A, end)).toBeUndefined();
    expect(keys.ownerOf(8022, end)).toBeUndefined();
    expect(keys.ownerOfHost('shop.example.org', end)).toBeUndefined();
  });

  test('is announced beforehand', () => {
    expect(keys.nextExpiry(end - 1)).toBe(end);
    expect(keys.nextExpiry(end)).toBeUndefined();
  });
});

describe('whatever the text', () => {
  const port = fc.integer({ min: 1024, max: 65_535 });
  const generated = fc.record(
    {
      ports: fc.array(
        fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
        { minLength: 1, maxLength: 5 },
      ),
      tunnels: fc.integer({ min: 1, max: 99_999 }),
      reserve: fc.uniqueArray(port, { minLength: 1, maxLength: 3 }),
      expires: fc.date({ min: new Date('2000-01-01'), max: new Date('2999-01-01'), noInvalidDate: true }),
    },
    { requiredKeys: [] },
  );
  const comment = fc.string({ unit: 'grapheme-ascii' }).map((text) => text.trim());

  test('what is written is what is read', () => {
    fc.assert(
      fc.property(generated, comment, ({ ports, tunnels, reserve, expires }, said) => {
        const day = expires?.toISOString().slice(0, 10);
        const options = [
          ...(reserve ? [`reserve="${reserve.join(' , ')}"`] : []),
          ...(day === undefined ? [] : [`expires=${day}`]),
          ...(ports ? [`ports="${ports.join(',')}"`] : []),
          ...(tunnels === undefined ? [] : [`tunnels=${tunnels}`]),
        ].join(',');
        const key = encodeKey(randomBytes(32));
        const read = parse(`${options} ${key} ${said}`).find(key, 0);
        expect(read).toMatchObject({ comment: said, reserved: reserve ?? [] });
        expect(read?.tunnels).toBe(tunnels);
        expect(read?.expiresAt).toBe(day === undefined ? undefined : Date.parse(day));
        for (const range of ports ?? []) {
          const [first, last] = range.split('-').map(Number);
          expect(read?.ports?.some((merged) => merged.first <= first! && merged.last >= last!)).toBe(true);
        }
      }),
    );
  });

  test('it is read, or it is one error with a line', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        A,
        B,
        'ports=',
        '"',
        ',',
        '=',
        ' ',
        '\t',
        '\n',
        '#',
        '8000-8010',
        'tunnels=1',
        'expires=',
        'reserve=',
        'hosts=',
        'reserve-host=',
        '*.example.org',
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        (text) => {
          expect(complaint(text)).toMatch(/^(?:nothing is wrong|\/etc\/keys, line \d+: [^\n]+)/);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('a line never admits more than is written: taking characters away from options never drops a restriction', () => {
    const line = `ports="8000-8010",hosts=a.example.org,tunnels=3,reserve=8022 ${A} laptop`;
    const optionsEnd = line.indexOf(' ');
    for (let at = 0; at < optionsEnd; at += 1) {
      let keys: AuthorizedKeys;
      try {
        keys = parse(line.slice(0, at) + line.slice(at + 1));
      } catch {
        continue;
      }
      const read = keys.find(A, 0);
      expect(read?.ports, `without character ${at}`).toBeDefined();
      expect(read?.hosts, `without character ${at}`).toBeDefined();
      expect(read?.tunnels, `without character ${at}`).toBeDefined();
    }
  });
});

test('thousands of keys are read at once and found at once', () => {
  const publicKeys = Array.from({ length: 20_000 }, () => encodeKey(randomBytes(32)));
  const keys = parse(publicKeys.map((key, index) => `tunnels=${index + 1} ${key} client ${index}`).join('\n'));
  expect(keys.count).toBe(publicKeys.length);
  const began = performance.now();
  for (const [index, key] of publicKeys.entries()) expect(keys.find(key, 0)?.tunnels === index + 1).toBe(true);
  // Comparing all pairs would take 400 million comparisons.
  expect(performance.now() - began).toBeLessThan(10_000);
});
