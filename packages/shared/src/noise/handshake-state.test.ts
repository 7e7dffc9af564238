import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/crypto.ts';
import { CipherState } from './cipher-state.ts';
import type { NoiseErrorReason } from './error.ts';
import { HandshakeState } from './handshake-state.ts';
import { XX, XXpsk3 } from './patterns.ts';

function key(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

function reason(expected: NoiseErrorReason): object {
  return expect.objectContaining({ name: 'NoiseError', reason: expected });
}

const PAYLOAD = Uint8Array.of(1, 2, 3);
const AD = Uint8Array.of(9);

function pair(pattern = XXpsk3): { initiator: HandshakeState; responder: HandshakeState } {
  const common = { crypto: nodeCrypto, pattern, prologue: new Uint8Array() };
  return {
    initiator: new HandshakeState({ ...common, role: 'initiator', s: key(1), e: key(2) }),
    responder: new HandshakeState({ ...common, role: 'responder', s: key(3), e: key(4) }),
  };
}

/** A pair whose responder is about to read message 3, written with psk 7. */
function beforeMessage3(): { responder: HandshakeState; message3: Uint8Array } {
  const { initiator, responder } = pair();
  responder.readMessage(initiator.writeMessage(PAYLOAD));
  initiator.readMessage(responder.writeMessage(PAYLOAD));
  initiator.setPsk(key(7));
  return { responder, message3: initiator.writeMessage(PAYLOAD) };
}

describe('HandshakeState', () => {
  it('refuses calls out of turn', () => {
    const { initiator, responder } = pair();
    expect(() => responder.writeMessage(PAYLOAD)).toThrow(reason('out-of-order'));
    expect(() => initiator.readMessage(PAYLOAD)).toThrow(reason('out-of-order'));
    expect(() => initiator.split()).toThrow(reason('out-of-order'));
  });

  it('refuses message 3 without a psk', () => {
    const { responder, message3 } = beforeMessage3();
    expect(() => responder.readMessage(message3)).toThrow(reason('out-of-order'));
  });

  it('refuses a psk of another length', () => {
    expect(() => pair().initiator.setPsk(new Uint8Array(31))).toThrow(reason('malformed'));
  });

  it('has no further messages after the last', () => {
    const { initiator, responder } = pair(XX);
    responder.readMessage(initiator.writeMessage(PAYLOAD));
    initiator.readMessage(responder.writeMessage(PAYLOAD));
    responder.readMessage(initiator.writeMessage(PAYLOAD));
    expect(() => responder.writeMessage(PAYLOAD)).toThrow(reason('out-of-order'));
    expect(() => initiator.writeMessage(PAYLOAD)).toThrow(reason('out-of-order'));
  });

  it('stays failed after a failure', () => {
    const { initiator, responder } = pair();
    const message1 = initiator.writeMessage(PAYLOAD);
    expect(() => responder.readMessage(message1.subarray(1))).toThrow(reason('unauthentic'));
    expect(() => responder.readMessage(message1)).toThrow(reason('out-of-order'));
  });

  it.each([XX, XXpsk3])('calls a message that is too short malformed or unauthentic: $name', (pattern) => {
    const { initiator } = pair(pattern);
    const message1 = initiator.writeMessage(new Uint8Array());
    for (let length = 0; length < message1.length; length += 1) {
      const { responder } = pair(pattern);
      expect(() => responder.readMessage(message1.subarray(0, length))).toThrow(reason('malformed'));
    }
  });

  it('tries psks on clones, each independent of the others', () => {
    const { responder, message3 } = beforeMessage3();
    const wrong = responder.clone();
    wrong.setPsk(key(8));
    expect(() => wrong.readMessage(message3)).toThrow(reason('unauthentic'));
    expect(wrong.rs).toEqual(nodeCrypto.publicKey(key(1)));
    const right = responder.clone();
    right.setPsk(key(7));
    expect(new Uint8Array(right.readMessage(message3))).toEqual(PAYLOAD);
    expect(responder.rs).toBeUndefined();
    responder.setPsk(key(7));
    expect(new Uint8Array(responder.readMessage(message3))).toEqual(PAYLOAD);
    expect(responder.h).toEqual(right.h);
  });

  it('tells whether s itself opened', () => {
    const { responder, message3 } = beforeMessage3();
    responder.setPsk(key(7));
    message3[0] = (message3[0] ?? 0) ^ 1;
    expect(() => responder.readMessage(message3)).toThrow(reason('unauthentic'));
    expect(responder.rs).toBeUndefined();
  });

  it('keeps nothing of the buffer that a message came in', () => {
    const { initiator, responder } = pair();
    const message1 = initiator.writeMessage(PAYLOAD);
    const buffer = Uint8Array.from(message1);
    responder.readMessage(buffer);
    buffer.fill(0);
    expect(new Uint8Array(initiator.readMessage(responder.writeMessage(PAYLOAD)))).toEqual(PAYLOAD);
  });
});

describe('CipherState', () => {
  it('passes everything through without a key', () => {
    const cipher = new CipherState(nodeCrypto);
    expect(cipher.encryptWithAd(AD, PAYLOAD)).toBe(PAYLOAD);
    expect(cipher.decryptWithAd(AD, PAYLOAD)).toBe(PAYLOAD);
    expect(cipher.n).toBe(0);
  });

  it('counts what it sealed and opened, and not what did not open', () => {
    const sender = new CipherState(nodeCrypto, key(1));
    const receiver = new CipherState(nodeCrypto, key(1));
    const first = sender.encryptWithAd(AD, PAYLOAD);
    const second = sender.encryptWithAd(AD, PAYLOAD);
    expect(second).not.toEqual(first);
    expect(() => receiver.decryptWithAd(AD, second)).toThrow(reason('unauthentic'));
    expect(receiver.n).toBe(0);
    expect(new Uint8Array(receiver.decryptWithAd(AD, first))).toEqual(PAYLOAD);
    expect(receiver.clone().n).toBe(1);
    expect(new Uint8Array(receiver.clone().decryptWithAd(AD, second))).toEqual(PAYLOAD);
    expect(receiver.n).toBe(1);
  });
});
