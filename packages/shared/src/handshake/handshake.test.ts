import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeCrypto, randomBytes, ZERO_PSK } from '../crypto/crypto.ts';
import type { NoiseCrypto } from '../noise/crypto.ts';
import { HandshakeState } from '../noise/handshake-state.ts';
import { XXpsk3 } from '../noise/patterns.ts';
import { MAX_HANDSHAKE_BYTES, PROLOGUE } from './constants.ts';
import { HandshakeError, type HandshakeErrorReason } from './error.ts';
import { type Answer, type Hello, encodeHello, encodeOffer, type Offer, type Refusal } from './hello.ts';
import { Initiator } from './initiator.ts';
import { type Message3Outcome, Responder } from './responder.ts';

const OFFER: Offer = { versions: [1, 2], features: 5 };
const ANSWER: Answer = { version: 1, features: 4 };
const NO_VERSION: Answer = { version: 0, features: 0 };
const HELLO: Hello = {
  instance: plain(randomBytes(16)),
  linkNumber: 3,
  heartbeatIntervalMs: 2000,
  heartbeatTimeoutMs: 8000,
  agent: 'tunnel/0.1.0',
  firstCreditBytes: 262_144,
  firstCreditTotalBytes: 2 ** 25,
  resume: { sessionId: plain(randomBytes(16)), token: plain(randomBytes(32)), received: 17, next: 42 },
};
const REFUSAL: Refusal = { code: 'secret-refused', retryAfterMs: 0, detail: 'wrong secret' };

const CLIENT_S = randomBytes(32);
const CLIENT_E = randomBytes(32);
const SERVER_S = randomBytes(32);
const SERVER_E = randomBytes(32);
const SECRET = randomBytes(32);
const PREVIOUS = randomBytes(32);
const OTHER = randomBytes(32);
const PSKS = [SECRET, PREVIOUS, ZERO_PSK];

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function reason(...reasons: readonly HandshakeErrorReason[]): object {
  return expect.objectContaining({
    name: 'HandshakeError',
    reason: expect.stringMatching(new RegExp(`^(${reasons.join('|')})$`)) as unknown,
  });
}

function initiator(e: Uint8Array = CLIENT_E, crypto: NoiseCrypto = nodeCrypto): Initiator {
  return new Initiator({ crypto, s: CLIENT_S, e, offer: OFFER });
}

function responder(e: Uint8Array = SERVER_E): Responder {
  return new Responder({ crypto: nodeCrypto, s: SERVER_S, e });
}

/** A client that has written message 3 with `psk`, and the messages exchanged. */
function untilMessage3(psk: Uint8Array, client = initiator(), server = responder()) {
  const message1 = client.message1();
  server.readMessage1(message1);
  const message2 = server.message2(ANSWER);
  client.readMessage2(message2);
  return { client, server, message1, message2, message3: client.message3(HELLO, psk) };
}

function refused(outcome: Message3Outcome): Extract<Message3Outcome, { kind: 'secret-refused' }> {
  if (outcome.kind !== 'secret-refused') throw new Error(`the outcome is ${outcome.kind}`);
  return outcome;
}

function* flipped(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const altered = Uint8Array.from(bytes);
    altered[bit >>> 3] = (altered[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    yield altered;
  }
}

describe('a whole handshake', () => {
  it.each([0, 1, 2])('with psk %i of three', (index) => {
    const psk = PSKS[index] ?? OTHER;
    const client = initiator();
    const server = responder();
    expect(server.readMessage1(client.message1())).toEqual(OFFER);
    const heard = client.readMessage2(server.message2(ANSWER));
    expect(heard).toEqual({ answer: ANSWER, serverKey: nodeCrypto.publicKey(SERVER_S) });
    const outcome = server.readMessage3(client.message3(HELLO, psk), PSKS);
    expect(outcome).toMatchObject({
      kind: 'opened',
      hello: HELLO,
      clientKey: nodeCrypto.publicKey(CLIENT_S),
      pskIndex: index,
      transport: {
        sendKey: client.transport.receiveKey,
        receiveKey: client.transport.sendKey,
        handshakeHash: client.transport.handshakeHash,
      },
    });
    expect(client.transport.sendKey).not.toEqual(client.transport.receiveKey);
  });

  it('tells the wrong secret by a refusal that only this client believes', () => {
    const { client, server, message3 } = untilMessage3(OTHER);
    const outcome = refused(server.readMessage3(message3, PSKS));
    expect(outcome.clientKey).toEqual(nodeCrypto.publicKey(CLIENT_S));
    const refusal = outcome.sealRefusal(REFUSAL);
    expect(client.openRefusal(refusal)).toEqual(REFUSAL);
    expect(client.openRefusal(refusal)).toEqual(REFUSAL);
    expect(() => outcome.sealRefusal(REFUSAL)).toThrow(reason('out-of-order'));
  });

  it('does not believe a refusal of another handshake', () => {
    const recorded = untilMessage3(OTHER);
    const refusal = refused(recorded.server.readMessage3(recorded.message3, PSKS)).sealRefusal(REFUSAL);
    const others = [
      untilMessage3(OTHER, initiator(randomBytes(32)), responder()),
      untilMessage3(OTHER, initiator(), responder(randomBytes(32))),
      untilMessage3(SECRET), // the same keys throughout, but another message 3
    ];
    for (const { client } of others) expect(client.openRefusal(refusal)).toBeUndefined();
  });

  it('does not believe a refusal of no length, nor one that is too long', () => {
    const { client } = untilMessage3(SECRET);
    expect(client.openRefusal(new Uint8Array())).toBeUndefined();
    expect(client.openRefusal(new Uint8Array(MAX_HANDSHAKE_BYTES + 1))).toBeUndefined();
  });

  it('goes no further without a common version', () => {
    const client = initiator();
    const server = responder();
    server.readMessage1(client.message1());
    expect(client.readMessage2(server.message2(NO_VERSION)).answer).toEqual(NO_VERSION);
    expect(() => client.message3(HELLO, SECRET)).toThrow(reason('out-of-order'));
    expect(() => server.readMessage3(new Uint8Array(100), PSKS)).toThrow(reason('out-of-order'));
  });
});

// Thousands of handshakes take seconds on a busy machine.
describe('every bit flipped', { timeout: 60_000 }, () => {
  it('of message 1: the server reads no offer', () => {
    for (const altered of flipped(initiator().message1())) {
      expect(() => responder().readMessage1(altered)).toThrow(reason('unauthentic', 'zero-agreement'));
    }
  });

  it('of message 2: the client writes no message 3', () => {
    const { message2 } = untilMessage3(SECRET);
    for (const altered of flipped(message2)) {
      const client = initiator();
      client.message1();
      expect(() => client.readMessage2(altered)).toThrow(reason('unauthentic', 'zero-agreement'));
      expect(() => client.message3(HELLO, SECRET)).toThrow(reason('out-of-order'));
    }
  });

  it('of message 3: the server accepts nothing, and its refusal is not believed', () => {
    const { client, message1, message3 } = untilMessage3(SECRET);
    const seen = new Map<string, number>();
    for (const altered of flipped(message3)) {
      const server = responder();
      server.readMessage1(message1);
      server.message2(ANSWER);
      const outcome = server.readMessage3(altered, PSKS);
      seen.set(outcome.kind, (seen.get(outcome.kind) ?? 0) + 1);
      const refusal = outcome.kind === 'secret-refused' ? outcome.sealRefusal(REFUSAL) : new Uint8Array();
      expect(client.openRefusal(refusal)).toBeUndefined();
    }
    expect(Object.fromEntries(seen)).toEqual({ unreadable: 48 * 8, 'secret-refused': (message3.length - 48) * 8 });
  });

  it('of a refusal: the client does not believe it', () => {
    const { client, server, message3 } = untilMessage3(OTHER);
    const refusal = refused(server.readMessage3(message3, PSKS)).sealRefusal(REFUSAL);
    for (const altered of flipped(refusal)) {
      expect(client.openRefusal(altered)).toBeUndefined();
    }
  });
});

describe('every truncation', { timeout: 60_000 }, () => {
  it('of messages 1 and 2', () => {
    const { message1, message2 } = untilMessage3(SECRET);
    for (let length = 0; length < message1.length; length += 1) {
      expect(() => responder().readMessage1(message1.subarray(0, length))).toThrow(reason('malformed', 'unauthentic'));
    }
    for (let length = 0; length < message2.length; length += 1) {
      const client = initiator();
      client.message1();
      expect(() => client.readMessage2(message2.subarray(0, length))).toThrow(reason('malformed', 'unauthentic'));
    }
  });

  it('of message 3', () => {
    const { client, message1, message3 } = untilMessage3(SECRET);
    for (let length = 0; length < message3.length; length += 1) {
      const server = responder();
      server.readMessage1(message1);
      server.message2(ANSWER);
      let refusal: Uint8Array = new Uint8Array();
      try {
        refusal = refused(server.readMessage3(message3.subarray(0, length), PSKS)).sealRefusal(REFUSAL);
      } catch (error) {
        if (!(error instanceof HandshakeError) || error.reason !== 'malformed') throw error;
      }
      expect(client.openRefusal(refusal)).toBeUndefined();
    }
  });
});

describe('limits', () => {
  it('refuses messages over 4096 bytes before anything else', () => {
    const large = new Uint8Array(MAX_HANDSHAKE_BYTES + 1);
    expect(() => responder().readMessage1(large)).toThrow(reason('too-large'));
    const client = initiator();
    client.message1();
    expect(() => client.readMessage2(large)).toThrow(reason('too-large'));
    const { server } = untilMessage3(SECRET);
    expect(() => server.readMessage3(large, PSKS)).toThrow(reason('too-large'));
  });

  it('reads a message 3 of 4096 bytes', () => {
    const server = responder();
    const { noise, message1 } = rawClient(nodeCrypto);
    server.readMessage1(message1);
    noise.readMessage(server.message2(ANSWER));
    noise.setPsk(SECRET);
    const hello = encodeHello(HELLO);
    const payload = new Uint8Array(MAX_HANDSHAKE_BYTES - 64);
    payload.set(hello);
    expect(server.readMessage3(noise.writeMessage(payload), PSKS)).toMatchObject({ kind: 'opened', hello: HELLO });
  });
});

describe('a payload of message 3 that opens and is not a hello', () => {
  /** The outcome of a message 3 with this payload, and how many expensive operations the server performed. */
  function attempt(payload: Uint8Array, psk: Uint8Array): { readonly kind: string; readonly calls: object } {
    const calls = { open: 0, dh: 0 };
    const crypto: NoiseCrypto = {
      ...nodeCrypto,
      open: (...args) => {
        calls.open += 1;
        return nodeCrypto.open(...args);
      },
      dh: (...args) => {
        calls.dh += 1;
        return nodeCrypto.dh(...args);
      },
    };
    const server = new Responder({ crypto, s: SERVER_S, e: randomBytes(32) });
    const { noise, message1 } = rawClient(nodeCrypto);
    server.readMessage1(message1);
    noise.readMessage(server.message2(ANSWER));
    noise.setPsk(psk);
    const outcome = server.readMessage3(noise.writeMessage(payload), PSKS);
    return { kind: outcome.kind, calls };
  }

  function altered(offset: number): Uint8Array {
    const payload = encodeHello(HELLO);
    payload[offset] = 1;
    return payload;
  }

  it.each([
    ['no zero at its start', altered(0)],
    ['no zero at the end of its zero block', altered(31)],
    ['nothing', new Uint8Array()],
    ['half of it', encodeHello(HELLO).subarray(0, 60)],
  ])('is answered as a wrong secret and costs as much: %s', (_, payload) => {
    expect(attempt(payload, SECRET)).toEqual(attempt(encodeHello(HELLO), OTHER));
    expect(attempt(encodeHello(HELLO), SECRET).kind).toBe('opened');
  });
});

describe('order', () => {
  it('is kept by the initiator', () => {
    const client = initiator();
    expect(() => client.readMessage2(new Uint8Array())).toThrow(reason('out-of-order'));
    expect(() => client.message3(HELLO, SECRET)).toThrow(reason('out-of-order'));
    expect(() => client.transport).toThrow(reason('out-of-order'));
    expect(() => client.openRefusal(new Uint8Array())).toThrow(reason('out-of-order'));
    client.message1();
    expect(() => client.message1()).toThrow(reason('out-of-order'));
    expect(() => untilMessage3(SECRET).client.message3(HELLO, SECRET)).toThrow(reason('out-of-order'));
  });

  it('is kept by the responder', () => {
    const server = responder();
    expect(() => server.message2(ANSWER)).toThrow(reason('out-of-order'));
    expect(() => server.readMessage3(new Uint8Array(100), PSKS)).toThrow(reason('out-of-order'));
    const done = untilMessage3(SECRET);
    expect(() => done.server.readMessage1(done.message1)).toThrow(reason('out-of-order'));
    done.server.readMessage3(done.message3, PSKS);
    expect(() => done.server.readMessage3(done.message3, PSKS)).toThrow(reason('out-of-order'));
  });

  it('needs a psk to try, and psks of 32 bytes', () => {
    const first = untilMessage3(SECRET);
    expect(() => first.server.readMessage3(first.message3, [])).toThrow(reason('out-of-order'));
    const second = untilMessage3(SECRET);
    expect(() => second.server.readMessage3(second.message3, [new Uint8Array(31)])).toThrow(reason('malformed'));
  });

  it('has the server answer only what was offered', () => {
    const server = responder();
    server.readMessage1(initiator().message1());
    expect(() => server.message2({ version: 9, features: 0 })).toThrow(reason('malformed'));
  });
});

/** A client on the bare engine, free to send what ours never would. */
function rawClient(crypto: NoiseCrypto): { readonly noise: HandshakeState; readonly message1: Uint8Array } {
  const options = { crypto, pattern: XXpsk3, role: 'initiator', prologue: PROLOGUE, s: CLIENT_S, e: CLIENT_E } as const;
  const noise = new HandshakeState(options);
  return { noise, message1: noise.writeMessage(encodeOffer(OFFER)) };
}

describe('hostile peers', () => {
  /** Presents an all-zero public key for the given private one. */
  function zeroKeyOf(privateKey: Uint8Array): NoiseCrypto {
    return {
      ...nodeCrypto,
      publicKey: (own) => (own === privateKey ? new Uint8Array(32) : nodeCrypto.publicKey(own)),
      dh: (own, remote) => (own === privateKey ? new Uint8Array(32) : nodeCrypto.dh(own, remote)),
    };
  }

  it('with an all-zero e in message 1 get no message 2', () => {
    const server = responder();
    server.readMessage1(rawClient(zeroKeyOf(CLIENT_E)).message1);
    expect(() => server.message2(ANSWER)).toThrow(reason('zero-agreement'));
  });

  it('with an all-zero e in message 2 get no message 3', () => {
    const client = initiator();
    const server = new Responder({ crypto: zeroKeyOf(SERVER_E), s: SERVER_S, e: SERVER_E });
    server.readMessage1(client.message1());
    const message2 = server.message2(ANSWER);
    expect(() => client.readMessage2(message2)).toThrow(reason('zero-agreement'));
  });

  it('with an all-zero s in message 2 get no message 3', () => {
    const client = initiator();
    const server = new Responder({ crypto: zeroKeyOf(SERVER_S), s: SERVER_S, e: SERVER_E });
    server.readMessage1(client.message1());
    const message2 = server.message2(ANSWER);
    expect(() => client.readMessage2(message2)).toThrow(reason('zero-agreement'));
  });

  it('with an all-zero s in message 3 get no session and no refusal', () => {
    const { server, message3 } = untilMessage3(SECRET, initiator(CLIENT_E, zeroKeyOf(CLIENT_S)));
    expect(() => server.readMessage3(message3, PSKS)).toThrow(reason('zero-agreement'));
  });

  it('cannot tell a psk that opens nonsense from one that does not open', () => {
    const server = responder();
    const { noise, message1 } = rawClient(nodeCrypto);
    server.readMessage1(message1);
    noise.readMessage(server.message2(ANSWER));
    noise.setPsk(SECRET);
    expect(server.readMessage3(noise.writeMessage(new Uint8Array(50)), PSKS).kind).toBe('secret-refused');
  });
});

describe('the vector of this protocol', () => {
  const { vectors } = JSON.parse(readFileSync(new URL('../noise/vectors.json', import.meta.url), 'utf8')) as {
    vectors: readonly {
      readonly init_psks?: readonly [string];
      readonly init_static: string;
      readonly init_ephemeral: string;
      readonly resp_static: string;
      readonly resp_ephemeral: string;
      readonly handshake_hash: string;
      readonly init_send_key?: string;
      readonly init_receive_key?: string;
      readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
      readonly refusal?: { readonly payload: string; readonly ciphertext: string };
    }[];
  };
  const vector = vectors.find(({ refusal }) => refusal !== undefined);
  const psk = unhex(vector?.init_psks?.[0]);
  const offer: Offer = { versions: [1, 2], features: 5 };
  const answer: Answer = { version: 1, features: 4 };
  const hello: Hello = {
    instance: counting(16, 160),
    linkNumber: 7,
    heartbeatIntervalMs: 2000,
    heartbeatTimeoutMs: 8000,
    agent: 'tunnel/0.1.0',
    firstCreditBytes: 262_144,
    firstCreditTotalBytes: 2 ** 25,
    resume: { sessionId: counting(16, 176), token: counting(32, 192), received: 300, next: 2 ** 32 + 1 },
  };

  function unhex(text: string | undefined): Uint8Array {
    return plain(Buffer.from(text ?? '', 'hex'));
  }

  function hex(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString('hex');
  }

  function counting(length: number, from: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => from + index);
  }

  function sides(): { readonly client: Initiator; readonly server: Responder } {
    return {
      client: new Initiator({
        crypto: nodeCrypto,
        s: unhex(vector?.init_static),
        e: unhex(vector?.init_ephemeral),
        offer,
      }),
      server: new Responder({
        crypto: nodeCrypto,
        s: unhex(vector?.resp_static),
        e: unhex(vector?.resp_ephemeral),
      }),
    };
  }

  it('comes out byte for byte, and so does its refusal', () => {
    const { client, server } = sides();
    const message1 = client.message1();
    server.readMessage1(message1);
    const message2 = server.message2(answer);
    client.readMessage2(message2);
    const message3 = client.message3(hello, psk);
    expect([message1, message2, message3].map(hex)).toEqual(
      vector?.messages.slice(0, 3).map(({ ciphertext }) => ciphertext),
    );
    expect(hex(client.transport.handshakeHash)).toBe(vector?.handshake_hash);
    expect(hex(client.transport.sendKey)).toBe(vector?.init_send_key);
    expect(hex(client.transport.receiveKey)).toBe(vector?.init_receive_key);

    const refusal = refused(server.readMessage3(message3, [OTHER])).sealRefusal(REFUSAL);
    expect(hex(refusal)).toBe(vector?.refusal?.ciphertext);
    expect(client.openRefusal(refusal)).toEqual(REFUSAL);
  });
});
