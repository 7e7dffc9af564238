// Peers that break the protocol, knowingly or not: their own link or session ends, is told once, and nobody else notices.
import { connect, type Socket } from 'node:net';
import { type Hello, encodeFrame, type Frame, MAX_RECORD_BYTES, TUNNEL_LIMIT } from '@tunnel/shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  accepted,
  closeOf,
  connectByHand,
  type HandLink,
  newInitiator,
  openUpgrade,
  portOf,
  startHandServer,
  streamOpen,
  tunnelGrant,
  tunnelRequest,
} from './support/hand-driven.ts';
import { HANDSHAKE_HEADER } from './support/middleman.ts';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { type RunningClient, type RunningServer, startClient, startServer } from './support/pair.ts';
import { startRelay, type Relay } from './support/relay.ts';
import { type Service, startEcho, startSource } from './support/services.ts';
import { visit, type Visitor } from './support/visitor.ts';

const MiB = 1024 * 1024;

/** Frames that no session has a use for: type, length of the payload, payload. */
const rawFrame = (type: number, payload: readonly number[] = []): Uint8Array =>
  Uint8Array.of(type, 0, 0, payload.length, ...payload);

const dataOf = (streamId: number, bytes: number): Frame => ({ type: 'data', streamId, data: new Uint8Array(bytes) });

describe('a server', () => {
  const transferBytes = 512 * MiB;
  let source: Service;
  let echo: Service;
  let server: RunningServer;
  let relay: Relay;
  let honest: RunningClient;
  /** In the middle of a download all the time. */
  let download: Visitor;
  let talker: Visitor;

  beforeAll(async () => {
    source = await startSource(transferBytes, 5);
    echo = await startEcho();
    server = await startServer();
    relay = await startRelay({ targetPort: server.port });
    relay.throttle(4 * MiB);
    honest = await startClient(relay.port, [source.port, echo.port]);
    download = await visit(honest.ports[0]!, { seed: 5 });
    talker = await visit(honest.ports[1]!);
    await download.waitForBytes(1);
  });

  afterAll(async () => {
    for (const each of [download, talker, honest, relay, server, source, echo]) await each[Symbol.asyncDispose]();
  });

  /** The honest client, its visitors and their bytes are as they should be. */
  async function expectNothingElseTouched(): Promise<void> {
    const before = talker.receivedBytes;
    talker.socket.write('still here');
    await Promise.all([talker.waitForBytes(before + 10), download.waitForBytes(download.receivedBytes + 1)]);
    expect(download.checker?.problem).toBeUndefined();
    expect(download.ending).toBeUndefined();
    expect(honest.log.names).toEqual(['ready']);
  }

  const afterHandshake: readonly (readonly [name: string, code: string, act: (link: HandLink) => void])[] = [
    ['a text message', 'protocol-error', ({ webSocket }) => webSocket.send('hello')],
    ['a record that does not decrypt', 'record-unreadable', ({ webSocket }) => webSocket.send(Buffer.alloc(100, 7))],
    ['an empty message', 'record-unreadable', ({ webSocket }) => webSocket.send(Buffer.alloc(0))],
    [
      'a message over the limit',
      'protocol-error',
      ({ webSocket }) => webSocket.send(Buffer.alloc(MAX_RECORD_BYTES + 1)),
    ],
    ['bytes that are no WebSocket frame', 'protocol-error', ({ socket }) => void socket.write(Buffer.alloc(64, 0xff))],
    ['a frame of an unknown type that is not numbered', 'protocol-error', (link) => link.sendPlaintext(rawFrame(0x20))],
    ['a frame of an unknown type that is numbered', 'protocol-error', (link) => link.sendPlaintext(rawFrame(0x7f))],
    [
      'a frame that is longer than its record',
      'protocol-error',
      (link) => link.sendPlaintext(Uint8Array.of(0x41, 0, 1, 0)),
    ],
    ['a frame with too short a payload', 'protocol-error', (link) => link.sendPlaintext(rawFrame(0x04, [0, 0]))],
    ['data for a stream that never was', 'protocol-error', (link) => link.send(dataOf(1, 10))],
    [
      'credit for a stream that never was',
      'protocol-error',
      (link) => link.send({ type: 'credit', streamId: 9, offset: 1 }),
    ],
    ['an end of a stream that never was', 'protocol-error', (link) => link.send({ type: 'end', streamId: 1 })],
    [
      'an acknowledgement of what was not sent',
      'protocol-error',
      (link) => link.send({ type: 'acknowledgement', number: 99 }),
    ],
    ['an accepted', 'protocol-error', (link) => link.send(accepted())],
    ['a drain', 'protocol-error', (link) => link.send({ type: 'drain', retryAfterMs: 1, spreadMs: 1, graceMs: 1 })],
    ['a grant', 'protocol-error', (link) => link.send(tunnelGrant(1, 80))],
    ['a stream with an id of the other side', 'protocol-error', (link) => link.send(streamOpen(7, 1))],
  ];

  test.each(afterHandshake)('ends the link of a client that sends %s', async (_name, code, act) => {
    const before = server.log.names.length;
    await using link = await connectByHand(server.port);
    act(link);
    await link.closed;
    const { event } = await server.log.waitFor('client-disconnected', ({ sessionId }) => isOf(link, sessionId));
    expect(event.code).toBe(code);
    expect(server.log.names.slice(before).filter((name) => name.startsWith('client-'))).toEqual([
      'client-connected',
      'client-disconnected',
    ]);
    await expectNothingElseTouched();
  });

  function isOf(link: HandLink, sessionId: string): boolean {
    const first = link.frames.find((frame) => frame.type === 'accepted');
    return first !== undefined && Buffer.from(first.sessionId).toString('hex') === sessionId;
  }

  test('ends the session of a client that sends beyond its credit', async () => {
    await using link = await connectByHand(server.port);
    link.send(tunnelRequest(1));
    const port = portOf(await link.waitFor('tunnel-granted'));
    await using visitor = await visit(port);
    await link.waitFor('open');
    // To a visitor that is gone: nothing of it is taken, so no more is granted.
    const gone = await visit(port);
    const { streamId } = await link.waitFor('open', (open) => open.streamId > 1);
    gone.socket.resetAndDestroy();
    await link.waitFor('reset');
    for (let bytes = 0; bytes <= link.creditOf(streamId); bytes += 200_000) link.send(dataOf(streamId, 200_000));
    await link.closed;
    const { event } = await server.log.waitFor('client-disconnected', ({ sessionId }) => isOf(link, sessionId));
    expect(event).toMatchObject({ code: 'protocol-error', ended: true });
    // The data would come again on every link.
    expect(await link.waitFor('goodbye')).toMatchObject({ code: 'protocol-error' });
    expect(await visitor.waitForEnding()).toBe('ECONNRESET');
    await expectNothingElseTouched();
  });

  test('keeps the session where what was wrong may not come again', async () => {
    await using link = await connectByHand(server.port);
    link.send(tunnelRequest(1));
    const port = portOf(await link.waitFor('tunnel-granted'));
    await using visitor = await visit(port);
    await link.waitFor('open');
    link.send({ type: 'credit', streamId: 9, offset: 1 });
    await link.closed;
    const { event } = await server.log.waitFor('client-disconnected', ({ sessionId }) => isOf(link, sessionId));
    expect(event).toMatchObject({ code: 'protocol-error', ended: false });
    expect(visitor.ending).toBeUndefined();
    await expectNothingElseTouched();
  });

  test('ends the session of a client that asks on and on without waiting for answers', async () => {
    await using link = await connectByHand(server.port);
    for (let batch = 0; batch < 4; batch += 1) {
      link.send(
        ...Array.from({ length: TUNNEL_LIMIT }, (_, index) =>
          tunnelRequest(batch * TUNNEL_LIMIT + index, { port: 80 }),
        ),
      );
    }
    expect(await link.waitFor('goodbye')).toMatchObject({ code: 'protocol-error' });
    const { event } = await server.log.waitFor('client-disconnected', ({ sessionId }) => isOf(link, sessionId));
    expect(event).toMatchObject({ code: 'protocol-error', ended: true });
    await expectNothingElseTouched();
  });

  test('gives no place in a session to requests that it refuses', async () => {
    await using link = await connectByHand(server.port);
    const refused = Array.from({ length: TUNNEL_LIMIT }, (_, index) => tunnelRequest(index + 1, { port: 80 }));
    link.send(...refused, tunnelRequest(TUNNEL_LIMIT + 1));
    expect(await link.waitFor('tunnel-granted')).toMatchObject({ tunnelId: TUNNEL_LIMIT + 1 });
    const codes = link.frames.flatMap((frame) => (frame.type === 'tunnel-refused' ? [frame.code] : []));
    expect(new Set(codes)).toEqual(new Set(['port-not-allowed']));
  });

  test('answers each request, also those that are repeated while the first one is worked on', async () => {
    await using link = await connectByHand(server.port);
    link.send(
      tunnelRequest(1),
      tunnelRequest(1),
      { type: 'tunnel-close', tunnelId: 1, code: 'stopped' },
      tunnelRequest(1),
    );
    link.send(tunnelRequest(1), tunnelRequest(1, { port: 80 }), tunnelRequest(2));
    await link.waitFor('tunnel-granted', ({ tunnelId }) => tunnelId === 2);
    const ids = link.frames.flatMap((frame) => (frame.type === 'tunnel-granted' ? [frame.tunnelId] : []));
    expect(ids).toEqual([1, 1, 1, 2]);
  });

  test('refuses a tunnel of a kind or a name that it does not have, and nothing else', async () => {
    await using link = await connectByHand(server.port);
    const names = ['http', '0', '080', '65536', '-1', ' 80'];
    link.send({ ...tunnelRequest(1), kind: 9 }, ...names.map((name, index) => ({ ...tunnelRequest(index + 2), name })));
    link.send(tunnelRequest(99));
    await link.waitFor('tunnel-granted', ({ tunnelId }) => tunnelId === 99);
    const refusals = link.frames.flatMap((frame) => (frame.type === 'tunnel-refused' ? [frame] : []));
    expect(refusals.map(({ detail }) => detail)).toEqual([
      'this server has no endpoints of kind 9',
      ...names.map((name) => `${name} is not a port`),
    ]);
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['terms-refused']));
  });

  test('resets streams that a client opens, and goes on', async () => {
    await using link = await connectByHand(server.port);
    link.send(streamOpen(2, 1, 0));
    expect(await link.waitFor('reset')).toMatchObject({ streamId: 2, code: 'stream-unexpected' });
    link.send(tunnelRequest(1));
    await link.waitFor('tunnel-granted');
  });

  test('skips unknown frames that may be skipped', async () => {
    await using link = await connectByHand(server.port);
    const request = encodeFrame(tunnelRequest(1));
    link.sendPlaintext(Buffer.concat([rawFrame(0x30, [1, 2, 3]), request]));
    expect(await link.waitFor('tunnel-granted')).toMatchObject({ tunnelId: 1 });
  });

  /** What the server tells of failed links, by code, while `act` runs and its connection ends. */
  async function refusalsOf(act: () => Promise<void>): Promise<readonly string[]> {
    const before = server.log.all('client-refused').length;
    await act();
    await expectNothingElseTouched();
    return server.log
      .all('client-refused')
      .slice(before)
      .map(({ event }) => event.code);
  }

  /** Sends bytes to the control port and returns all that comes back. */
  async function speak(bytes: string | Uint8Array, ends = false): Promise<string> {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    if (ends) socket.end(bytes);
    else socket.write(bytes);
    await closeOf(socket);
    return answer;
  }

  const upgrade = (headers: string): string =>
    `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`;

  test('answers plain HTTP with 426', async () => {
    const codes = await refusalsOf(async () => {
      expect(await speak('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 426 /);
    });
    expect(codes).toEqual([]);
  });

  test.each([
    ['bytes that are no HTTP', Buffer.alloc(1_000, 0xa5)],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
    ['a line without an end', Buffer.alloc(100_000, 'a')],
    ['headers without an end', Buffer.from(`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(20_000)}`)],
  ])('closes a connection with %s', async (_name, bytes) => {
    await refusalsOf(async () => {
      expect(await speak(bytes)).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/);
    });
  });

  test('refuses an upgrade from a browser', async () => {
    const codes = await refusalsOf(async () => {
      expect(await speak(upgrade('Origin: http://example.org\r\n'))).toMatch(/^HTTP\/1\.1 403 /);
    });
    expect(codes).toEqual(['handshake-failed']);
  });

  test.each([
    ['nothing', ''],
    ['no base64', '!!!'],
    ['too little', 'AAAA'],
    ['too much', 'A'.repeat(6_000)],
  ])('refuses an upgrade with %s as message 1', async (_name, header) => {
    const codes = await refusalsOf(async () => {
      expect(await speak(upgrade(`${HANDSHAKE_HEADER}: ${header}\r\n`))).toMatch(/^HTTP\/1\.1 400 /);
    });
    expect(codes).toEqual(['handshake-failed']);
  });

  test.each([
    ['garbage', Buffer.alloc(200, 3)],
    ['nothing', Buffer.alloc(0)],
    ['too much', Buffer.alloc(4_097, 3)],
    ['more than any record', Buffer.alloc(MAX_RECORD_BYTES + 1, 3)],
    ['text', 'hello'],
  ])('closes a connection with %s as message 3, and as message 1', async (_name, message) => {
    const message1 = Buffer.from(newInitiator().message1()).toString('base64url');
    for (const headers of [{ [HANDSHAKE_HEADER]: message1 }, {}]) {
      const codes = await refusalsOf(async () => {
        const { webSocket } = await openUpgrade(server.port, headers);
        const closed = closeOf(webSocket);
        webSocket.resume();
        webSocket.send(message);
        await closed;
      });
      expect(codes).toEqual(['handshake-failed']);
    }
  });

  test('keeps little of those who wait for their turn, notices who leaves, and goes on with what came', async () => {
    const open = async (count: number, bytes: Uint8Array): Promise<Socket[]> => {
      const sockets = Array.from({ length: count }, () => connect(server.port, '127.0.0.1'));
      for (const socket of sockets) socket.on('error', () => {}).write(bytes);
      return sockets;
    };
    const handshakes = (): number => server.server.status().handshakes;
    const crowd = await open(256, Buffer.from(upgrade('')));
    await expect.poll(handshakes).toBe(256);

    const [leaving] = await open(1, Buffer.from(upgrade('')));
    await expect.poll(handshakes).toBe(257);
    leaving!.end();
    await expect.poll(handshakes).toBe(256);

    const codes = await refusalsOf(async () => {
      const [atOnce, later] = await Promise.all([
        open(1, Buffer.concat([Buffer.from(upgrade('')), Buffer.alloc(10_000)])),
        open(1, Buffer.from(upgrade(''))),
      ]);
      const gone = [...atOnce, ...later].map(closeOf);
      later[0]!.write(Buffer.alloc(8_220));
      later[0]!.write(Buffer.alloc(1));
      await Promise.all(gone);
    });
    expect(codes).toEqual(['handshake-failed', 'handshake-failed']);

    const message1 = newInitiator().message1();
    const frame = Buffer.concat([Buffer.of(0x82, 0x80 | message1.length, 0, 0, 0, 0), message1]);
    const [early] = await open(1, Buffer.concat([Buffer.from(upgrade('')), frame.subarray(0, 9)]));
    await expect.poll(handshakes).toBe(257);
    early!.write(frame.subarray(9));
    let answer = Buffer.alloc(0);
    early!.on('data', (chunk: Buffer) => (answer = Buffer.concat([answer, chunk])));
    for (const socket of crowd) socket.destroy();
    // Message 2, in a frame behind the answer.
    await expect.poll(() => answer.toString('latin1')).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\n\x82[^]{50,}/);
    early!.destroy();
    await expect.poll(handshakes).toBe(0);
  });

  test('gives up handshakes that stall, at any step', async () => {
    const message1 = Buffer.from(newInitiator().message1()).toString('base64url');
    const stalled = async (headers: Record<string, string>): Promise<void> => {
      const { webSocket } = await openUpgrade(server.port, headers);
      const closed = closeOf(webSocket);
      webSocket.resume();
      await closed;
    };
    const beganMs = performance.now();
    const codes = await refusalsOf(async () => {
      await Promise.all([
        stalled({ [HANDSHAKE_HEADER]: message1 }),
        stalled({}),
        speak(''),
        speak('GET / HTTP/1.1\r\nHo'),
        speak(upgrade('').slice(0, -2)),
      ]);
    });
    expect(performance.now() - beganMs).toBeGreaterThan(8_000);
    expect(performance.now() - beganMs).toBeLessThan(14_000);
    expect(codes).toEqual(['handshake-failed', 'handshake-failed']);
  }, 30_000);
});

describe('a client', () => {
  const cases: readonly (readonly [name: string, code: string, act: (link: HandLink) => void])[] = [
    ['a text message', 'protocol-error', ({ webSocket }) => webSocket.send('hello')],
    ['a record that does not decrypt', 'record-unreadable', ({ webSocket }) => webSocket.send(Buffer.alloc(100, 7))],
    [
      'a message over the limit',
      'protocol-error',
      ({ webSocket }) => webSocket.send(Buffer.alloc(MAX_RECORD_BYTES + 1)),
    ],
    ['bytes that are no WebSocket frame', 'protocol-error', ({ socket }) => void socket.write(Buffer.alloc(64, 0xff))],
    ['a frame of an unknown type', 'protocol-error', (link) => link.sendPlaintext(rawFrame(0x7f))],
    ['data for a stream that never was', 'protocol-error', (link) => link.send(dataOf(1, 10))],
    ['a second accepted', 'protocol-error', (link) => link.send(accepted())],
    ['a tunnel request', 'protocol-error', (link) => link.send(tunnelRequest(1, { label: '' }))],
    ['a stream with an id of the other side', 'protocol-error', (link) => link.send(streamOpen(2, 1))],
    ['data beyond its credit', 'protocol-error', (link) => link.send(streamOpen(1, 1, 10), dataOf(1, 11))],
    ['a second grant', 'protocol-error', (link) => link.send(tunnelGrant(1))],
    [
      'a grant of what is not an address',
      'protocol-error',
      (link) => link.send({ ...tunnelGrant(1), addresses: ['tcp://evil.example/path:80'] }),
    ],
    [
      'a stream that takes more credit than is offered',
      'protocol-error',
      (link) => link.send(streamOpen(1, 1, 256 * 1024 + 1)),
    ],
    ['a grant of a tunnel that never was', 'protocol-error', (link) => link.send(tunnelGrant(7))],
    [
      'a refusal of what it granted',
      'protocol-error',
      (link) => link.send({ type: 'tunnel-refused', tunnelId: 1, code: 'port-unavailable', detail: '' }),
    ],
    [
      'a close of a tunnel that never was',
      'protocol-error',
      (link) => link.send({ type: 'tunnel-close', tunnelId: 0, code: 'stopped' }),
    ],
    ['a close', 'link-closed', ({ webSocket }) => webSocket.close(1001)],
    ['a reset', 'link-reset', ({ socket }) => void socket.resetAndDestroy()],
  ];

  test.each(cases)('leaves a server that sends %s, says so once, and comes back', async (_name, code, act) => {
    await expectNothingLeftOpen(async () => {
      await using service = await startEcho();
      let count = 0;
      await using server = await startHandServer((link) => {
        link.send(accepted(), tunnelGrant(1));
        count += 1;
        if (count === 1) act(link);
      });
      await using client = await startClient(server.port, [service.port], {
        maxReconnectDelayMs: 100,
        waitsForReady: false,
      });
      await client.log.waitFor('retrying');
      await client.log.waitForNext('ready');
      expect(server.linkCount).toBe(2);
      expect(client.log.all('retrying').map(({ event }) => event.code)).toEqual([code]);
      expect(client.log.all('disconnected').length).toBeLessThanOrEqual(1);
      expect(client.log.all('stopped')).toEqual([]);
    });
  });

  test('begins a new session where a numbered frame is wrong, and asks for the same port', async () => {
    await using echo = await startEcho();
    const hellos: Hello[] = [];
    const links: HandLink[] = [];
    await using server = await startHandServer((link, hello) => {
      hellos.push(hello);
      links.push(link);
      link.send(accepted(), tunnelGrant(1));
    });
    await using client = await startClient(server.port, [echo.port]);
    links[0]?.send(streamOpen(1, 1), dataOf(1, 10));
    await links[0]?.waitFor('data');
    links[0]?.sendPlaintext(rawFrame(0x7f));
    await client.log.waitFor('disconnected');
    await client.log.waitForNext('ready');
    // The connection to the service went with the session.
    await echo.waitForOpenConnections(0);
    expect(hellos[1]).toMatchObject({ instance: hellos[0]?.instance });
    expect(hellos[1]?.resume).toBeUndefined();
    expect(await links[1]?.waitFor('tunnel-request')).toMatchObject({ name: '4000' });
    expect(client.log.all('disconnected').map(({ event }) => event.code)).toEqual(['protocol-error']);
    const [retry] = client.log.all('retrying').map(({ event }) => event);
    expect(retry).toMatchObject({ code: 'protocol-error', attempt: 1 });
    expect(retry?.delayMs).toBeLessThan(1_000);
  });

  test('gives its session up after three links in a row that end in a protocol error', async () => {
    await using echo = await startEcho();
    const hellos: Hello[] = [];
    const session = accepted();
    await using server = await startHandServer((link, hello) => {
      hellos.push(hello);
      link.send({
        ...session,
        ...(hello.resume ? { received: hello.resume.next - 1, next: hello.resume.received + 1 } : {}),
      });
      if (!hello.resume) link.send(tunnelGrant(1));
      if (hellos.length < 4)
        void link.waitFor('heartbeat').then(() => link.send({ type: 'credit', streamId: 9, offset: 1 }));
    });
    await using client = await startClient(server.port, [echo.port], {
      maxReconnectDelayMs: 100,
      waitsForReady: false,
    });
    await expect.poll(() => hellos.length, { timeout: 10_000 }).toBe(4);
    expect(hellos.map(({ resume }) => resume !== undefined)).toEqual([false, true, true, false]);
    await client.log.waitForNext('ready');
  });

  test('begins a new session where the server says that the protocol was broken', async () => {
    await using echo = await startEcho();
    let resumed: boolean | undefined;
    await using server = await startHandServer((link, hello) => {
      resumed = hello.resume !== undefined;
      link.send(accepted(), tunnelGrant(1));
      if (server.linkCount === 1) link.send({ type: 'goodbye', code: 'protocol-error' });
    });
    await using client = await startClient(server.port, [echo.port], { waitsForReady: false });
    await client.log.waitFor('retrying', ({ code }) => code === 'protocol-error');
    await client.log.waitForNext('ready');
    expect(resumed).toBe(false);
  });

  const beforeAccepted: readonly (readonly [name: string, code: string, act: (link: HandLink) => void])[] = [
    ['nothing', 'attempt-timeout', () => {}],
    ['a credit', 'protocol-error', (link) => link.send({ type: 'credit', streamId: 1, offset: 1 })],
    ['a grant', 'protocol-error', (link) => link.send(tunnelGrant(1))],
    ['an accepted from elsewhere', 'protocol-error', (link) => link.send({ ...accepted(), received: 77 })],
    ['a close', 'link-closed', ({ webSocket }) => webSocket.close(1008)],
  ];

  test.each(beforeAccepted)('leaves a server that says %s instead of accepted', async (_name, code, act) => {
    await using server = await startHandServer(act);
    await using client = await startClient(server.port, [9], {
      maxReconnectDelayMs: 100,
      connectTimeoutMs: 1_000,
      waitsForReady: false,
    });
    const { event } = await client.log.waitFor('retrying');
    expect(event.code).toBe(code);
    expect(client.log.names).toEqual(['retrying']);
    await client.log.waitFor('retrying', ({ attempt }) => attempt === 2);
  });

  test('resets a stream of a tunnel that it does not have, and goes on', async () => {
    let link: HandLink | undefined;
    await using echo = await startEcho();
    await using server = await startHandServer((opened) => {
      link = opened;
      link.send(accepted(), tunnelGrant(1));
    });
    await using client = await startClient(server.port, [echo.port]);
    link?.send(streamOpen(1, 99));
    expect(await link?.waitFor('reset')).toMatchObject({ streamId: 1, code: 'tunnel-closed' });
    link?.send(streamOpen(3, 1), dataOf(3, 10));
    expect((await link?.waitFor('data'))?.data.length).toBe(10);
    expect(client.log.names).toEqual(['ready']);
  });
});
