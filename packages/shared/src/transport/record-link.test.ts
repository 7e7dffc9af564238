import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { randomBytes } from '../crypto/crypto.ts';
import { RecordLink } from './record-link.ts';

const KEYS = [randomBytes(32), randomBytes(32)] as const;
const handshakeHash = randomBytes(32);
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Both ends of a link over loopback, and what they are made of. */
async function connectLinks(): Promise<{
  readonly client: RecordLink;
  readonly server: RecordLink;
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}> {
  const http = createServer().listen(0, '127.0.0.1');
  const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  await once(http, 'listening');
  const webSocket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`, {
    perMessageDeflate: false,
    generateMask: (mask) => mask.fill(0),
  });
  const connected = once(webSockets, 'connection');
  const [response] = (await once(webSocket, 'upgrade')) as [{ socket: Socket }];
  const [serverWebSocket, request] = (await connected) as [WebSocket, { socket: Socket }];
  const client = new RecordLink(
    webSocket,
    response.socket,
    { sendKey: KEYS[0], receiveKey: KEYS[1], handshakeHash },
    'client',
  );
  const server = new RecordLink(
    serverWebSocket,
    request.socket,
    { sendKey: KEYS[1], receiveKey: KEYS[0], handshakeHash },
    'server',
  );
  closers.push(
    () => client.destroy(),
    () => server.destroy(),
    () => http.close(),
  );
  return { client, server, webSocket, socket: response.socket };
}

/** Lengths around which WebSocket headers and reads change, and others. */
function* lengths(): Generator<number> {
  for (const edge of [126, 65_536, 131_072]) for (let by = -20; by <= 20; by += 1) yield edge + by;
  for (let count = 0; count < 100; count += 1) yield 1 + Math.floor(Math.random() * 250_000);
}

test('records of all lengths arrive whole, both ways, with pings of the peer among them', async () => {
  const { client, server, webSocket } = await connectLinks();
  const sent = [...lengths()].map((length) => Buffer.from(randomBytes(length)));
  const pings: Buffer[] = [];
  const pongs: string[] = [];
  webSocket.on('pong', (data) => pongs.push(data.toString()));
  const received: [Buffer[], Buffer[]] = [[], []];
  const arrived = Promise.all(
    [server, client].map(
      (link, index) =>
        new Promise<void>((resolve, reject) => {
          link.start({
            // A copy: what comes is freed by its user.
            onRecord: (plaintext) => {
              received[index]!.push(Buffer.from(plaintext));
              if (received[index]!.length === sent.length) resolve();
            },
            onDrain: () => {},
            onEnd: reject,
          });
        }),
    ),
  );
  for (const [index, data] of sent.entries()) {
    client.send([data.subarray(0, 3), data.subarray(3)]);
    server.send([data]);
    if (index % 7 !== 0) continue;
    pings.push(Buffer.from(`ping ${index} ${'.'.repeat(index % 90)}`));
    webSocket.ping(pings.at(-1)!);
    // `ws` closes on whom it cannot answer fast enough.
    await vi.waitFor(() => expect(pongs.length).toBe(pings.length), 10_000);
  }
  await arrived;
  for (const side of received) {
    expect(side.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
    expect(side.every((data, index) => data.equals(sent[index]!))).toBe(true);
  }
  expect(pongs).toEqual(pings.map(String));
});

test('what was read and sent is given back at once', async () => {
  const { client, server, socket } = await connectLinks();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const done = new Promise<void>((resolve) => {
    let left = 400;
    client.start({ onRecord: () => (left -= 1) === 0 && resolve(), onDrain: () => {}, onEnd: () => {} });
  });
  server.start({ onRecord: () => {}, onDrain: () => {}, onEnd: () => {} });
  for (let count = 0; count < 400; count += 1) {
    server.send([new Uint8Array(200_000)]);
    if (count % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  const large = chunks.filter(({ buffer }) => buffer.byteLength === 0 || buffer.byteLength > 16_384);
  expect(large.length).toBeGreaterThan(400);
  // All but what the last record ends in.
  expect(large.filter(({ buffer }) => buffer.byteLength > 0).length).toBeLessThanOrEqual(8);
});

/** A server's link to a peer that is a mere socket, and writes what it likes. */
async function connectRaw(): Promise<{ readonly peer: Socket; readonly socket: Socket }> {
  const http = createServer().listen(0, '127.0.0.1');
  const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  await once(http, 'listening');
  const peer = connect({ port: (http.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const connected = once(webSockets, 'connection');
  peer.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [[webSocket, { socket }]] = (await Promise.all([connected, once(peer, 'data')])) as [
    [WebSocket, { socket: Socket }],
    unknown,
  ];
  const link = new RecordLink(webSocket, socket, { sendKey: KEYS[1], receiveKey: KEYS[0], handshakeHash }, 'server');
  link.start({ onRecord: () => {}, onDrain: () => {}, onEnd: () => {} });
  closers.push(
    () => peer.destroy(),
    () => link.destroy(),
    () => http.close(),
  );
  return { peer, socket };
}

const MASKED_PONG = Buffer.concat([Buffer.from([0x8a, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)]);

test.each([
  ['behind a close frame', Buffer.from([0x88, 0x80, 0, 0, 0, 0]), Buffer.alloc(65_500)],
  ['as pongs', Buffer.alloc(0), Buffer.concat(Array.from({ length: 500 }, () => MASKED_PONG))],
])('what a peer sends %s is not kept', async (_where, first, piece) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { peer, socket } = await connectRaw();
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  peer.write(first);
  const pieces = 500;
  const end = socket.bytesRead + first.length + pieces * piece.length;
  for (let count = 0; count < pieces; count += 1) if (!peer.write(piece)) await once(peer, 'drain');
  await vi.waitFor(() => {
    expect(socket.bytesRead).toBe(end);
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
  }, 10_000);
});

test('what the peer said before it reset the connection arrives, though a write failed before it was read', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { client, server, socket } = await connectLinks();
    const records: string[] = [];
    const ended = new Promise<string>((resolve) => {
      const onRecord = (plaintext: Uint8Array): void => void records.push(Buffer.from(plaintext).toString());
      client.start({ onRecord, onDrain: () => {}, onEnd: ({ code }) => resolve(code) });
    });
    socket.pause();
    server.send([Buffer.from('refused')]);
    await vi.waitFor(() => expect(server.queuedBytes).toBe(0));
    server.destroy();
    // The first is answered with a reset, which the next one meets.
    for (let count = 0; count < 10; count += 1) {
      client.send([randomBytes(1000)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.resume();
    expect([await ended, records]).toEqual(['link-reset', ['refused']]);
  }
});
