// Who can make a client give up: the server that refuses its secret, and nobody on the path.
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Client, type ClientEvents, type ClientOptions, createClient, parseServerAddress } from '@tunnel/client';
import { type ErrorCode, Responder } from '@tunnel/shared';
import { nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { HANDSHAKE_HEADER, Middleman, type MiddlemanLink } from './support/middleman.ts';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { type RunningServer, startClient, startServer, TEST_SECRET } from './support/pair.ts';
import { randomInteger, seededRandom } from './support/random.ts';
import { type Direction, httpReply, type Relay, startRelay } from './support/relay.ts';

/** Each attempt of these tests is a client of its own, and scrypt would be nearly all of its cost. */
vi.mock('@tunnel/shared/node', async (importOriginal) => {
  const original = await importOriginal<typeof import('@tunnel/shared/node')>();
  const psks = new Map<string, Promise<Uint8Array>>();
  const derivePsk = (secret: string): Promise<Uint8Array> => {
    const psk = psks.get(secret) ?? original.derivePsk(secret);
    psks.set(secret, psk);
    return psk;
  };
  return { ...original, derivePsk };
});

/** `TUNNEL_TEST_FULL=1`: every bit of every byte on the wire, which takes a minute or two. */
const isFull = process.env['TUNNEL_TEST_FULL'] === '1';

/** Attempts at a time. */
const LANES = 16;

/** Where an altered length makes a message that never comes to its end, the attempt is given up after this, in ms. */
const WIRE_TIMEOUT_MS = 1_500;

let server: RunningServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Verdict {
  /** What the client told first of these three. */
  readonly name: 'ready' | 'retrying' | 'stopped';
  readonly code: string;
}

/** One attempt of a new client with the right secret: what comes first of it. */
async function attempt(port: number, options: Partial<ClientOptions> = {}): Promise<Verdict> {
  const client = createClient({
    server: parseServerAddress(`127.0.0.1:${port}`),
    identity: randomBytes(32),
    secret: TEST_SECRET,
    tunnels: [{ target: { host: '127.0.0.1', port: 9 } }],
    maxReconnectDelayMs: 60_000,
    ...options,
  });
  const verdict = firstVerdict(client);
  client.start();
  try {
    return await verdict;
  } finally {
    client.abort();
  }
}

function firstVerdict(client: Client): Promise<Verdict> {
  return new Promise((resolve) => {
    client.once('ready', () => resolve({ name: 'ready', code: '' }));
    client.once('retrying', ({ code }) => resolve({ name: 'retrying', code }));
    client.once('stopped', ({ code }) => resolve({ name: 'stopped', code }));
  });
}

/** Runs `each` for every item, on `LANES` relays at a time. */
async function onLanes<T>(items: readonly T[], each: (item: T, relay: Relay) => Promise<void>): Promise<void> {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    await using relay = await startRelay({ targetPort: server.port });
    for (const item of queue) await each(item, relay);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

interface Recording {
  readonly bytes: Record<Direction, Buffer>;
}

/** All bytes of an attempt that succeeds, up to `ready`. */
async function record(): Promise<Recording> {
  await using relay = await startRelay({ targetPort: server.port });
  const chunks: Record<Direction, Buffer[]> = { 'to-target': [], 'to-client': [] };
  relay.transform = (direction, _index, chunk) => {
    chunks[direction].push(Buffer.from(chunk));
    return chunk;
  };
  expect(await attempt(relay.port)).toMatchObject({ name: 'ready' });
  return {
    bytes: { 'to-target': Buffer.concat(chunks['to-target']), 'to-client': Buffer.concat(chunks['to-client']) },
  };
}

const headerPattern = new RegExp(`(?<=${HANDSHAKE_HEADER}: )[\\w-]+`, 'i');

function messageInHeader(bytes: Buffer): Buffer {
  return Buffer.from(headerPattern.exec(bytes.toString('latin1'))?.[0] ?? '', 'base64url');
}

/** The first WebSocket frame behind the HTTP head: where its payload begins, and how long it is. */
function firstFrame(bytes: Buffer): { readonly start: number; readonly length: number } {
  const head = bytes.indexOf('\r\n\r\n') + 4;
  const isMasked = (bytes[head + 1]! & 0x80) !== 0;
  const short = bytes[head + 1]! & 0x7f;
  const isLong = short === 126;
  return {
    start: head + 2 + (isLong ? 2 : 0) + (isMasked ? 4 : 0),
    length: isLong ? bytes.readUInt16BE(head + 2) : short,
  };
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >>> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe('a wrong secret', () => {
  test('stops the client within 2 s, after one attempt', async () => {
    await expectNothingLeftOpen(async () => {
      await using own = await startServer();
      await using relay = await startRelay({ targetPort: own.port });
      const beganMs = performance.now();
      await using client = await startClient(relay.port, [9], { secret: 'another secret', waitsForReady: false });
      const { event, atMs } = await client.log.waitFor('stopped');
      expect(event).toMatchObject({ code: 'secret-refused', exitCode: 3 });
      expect(atMs - beganMs).toBeLessThan(2_000);
      expect(client.log.names).toEqual(['stopped']);
      await own.log.waitFor('client-refused');
      await relay.waitForOpenConnections(0);
      expect(own.log.all('client-refused').map(({ event: { code } }) => code)).toEqual(['secret-refused']);
      expect(relay.connectionCount).toBe(1);
    });
  });

  test('that became wrong stops a client that was connected', async () => {
    const identity = randomBytes(32);
    const before = await startServer({ identity });
    await using client = await startClient(before.port, [9], { maxReconnectDelayMs: 100 });
    before.server.abort();
    await using _after = await startServer({ identity, port: before.port, secret: 'a rotated secret' });
    expect((await client.log.waitFor('stopped')).event).toMatchObject({ code: 'secret-refused', exitCode: 3 });
  });
});

describe('a flipped bit', () => {
  test('anywhere in message 1, 2 or 3 makes the client try again', async () => {
    const { bytes } = await record();
    const message1 = messageInHeader(bytes['to-target']);
    const message2 = messageInHeader(bytes['to-client']);
    const message3 = firstFrame(bytes['to-target']);
    // XXpsk3 with the smallest payloads: the sizes say that it is these messages that are tampered with.
    expect(message1.length).toBeGreaterThanOrEqual(32 + 16);
    expect(message2.length).toBeGreaterThanOrEqual(32 + 48 + 16);
    expect(message3.length).toBeGreaterThanOrEqual(48 + 16);
    const flips = [
      ...bitsOf(message1.length).map((bit) => ({ message: 1, bit })),
      ...bitsOf(message2.length).map((bit) => ({ message: 2, bit })),
      ...bitsOf(message3.length).map((bit) => ({ message: 3, bit })),
    ];
    const refusedBefore = server.log.all('client-refused').length;
    const wrong: unknown[] = [];
    let applied = 0;
    await onLanes(flips, async (flip, relay) => {
      if (flip.message === 3) {
        relay.flipBit({ direction: 'to-target', offset: message3.start + (flip.bit >>> 3), bit: flip.bit & 7 });
      }
      relay.transform = (direction, _index, chunk) => {
        if (direction !== (flip.message === 1 ? 'to-target' : 'to-client') || flip.message === 3) return chunk;
        const text = chunk.toString('latin1');
        const changed = text.replace(headerPattern, (message) => {
          applied += 1;
          return flipped(Buffer.from(message, 'base64url'), flip.bit).toString('base64url');
        });
        return Buffer.from(changed, 'latin1');
      };
      const flipsBefore = relay.flipCount;
      const verdict = await attempt(relay.port);
      applied += relay.flipCount - flipsBefore;
      if (verdict.name !== 'retrying' || verdict.code === 'attempt-timeout') wrong.push({ ...flip, verdict });
    });
    expect(wrong).toEqual([]);
    expect(applied).toBe(flips.length);
    // The server did refuse what it took for a wrong secret: it was up to the client not to believe it.
    const refusals = server.log.all('client-refused').slice(refusedBefore);
    expect(refusals.filter(({ event }) => event.code === 'secret-refused').length).toBeGreaterThan(300);
  }, 180_000);

  test('anywhere on the wire never stops the client', async () => {
    const { bytes } = await record();
    const flips = (['to-target', 'to-client'] as const).flatMap((direction) =>
      bitsOf(bytes[direction].length)
        // One bit of each byte, another one for each next byte.
        .filter((bit) => isFull || (bit & 7) === ((bit >>> 3) * 5) % 8)
        .map((bit) => ({ direction, offset: bit >>> 3, bit: bit & 7 })),
    );
    const verdicts: Record<Verdict['name'], number> = { ready: 0, retrying: 0, stopped: 0 };
    const wrong: unknown[] = [];
    let applied = 0;
    await onLanes(flips, async (flip, relay) => {
      relay.transform = undefined;
      relay.flipBit(flip);
      const flipsBefore = relay.flipCount;
      const verdict = await attempt(relay.port, { connectTimeoutMs: WIRE_TIMEOUT_MS });
      applied += relay.flipCount - flipsBefore;
      verdicts[verdict.name] += 1;
      if (verdict.name === 'stopped') wrong.push({ ...flip, verdict });
    });
    expect(wrong).toEqual([]);
    expect(applied).toBeGreaterThan(flips.length * 0.9);
    // Some bytes mean nothing (a reason phrase, the name in `Host`); most do.
    expect(verdicts.retrying).toBeGreaterThan(flips.length / 2);
    expect(verdicts.ready).toBeGreaterThan(0);
  }, 300_000);
});

function bitsOf(byteCount: number): readonly number[] {
  return Array.from({ length: byteCount * 8 }, (_, bit) => bit);
}

describe('somebody on the path', () => {
  const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4000, 4401, 4403, 4999];

  test.each([401, 403, 404, 407, 426, 429, 500, 503])(
    'who answers HTTP %i makes the client try again',
    async (status) => {
      await using relay = await startRelay({ targetPort: server.port });
      relay.answerWith(httpReply(status));
      expect(await attempt(relay.port)).toEqual({ name: 'retrying', code: 'upgrade-refused' });
    },
  );

  test('who forges closes, at any point, makes the client try again', async () => {
    await using middleman = await Middleman.start(server.port);
    for (const code of codes) {
      middleman.behave();
      middleman.onLink = ({ client }) => client.close(code, 'secret-refused');
      expect(await attempt(middleman.port)).toMatchObject({ name: 'retrying' });
      middleman.behave();
      middleman.toClient = (_message, _index, { client }) => {
        client.close(code, 'secret-refused');
        return undefined;
      };
      expect(await attempt(middleman.port)).toMatchObject({ name: 'retrying' });
    }
    middleman.behave();
    let link: MiddlemanLink | undefined;
    middleman.onLink = (opened) => (link = opened);
    await using client = await startClient(middleman.port, [9]);
    for (const code of codes) {
      const retrying = client.log.waitForNext('retrying');
      const ready = client.log.waitForNext('ready');
      link?.client.close(code, 'secret-refused');
      expect((await retrying).event.code).toBe('link-closed');
      client.client.retryNow();
      await ready;
    }
    expect(client.log.all('stopped')).toEqual([]);
  });

  test('who forges refusals makes the client try again', async () => {
    const random = seededRandom(1);
    await using middleman = await Middleman.start(server.port);
    const lengths = [0, 1, 15, 16, 17, 31, 32, 40, 64, 600, 4_096, 4_097, 100_000, 262_144];
    for (const length of lengths) {
      const forged = Buffer.from(Array.from({ length }, () => randomInteger(random, 0, 255)));
      middleman.toClient = () => forged;
      expect(await attempt(middleman.port), `${length} random bytes`).toEqual({
        name: 'retrying',
        code: 'record-unreadable',
      });
    }
    middleman.toClient = (_message, _index, { client }) => {
      client.send('{"code":"secret-refused"}');
      return undefined;
    };
    expect(await attempt(middleman.port)).toMatchObject({ name: 'retrying' });
    // What the client sent itself.
    let message3: Buffer = Buffer.alloc(0);
    middleman.toServer = (message, index) => {
      if (index === 0) message3 = message;
      return message;
    };
    middleman.toClient = () => message3;
    expect(await attempt(middleman.port)).toMatchObject({ name: 'retrying', code: 'record-unreadable' });
  });

  test('who replays a true refusal of another handshake makes the client try again', async () => {
    await using middleman = await Middleman.start(server.port);
    let recorded: Buffer | undefined;
    middleman.toClient = (message) => (recorded = Buffer.from(message));
    // It is a refusal indeed: it stops the client that it was meant for.
    expect(await attempt(middleman.port, { secret: 'another secret' })).toEqual({
      name: 'stopped',
      code: 'secret-refused',
    });
    const refusal = recorded ?? Buffer.alloc(0);
    expect(refusal.length).toBeGreaterThan(16);
    middleman.toClient = () => refusal;
    expect(await attempt(middleman.port)).toEqual({ name: 'retrying', code: 'record-unreadable' });
    // And the refusal of this very handshake, for a message 3 that was altered on the way.
    const refusedBefore = server.log.all('client-refused').length;
    middleman.behave();
    middleman.toServer = (message, index) => (index === 0 ? flipped(message, message.length * 8 - 1) : message);
    expect(await attempt(middleman.port)).toEqual({ name: 'retrying', code: 'record-unreadable' });
    expect(server.log.all('client-refused')[refusedBefore]?.event.code).toBe('secret-refused');
  });

  test('who replays message 2 of another handshake makes the client try again', async () => {
    await using middleman = await Middleman.start(server.port);
    let first: Buffer | undefined;
    middleman.message2 = (message) => (first ??= message);
    expect(await attempt(middleman.port)).toMatchObject({ name: 'ready' });
    expect(await attempt(middleman.port)).toEqual({ name: 'retrying', code: 'handshake-failed' });
  });

  test('who poses as the server cannot stop a client that knows the true one', async () => {
    await using middleman = await Middleman.start(server.port);
    await using impostor = await startImpostor();
    await using relay = await startRelay({ targetPort: middleman.port });
    await using client = await startClient(relay.port, [9], { maxReconnectDelayMs: 100 });
    relay.retarget(impostor.port);
    relay.resetAll();
    const codes: ClientEvents['retrying']['code'][] = [];
    while (codes.length < 3) codes.push((await client.log.waitForNext('retrying')).event.code);
    expect(codes).toEqual(['link-reset', 'server-key-changed', 'server-key-changed']);
    expect(impostor.message3Count).toBe(0);
    relay.retarget(server.port);
    await client.log.waitForNext('ready');
    expect(client.log.all('stopped')).toEqual([]);
  });
});

describe('an impostor at first contact', () => {
  test('ends the client by refusing its secret, and sees one message 3', async () => {
    await using impostor = await startImpostor();
    await using client = await startClient(impostor.port, [9], { waitsForReady: false });
    expect((await client.log.waitFor('stopped')).event).toMatchObject({ code: 'secret-refused', exitCode: 3 });
    expect(impostor.message3Count).toBe(1);
  });

  test.each(['port-not-allowed', 'tunnel-limit', 'version-unsupported'] as const)(
    'cannot end it with a sealed %s',
    async (code) => {
      await using impostor = await startImpostor(code);
      await using client = await startClient(impostor.port, [9], { waitsForReady: false, maxReconnectDelayMs: 100 });
      for (let attempt = 0; attempt < 2; attempt += 1) {
        expect((await client.log.waitForNext('retrying')).event.code).toBe('handshake-failed');
      }
      expect(client.log.all('stopped')).toEqual([]);
    },
  );
});

/** A server of its own key that refuses every secret, which an impostor can do as well as the true one. */
async function startImpostor(
  code: ErrorCode = 'secret-refused',
): Promise<{ readonly port: number; readonly message3Count: number } & AsyncDisposable> {
  const http: Server = createServer();
  const webSockets = new WebSocketServer({ noServer: true });
  const s = randomBytes(32);
  let message3Count = 0;
  http.on('upgrade', (request, socket, head) => {
    const responder = new Responder({ crypto: nodeCrypto, s, e: randomBytes(32) });
    responder.readMessage1(Buffer.from(String(request.headers[HANDSHAKE_HEADER]), 'base64url'));
    const message2 = Buffer.from(responder.message2({ version: 1, features: 0 })).toString('base64url');
    webSockets.once('headers', (headers: string[]) => headers.push(`${HANDSHAKE_HEADER}: ${message2}`));
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {});
      webSocket.once('message', (message3: Buffer) => {
        message3Count += 1;
        const outcome = responder.readMessage3(message3, [randomBytes(32)]);
        if (outcome.kind !== 'secret-refused') throw new Error(`a guessed secret was ${outcome.kind}`);
        webSocket.send(outcome.sealRefusal({ code, retryAfterMs: 0, detail: '' }));
      });
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    get message3Count() {
      return message3Count;
    },
    [Symbol.asyncDispose]: async () => {
      for (const webSocket of webSockets.clients) webSocket.terminate();
      http.close();
      await once(http, 'close');
    },
  };
}
