import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeCrypto, RecordOpener, RecordSealer, tweetnaclCrypto } from '../crypto/crypto.ts';
import { HandshakeState, type HandshakeStateOptions } from './handshake-state.ts';
import { type HandshakePattern, XX, XXpsk3 } from './patterns.ts';

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: readonly string[];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly resp_prologue: string;
  readonly resp_psks?: readonly string[];
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
  readonly source: string;
}

const PATTERNS: Readonly<Record<string, HandshakePattern>> = {
  Noise_XX_25519_ChaChaPoly_SHA256: XX,
  Noise_XXpsk3_25519_ChaChaPoly_SHA256: XXpsk3,
};

/** Our own vectors, generated once this implementation passed the published ones, to pin its behaviour. */
const OWN = new URL('vectors.json', import.meta.url);
/** The published vectors of cacophony and snow, kept outside the repository. */
const PUBLISHED = new URL('../../../../../shared/vectors/noise-xx.json', import.meta.url);

function readVectors(url: URL): readonly Vector[] {
  return (JSON.parse(readFileSync(url, 'utf8')) as { vectors: readonly Vector[] }).vectors;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

const vectors = [...readVectors(OWN), ...(existsSync(PUBLISHED) ? readVectors(PUBLISHED) : [])];

describe.each([
  ['node', nodeCrypto],
  ['tweetnacl', tweetnaclCrypto],
])('Noise with X25519 of %s', (_, crypto) => {
  it.each(vectors.map((vector) => [`${vector.source}: ${vector.protocol_name}`, vector] as const))(
    '%s',
    (_name, vector) => {
      const pattern = PATTERNS[vector.protocol_name];
      if (pattern === undefined) throw new Error(`no pattern for ${vector.protocol_name}`);
      const initiatorOptions: HandshakeStateOptions = {
        crypto,
        pattern,
        role: 'initiator',
        prologue: unhex(vector.init_prologue),
        s: unhex(vector.init_static),
        e: unhex(vector.init_ephemeral),
      };
      const responderOptions: HandshakeStateOptions = {
        crypto,
        pattern,
        role: 'responder',
        prologue: unhex(vector.resp_prologue),
        s: unhex(vector.resp_static),
        e: unhex(vector.resp_ephemeral),
      };
      const initiator = new HandshakeState(initiatorOptions);
      const responder = new HandshakeState(responderOptions);
      for (const psk of vector.init_psks ?? []) initiator.setPsk(unhex(psk));
      for (const psk of vector.resp_psks ?? []) responder.setPsk(unhex(psk));

      const handshakeMessages = vector.messages.slice(0, pattern.messages.length);
      const transportMessages = vector.messages.slice(pattern.messages.length);
      expect(transportMessages.length).toBeGreaterThan(0);

      for (const [index, message] of handshakeMessages.entries()) {
        const [sender, receiver] = index % 2 === 0 ? [initiator, responder] : [responder, initiator];
        const ciphertext = sender.writeMessage(unhex(message.payload));
        expect(hex(ciphertext)).toBe(message.ciphertext);
        expect(hex(receiver.readMessage(ciphertext))).toBe(message.payload);
      }
      expect(hex(responder.h)).toBe(hex(initiator.h));
      expect(hex(initiator.h)).toBe(vector.handshake_hash ?? hex(responder.h)); // snow's have none
      expect(initiator.rs).toEqual(new Uint8Array(crypto.publicKey(unhex(vector.resp_static))));
      expect(responder.rs).toEqual(new Uint8Array(crypto.publicKey(unhex(vector.init_static))));

      const initiatorCiphers = initiator.split();
      const responderCiphers = responder.split();
      const records = new Map([
        [initiatorCiphers, new RecordSealer(initiatorCiphers.send.k ?? new Uint8Array())],
        [responderCiphers, new RecordSealer(responderCiphers.send.k ?? new Uint8Array())],
      ]);
      const openers = new Map([
        [initiatorCiphers, new RecordOpener(initiatorCiphers.receive.k ?? new Uint8Array())],
        [responderCiphers, new RecordOpener(responderCiphers.receive.k ?? new Uint8Array())],
      ]);
      for (const [index, message] of transportMessages.entries()) {
        // The sides keep alternating where the handshake stopped.
        const initiatorSends = (index + handshakeMessages.length) % 2 === 0;
        const [sender, receiver] = initiatorSends
          ? [initiatorCiphers, responderCiphers]
          : [responderCiphers, initiatorCiphers];
        const payload = unhex(message.payload);
        const ciphertext = sender.send.encryptWithAd(new Uint8Array(), payload);
        expect(hex(ciphertext)).toBe(message.ciphertext);
        expect(hex(receiver.receive.decryptWithAd(new Uint8Array(), ciphertext))).toBe(message.payload);
        // Records are the same format.
        const pieces = records.get(sender)?.seal([payload.subarray(0, 3), payload.subarray(3)]) ?? [];
        expect(hex(Buffer.concat(pieces))).toBe(message.ciphertext);
        expect(hex(openers.get(receiver)?.open(ciphertext) ?? new Uint8Array())).toBe(message.payload);
      }
    },
  );
});
