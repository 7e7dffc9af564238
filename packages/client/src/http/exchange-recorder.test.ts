import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EXCHANGE_LIMIT, ExchangeRecorder, RECORD_LIMIT_BYTES } from './exchange-recorder.ts';
import { ExchangeTap } from './exchange-tap.ts';
import { BODY_LIMIT_BYTES } from './recorded-bytes.ts';
import { MESSAGE_LIMIT, type RecordedExchange } from './recorded-exchange.ts';
import { unframed } from './unframed.ts';

const WALL_OFFSET_MS = 1_000_000;
const ORIGIN = { target: { host: 'localhost', port: 3000 }, address: '192.0.2.1:5000' };

type Piece = readonly [direction: 'received' | 'sent', data: string | Uint8Array];

/** A connection whose exchanges are recorded; each piece takes 1 ms. */
function connect(recorder: ExchangeRecorder): { pass(...pieces: readonly Piece[]): void; close(): void } {
  let now = 0;
  const tap = new ExchangeTap({
    onExchange: () => {},
    onRequest: (head, text, at) => recorder.begin(ORIGIN, head, text, at),
  });
  return {
    pass: (...pieces) => {
      for (const [direction, data] of pieces) {
        now += 1;
        tap[direction](typeof data === 'string' ? Buffer.from(data, 'latin1') : data, now);
      }
    },
    close: () => tap.closed(now + 1),
  };
}

/** The last exchange of a connection on which these pieces pass. */
function record(pieces: readonly Piece[]): RecordedExchange {
  const recorder = new ExchangeRecorder(WALL_OFFSET_MS);
  const connection = connect(recorder);
  connection.pass(...pieces);
  const exchange = recorder.exchanges.at(-1);
  if (!exchange) throw new Error('nothing was recorded');
  return exchange;
}

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1');

test('an exchange with its heads as they travelled, bodies and times', () => {
  const requestHead = 'POST /hook?x=1 HTTP/1.1\r\nHOST: a\r\nx-Odd:  two  blanks \r\nx-odd: again\r\nContent-Length: 5';
  const answerHead = 'HTTP/1.1 201 Created\r\ncontent-LENGTH: 3';
  const exchange = record([
    ['received', `${requestHead}\r\n\r\nhe`],
    ['received', 'llo'],
    ['sent', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['sent', `${answerHead}\r\n\r\n`],
    ['sent', 'yes'],
  ]);
  expect(exchange).toMatchObject({
    id: 1,
    startedAtMs: WALL_OFFSET_MS + 1,
    method: 'POST',
    path: '/hook?x=1',
    requestHead,
    answerHead,
    status: 201,
    state: 'whole',
    kind: 'http',
    requestEndMs: 1,
    firstByteMs: 3,
    endMs: 4,
    receivedBytes: 5,
    sentBytes: 3,
  });
  expect(text(exchange.requestBody.framed.bytes)).toBe('hello');
  expect(text(exchange.answerBody?.framed.bytes)).toBe('yes');
});

test('chunks are kept as they travelled, and read without their framing', () => {
  const request = '3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: y\r\n\r\n';
  const exchange = record([
    ['received', `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${request}`],
    ['received', 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['sent', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'],
  ]);
  expect(exchange).toMatchObject({ path: '/next', state: 'open' });
  const first = record([
    ['received', `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${request}`],
    ['sent', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'],
  ]);
  expect(text(first.requestBody.framed.bytes)).toBe(request);
  expect(text(unframed(first.requestBody))).toBe('abcde');
  expect(first.answerBody && text(unframed(first.answerBody))).toBe('x');
  expect(first).toMatchObject({ receivedBytes: 5, sentBytes: 1 });
});

test('however a connection is cut into pieces, the same is recorded', () => {
  const received = `POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
  const sent = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
      const pieces: Piece[] = [];
      for (const [direction, whole] of [['received', received] as const, ['sent', sent] as const]) {
        for (let at = 0, turn = 0; at < whole.length; turn += 1) {
          const end = at + (sizes[turn % sizes.length] ?? 1);
          pieces.push([direction, whole.slice(at, end)]);
          at = end;
        }
      }
      const exchange = record(pieces);
      expect(text(exchange.requestBody.framed.bytes)).toBe('3\r\nabc\r\n0\r\n\r\n');
      expect(text(exchange.answerBody?.framed.bytes)).toBe('hello');
      expect(exchange.state).toBe('whole');
    }),
  );
});

test('of a long body the beginning is kept', () => {
  const length = 1024 * 1024;
  const exchange = record([
    ['received', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['sent', `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`],
    ['sent', Buffer.alloc(length, 'x')],
  ]);
  expect(exchange.sentBytes).toBe(length);
  expect(exchange.answerBody?.framed).toMatchObject({ isWhole: false, totalBytes: length });
  expect(exchange.answerBody?.framed.bytes.length).toBe(BODY_LIMIT_BYTES);
});

test('what the connection cut short, and what is no HTTP, is told as such', () => {
  const recorder = new ExchangeRecorder(0);
  const cut = connect(recorder);
  cut.pass(['received', 'GET /cut HTTP/1.1\r\nHost: a\r\n\r\n']);
  cut.close();
  const unread = connect(recorder);
  unread.pass(['received', 'GET /unread HTTP/1.1\r\nHost: a\r\n\r\n'], ['sent', 'HTTP/9 what?\r\n\r\n']);
  unread.close();
  expect(recorder.exchanges.map(({ state }) => state)).toEqual(['cut', 'unread']);
});

describe('messages', () => {
  const upgrade: readonly Piece[] = [
    ['received', 'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['sent', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
  ];

  test('of a WebSocket: masked, in fragments, with a ping between them, longer than what is kept', () => {
    // RFC 6455, section 5.7
    const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
    const fragments = Buffer.from('010348656c890080026c6f', 'hex');
    const long = Buffer.concat([Buffer.from('827f0000000000010000', 'hex'), Buffer.alloc(65_536, 7)]);
    const exchange = record([
      ...upgrade,
      ['received', hello.subarray(0, 4)],
      ['received', hello.subarray(4)],
      ['sent', fragments],
      ['sent', long],
      ['received', Buffer.from('880203e8', 'hex')],
    ]);
    expect(exchange).toMatchObject({ kind: 'websocket', status: 101, state: 'open', messageCount: 5 });
    const told = exchange.messages.map(({ direction, kind, bytes, payload }) => [
      direction,
      kind,
      bytes,
      payload.length,
    ]);
    expect(told).toEqual([
      ['received', 'text', 5, 5],
      ['sent', 'ping', 0, 0],
      ['sent', 'text', 5, 5],
      ['sent', 'binary', 65_536, 16_384],
      ['received', 'close', 2, 2],
    ]);
    expect(exchange.messages.slice(0, 3).map(({ payload }) => text(payload))).toEqual(['Hello', '', 'Hello']);
  });

  test('that came before the upgrade was answered', () => {
    const [request, answer] = upgrade;
    const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
    const exchange = record([request!, ['received', hello], answer!]);
    expect(exchange.messages.map(({ payload }) => text(payload))).toEqual(['Hello']);
  });

  test('the newest are kept', () => {
    const message = (index: number): Piece => ['sent', Buffer.from([0x82, 1, index % 256])];
    const exchange = record([...upgrade, ...Array.from({ length: MESSAGE_LIMIT + 5 }, (_, index) => message(index))]);
    expect(exchange.messageCount).toBe(MESSAGE_LIMIT + 5);
    expect(exchange.messages.length).toBe(MESSAGE_LIMIT);
    expect(exchange.messages[0]?.payload).toEqual(Buffer.from([5]));
  });

  test('of an event stream, with all kinds of line ends', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n';
    const exchange = record([
      ['received', 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n'],
      ['sent', `${head}data: one\n\n: note\r\n`],
      ['sent', 'data: two\r'],
      ['sent', '\n\r\n\n\ndata: three\r\rdata: open'],
    ]);
    expect(exchange.kind).toBe('events');
    expect(exchange.messages.map(({ payload }) => text(payload).trim())).toEqual([
      'data: one',
      ': note\r\ndata: two',
      'data: three',
    ]);
  });

  test('whatever bytes follow an upgrade, they do no harm', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
        const exchange = record([...upgrade, ...pieces.map((piece): Piece => ['received', piece])]);
        expect(exchange.receivedBytes).toBe(pieces.reduce((sum, { length }) => sum + length, 0));
      }),
    );
  });
});

describe('the ring', () => {
  const GET: Piece = ['received', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'];
  const OK: Piece = ['sent', 'HTTP/1.1 204 No Content\r\n\r\n'];

  test('keeps the newest exchanges', () => {
    const recorder = new ExchangeRecorder(0);
    const dropped: number[] = [];
    recorder.watch({ onChanged: () => {}, onDropped: (ids) => dropped.push(...ids), onSkipped: () => {} });
    const connection = connect(recorder);
    // 2 ms each, so that they take more than a second.
    for (let count = 0; count < EXCHANGE_LIMIT + 3; count += 1) connection.pass(GET, OK);
    expect(recorder.exchanges.length).toBe(EXCHANGE_LIMIT);
    expect(dropped).toEqual([1, 2, 3]);
    recorder.clear();
    expect(recorder).toMatchObject({ bytes: 0, exchanges: [] });
  });

  test('keeps what fits into its memory, and nothing more of what it dropped', () => {
    const recorder = new ExchangeRecorder(0);
    const body = Buffer.alloc(BODY_LIMIT_BYTES, 1);
    const stuck = connect(recorder);
    stuck.pass(
      ['received', `PUT /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 * body.length}\r\n\r\nbegin`],
      ['sent', 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n'],
    );
    const [first] = recorder.exchanges;
    expect(first).toMatchObject({ messageCount: 1, messages: [{}] });
    let now = 0;
    for (let count = 0; count < 300; count += 1) {
      now += 10;
      const exchange = recorder.begin(
        ORIGIN,
        { method: 'PUT', target: '/', host: 'a', length: { kind: 'known', bytes: 1 }, wantsUpgrade: false },
        'PUT / HTTP/1.1',
        now,
      );
      exchange?.requestFramed(body);
      expect(recorder.bytes).toBeLessThanOrEqual(RECORD_LIMIT_BYTES);
    }
    expect(recorder.exchanges.length).toBeGreaterThan(200);
    expect(recorder.find(first?.id ?? 0)).toBeUndefined();
    const before = recorder.bytes;
    stuck.pass(['received', body], ['sent', 'data: two\n\n']);
    expect(recorder.bytes).toBe(before);
    expect(first?.requestBody.framed.bytes.buffer.byteLength).toBe(0);
    expect(first).toMatchObject({ requestHead: '', answerHead: undefined, answerBody: undefined, messages: [] });
  });

  test('does not look at what comes too fast, and says so', () => {
    const recorder = new ExchangeRecorder(0);
    const counts: number[] = [];
    recorder.watch({ onChanged: () => {}, onDropped: () => {}, onSkipped: (count) => counts.push(count) });
    const at = (now: number): unknown =>
      recorder.begin(
        ORIGIN,
        { method: 'GET', target: '/', host: 'a', length: { kind: 'unsaid' }, wantsUpgrade: false },
        'GET / HTTP/1.1',
        now,
      );
    for (let count = 0; count < EXCHANGE_LIMIT; count += 1) at(5);
    expect([at(6), at(1_004)]).toEqual([undefined, undefined]);
    expect(counts).toEqual([1, 2]);
    expect(at(1_005)).toBeDefined();
    expect(recorder.skipped).toBe(2);
  });
});
