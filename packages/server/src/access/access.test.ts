import { type Hello, Initiator, type NoiseCrypto, Responder } from '@tunnel/shared';
import { encodeKey, nodeCrypto, randomBytes, ZERO_PSK } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { Access, type Requirement } from './access.ts';
import { AuthorizedKeys } from './authorized-keys.ts';

const LISTED = randomBytes(32);
const STRANGER = randomBytes(32);
const SECRET = randomBytes(32);
const PREVIOUS = randomBytes(32);
const WRONG = randomBytes(32);

const KEYS = new AuthorizedKeys([
  { publicKey: encodeKey(nodeCrypto.publicKey(LISTED)), comment: '', reserved: [] },
  { publicKey: encodeKey(nodeCrypto.publicKey(randomBytes(32))), comment: '', reserved: [] },
]);

/** A crypto that counts its calls. */
function counting(): { readonly crypto: NoiseCrypto; readonly calls: Record<string, number> } {
  const calls: Record<string, number> = {};
  const entries = Object.entries(nodeCrypto).map(([name, operation]) => [
    name,
    (...args: never[]) => {
      calls[name] = (calls[name] ?? 0) + 1;
      return (operation as (...given: never[]) => unknown)(...args);
    },
  ]);
  return { crypto: Object.fromEntries(entries) as NoiseCrypto, calls };
}

function attempt(requirement: Requirement, identity: Uint8Array, psk: Uint8Array) {
  const access = new Access(requirement, [SECRET, PREVIOUS]);
  access.keys = KEYS;
  const { crypto, calls } = counting();
  const client = new Initiator({
    crypto: nodeCrypto,
    s: identity,
    e: randomBytes(32),
    offer: { versions: [1], features: 0 },
  });
  const server = new Responder({ crypto, s: randomBytes(32), e: randomBytes(32) });
  server.readMessage1(client.message1());
  client.readMessage2(server.message2({ version: 1, features: 0 }));
  const hello: Hello = {
    instance: randomBytes(16),
    linkNumber: 1,
    heartbeatIntervalMs: 2_000,
    heartbeatTimeoutMs: 8_000,
    agent: 'test',
    firstCreditBytes: 262_144,
    firstCreditTotalBytes: 2 ** 25,
  };
  const outcome = server.readMessage3(client.message3(hello, psk), access.psks);
  const isOpen = outcome.kind === 'opened';
  const knowsSecret = isOpen && access.isSecret(outcome.pskIndex);
  const isAdmitted = isOpen && access.admits(encodeKey(outcome.clientKey), knowsSecret);
  const verdict = isAdmitted ? `by ${knowsSecret ? 'secret' : 'key'}` : outcome.kind;
  return { verdict, calls };
}

const NO = 'secret-refused';
const proofs = { secret: SECRET, previous: PREVIOUS, none: ZERO_PSK, wrong: WRONG };

test.each<[Requirement, keyof typeof proofs, listed: string, stranger: string]>([
  ['secret', 'secret', 'by secret', 'by secret'],
  ['secret', 'previous', 'by secret', 'by secret'],
  ['secret', 'none', NO, NO],
  ['secret', 'wrong', NO, NO],
  ['key', 'secret', NO, NO],
  ['key', 'none', 'by key', NO],
  ['key', 'wrong', NO, NO],
  ['either', 'secret', 'by secret', 'by secret'],
  ['either', 'previous', 'by secret', 'by secret'],
  ['either', 'none', 'by key', NO],
  ['either', 'wrong', NO, NO],
  ['both', 'secret', 'by secret', NO],
  ['both', 'previous', 'by secret', NO],
  ['both', 'none', NO, NO],
  ['both', 'wrong', NO, NO],
])('%s required, %s given: a listed key is %s, another one %s', (requirement, proof, listed, stranger) => {
  expect(attempt(requirement, LISTED, proofs[proof]).verdict).toBe(listed);
  expect(attempt(requirement, STRANGER, proofs[proof]).verdict).toBe(stranger);
});

test.each<Requirement>(['key', 'either', 'both'])(
  'with %s required, every refused hello costs the same operations, whatever was wrong with it',
  (requirement) => {
    const refused = [LISTED, STRANGER].flatMap((identity) =>
      Object.values(proofs)
        .map((psk) => attempt(requirement, identity, psk))
        .filter(({ verdict }) => verdict === NO),
    );
    expect(refused.length).toBeGreaterThan(2);
    for (const { calls } of refused) expect(calls).toEqual(refused[0]?.calls);
  },
);

test('a key that is taken out is admitted no more, unless the secret alone does', () => {
  const key = encodeKey(nodeCrypto.publicKey(LISTED));
  for (const [requirement, bySecret, byKey] of [
    ['secret', true, false],
    ['key', false, false],
    ['either', true, false],
    ['both', false, false],
  ] as const) {
    const access = new Access(requirement, [SECRET]);
    access.keys = KEYS;
    expect(access.admits(key, true)).toBe(true);
    access.keys = new AuthorizedKeys();
    expect([access.admits(key, true), access.admits(key, false)]).toEqual([bySecret, byKey]);
  }
});
