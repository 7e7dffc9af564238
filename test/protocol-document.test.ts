// Holds docs/protocol.md, and the constants in the other documents, against the code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFrames, encodeFrame, type Frame, Initiator, Responder } from '@tunnel/shared';
import { derivePsk, nodeCrypto, ZERO_PSK } from '@tunnel/shared/node';
import { describe, expect, test } from 'vitest';
import { namedBlocks, readConstants, readDocument, tableRows } from './support/documents.ts';

const document = readDocument('protocol.md');
const blocks = namedBlocks(document);

function text(name: string): string {
  const block = blocks.get(name);
  if (block === undefined) throw new Error(`docs/protocol.md has no block ${name}`);
  return block;
}

function unhex(hexText: string): Uint8Array {
  return new Uint8Array(Buffer.from(hexText.replaceAll(/\s/g, ''), 'hex'));
}

function bytes(name: string): Uint8Array {
  return unhex(text(name));
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}

/** A frame, or anything else with bytes in it, as the document writes it. */
function asJson(value: object): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (part instanceof Uint8Array ? hex(part) : part)));
}

/** One of each, as small as it gets. The compiler sees to it that none is missing. */
const FRAMES: { readonly [Type in Frame['type']]: Extract<Frame, { readonly type: Type }> } = {
  accepted: {
    type: 'accepted',
    sessionId: new Uint8Array(16),
    token: new Uint8Array(32),
    received: 0,
    next: 1,
    resumeWindowMs: 0,
    heartbeatIntervalMs: 0,
    heartbeatTimeoutMs: 0,
    agent: '',
  },
  refused: { type: 'refused', code: '', retryAfterMs: 0, detail: '' },
  acknowledgement: { type: 'acknowledgement', number: 0 },
  credit: { type: 'credit', streamId: 0, offset: 0 },
  heartbeat: { type: 'heartbeat', answerNow: false, timestamp: 0, echo: undefined, nextWithinMs: 0 },
  goodbye: { type: 'goodbye', code: '' },
  drain: { type: 'drain', retryAfterMs: 0, spreadMs: 0, graceMs: 0 },
  'visitors-refused': { type: 'visitors-refused', tunnelId: 0, denied: 0, overLimit: 0 },
  open: { type: 'open', streamId: 0, tunnelId: 0, creditBytes: 0, takenBytes: 0, attributes: [] },
  data: { type: 'data', streamId: 0, data: Uint8Array.of(0) },
  end: { type: 'end', streamId: 0 },
  reset: { type: 'reset', streamId: 0, code: '' },
  void: { type: 'void', count: 1 },
  'tunnel-request': { type: 'tunnel-request', tunnelId: 0, kind: 1, name: '', label: '', terms: [] },
  'tunnel-granted': { type: 'tunnel-granted', tunnelId: 0, name: '', addresses: [] },
  'tunnel-addresses': { type: 'tunnel-addresses', tunnelId: 0, addresses: [] },
  'tunnel-refused': { type: 'tunnel-refused', tunnelId: 0, code: '', detail: '' },
  'tunnel-close': { type: 'tunnel-close', tunnelId: 0, code: '' },
};

/** Bytes of an empty payload by the fields in the table: `stream id (4), code (text)` is 4 + 1. */
function leastBytes(fields: string): number {
  const sizes = fields.split(', ').map((field) => {
    const size = /\((.+)\)$/.exec(field)?.[1] ?? '';
    return { text: 1, 'long text': 2 }[size] ?? Number(size);
  });
  return sizes.reduce((sum, size) => sum + size);
}

describe('frames', () => {
  const rows = tableRows(document, /^0x/);

  test('the table has every type with its number', () => {
    const numbers = Object.values(FRAMES).map((frame) => [
      frame.type,
      `0x${encodeFrame(frame)[0]?.toString(16).padStart(2, '0')}`,
    ]);
    expect(Object.fromEntries(rows.map(([number, type = '']) => [type, number]))).toEqual(Object.fromEntries(numbers));
  });

  test('the table says what is numbered', () => {
    for (const [number, type, numbered] of rows)
      expect([type, numbered]).toEqual([type, Number(number) < 0x40 ? 'no' : 'yes']);
  });

  test.each(rows.filter(([, type]) => type !== 'data'))(
    '%s %s has the fields of the table',
    (_number, type, _numbered, _by, fields) => {
      const frame = FRAMES[type as Frame['type']];
      expect(leastBytes(fields?.replace(/, at least 1$|, and then.*$/, '') ?? '')).toBe(encodeFrame(frame).length - 4);
    },
  );

  test('skippable types are skipped and others are not', () => {
    const outcome = (type: number): string => {
      try {
        return decodeFrames(Uint8Array.of(type, 0, 0, 1, 0xff)).length === 0 ? 'skipped' : 'known';
      } catch {
        return 'error';
      }
    };
    const skipped = Array.from({ length: 256 }, (_, type) => type).filter((type) => outcome(type) === 'skipped');
    expect(document).toContain('Unknown types from 0x30 to 0x3f must be skipped.');
    expect(skipped).toEqual(Array.from({ length: 16 }, (_, index) => 0x30 + index));
  });

  const samples = tableRows(document, /^[\da-f]{2} [\da-f]{6} /);

  test('there is a sample of each', () => {
    const types = samples.map(([, fields = '']) => (JSON.parse(fields) as Frame).type);
    expect(new Set(types)).toEqual(new Set(Object.keys(FRAMES)));
  });

  test.each(samples)('%s', (sample = '', fields = '') => {
    const [frame, ...others] = decodeFrames(unhex(sample));
    expect(asJson(frame!)).toEqual(JSON.parse(fields));
    expect(others).toEqual([]);
    expect(hex(encodeFrame(frame!))).toBe(sample.replaceAll(' ', ''));
  });
});

describe('constants', () => {
  const constants = readConstants();

  test.each(['protocol.md', 'threat-model.md'])('those in the tables of %s are those of the code', (name) => {
    const rows = tableRows(readDocument(name), /^[A-Z][A-Z\d]*_[A-Z\d_]+$/);
    expect(rows.length).toBeGreaterThan(10);
    const said = rows.map(([constant = '', value = '']) => [constant, Number(value.replaceAll(',', ''))]);
    expect(said).toEqual(rows.map(([constant = '']) => [constant, constants.get(constant)]));
  });
});

describe('stream states', () => {
  const source = readFileSync(join(import.meta.dirname, '../packages/shared/src/session/stream-state.ts'), 'utf8');

  /** `ended end -> finished` for each transition in one of the two tables of the source. */
  function transitionsInCode(table: string): string[] {
    const [, body = ''] = new RegExp(`export const ${table}:[^\n]*= \\{\n(.*?)\n\\};`, 's').exec(source) ?? [];
    return [...body.matchAll(/^ {2}(\w+): \{(.*)\},$/gm)].flatMap(([, state = '', events = '']) =>
      [...events.matchAll(/([\w-]+)'?: '(\w+)'/g)].map(([, event = '', next = '']) => `${state} ${event} -> ${next}`),
    );
  }

  /** The same from the document; its first table with such rows is the outgoing one. */
  function transitionsInDocument(heading: string): string[] {
    const [, body = ''] = new RegExp(`${heading}\n\n(.*?)\n\n`, 's').exec(document) ?? [];
    return tableRows(body, /^\w+$/).flatMap(([state = '', , events = '']) =>
      [...events.matchAll(/`([\w-]+)` → `(\w+)`/g)].map(([, event = '', next = '']) => `${state} ${event} -> ${next}`),
    );
  }

  test.each([
    ['OUTGOING', 'What a side does to its own direction:'],
    ['INCOMING', 'What it receives:'],
  ])('the table of %s', (table, heading) => {
    expect(transitionsInCode(table).length).toBeGreaterThan(5);
    expect(transitionsInDocument(heading)).toEqual(transitionsInCode(table));
  });
});

describe('the worked example', () => {
  const offer = JSON.parse(text('offer'));
  const answer = JSON.parse(text('answer'));
  const hello = JSON.parse(text('hello'));
  const refusal = JSON.parse(text('refusal'));

  const makeInitiator = (): Initiator =>
    new Initiator({ crypto: nodeCrypto, s: bytes('client-s'), e: bytes('client-e'), offer });
  const makeResponder = (): Responder =>
    new Responder({ crypto: nodeCrypto, s: bytes('server-s'), e: bytes('server-e') });

  test('psk', async () => {
    const [, secret = ''] = /secret is `([^`]+)`/.exec(document) ?? [];
    expect(hex(await derivePsk(secret))).toBe(hex(bytes('psk')));
  });

  test('the client writes these messages and believes this refusal', () => {
    const initiator = makeInitiator();
    expect(hex(initiator.message1())).toBe(hex(bytes('message-1')));
    expect(initiator.readMessage2(bytes('message-2'))).toMatchObject({ answer });
    const message3 = initiator.message3({ ...hello, instance: unhex(hello.instance) }, bytes('psk'));
    expect(hex(message3)).toBe(hex(bytes('message-3')));
    expect(initiator.openRefusal(bytes('sealed-refusal'))).toEqual(refusal);
    expect(hex(initiator.transport.sendKey)).toBe(hex(bytes('client-to-server')));
    expect(hex(initiator.transport.receiveKey)).toBe(hex(bytes('server-to-client')));
  });

  test('the server reads and writes them', () => {
    const responder = makeResponder();
    expect(responder.readMessage1(bytes('message-1'))).toEqual(offer);
    expect(hex(responder.message2(answer))).toBe(hex(bytes('message-2')));
    const outcome = responder.readMessage3(bytes('message-3'), [bytes('psk')]);
    if (outcome.kind !== 'opened') throw new Error(outcome.kind);
    expect(asJson(outcome.hello)).toEqual(hello);
    expect(hex(outcome.clientKey)).toBe(hex(nodeCrypto.publicKey(bytes('client-s'))));
    expect(hex(outcome.transport.sendKey)).toBe(hex(bytes('server-to-client')));
  });

  test('a server with another psk refuses in these bytes', () => {
    const responder = makeResponder();
    responder.readMessage1(bytes('message-1'));
    responder.message2(answer);
    const outcome = responder.readMessage3(bytes('message-3'), [ZERO_PSK]);
    if (outcome.kind !== 'secret-refused') throw new Error(outcome.kind);
    expect(hex(outcome.sealRefusal(refusal))).toBe(hex(bytes('sealed-refusal')));
  });

  test('the headers are the messages', () => {
    for (const number of [1, 2]) {
      expect(Buffer.from(bytes(`message-${number}`)).toString('base64url')).toBe(text(`header-${number}`));
    }
  });

  const records = [...blocks.keys()].flatMap((name) => {
    const [, record, side, number] = /^record-((client|server)-(\d+))$/.exec(name) ?? [];
    return record === undefined ? [] : [{ record, side, number: Number(number) }];
  });

  test.each(records)('record $record', ({ record, side, number }) => {
    const key = bytes(side === 'client' ? 'client-to-server' : 'server-to-client');
    const plaintext = nodeCrypto.open(key, number, new Uint8Array(0), bytes(`record-${record}`));
    expect(plaintext && hex(plaintext)).toBe(hex(bytes(`plaintext-${record}`)));
    expect(decodeFrames(bytes(`plaintext-${record}`)).map(asJson)).toEqual(JSON.parse(text(`frames-${record}`)));
  });

  test('has five records', () => {
    expect(records).toHaveLength(5);
  });
});
