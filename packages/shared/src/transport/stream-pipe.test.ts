import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { MemoryBudget } from '../session/memory/memory-budget.ts';
import { Session } from '../session/session.ts';
import { SharedMemory } from './memory.ts';
import { type PipeSocket, StreamPipe } from './stream-pipe.ts';

const IDLE_MS = 400;

vi.mock(import('../session/constants.ts'), async (original) => ({
  ...(await original()),
  HALF_CLOSED_IDLE_MS: 400,
}));

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function newPipe(): {
  readonly pipe: StreamPipe;
  readonly session: Session;
  readonly closed: Promise<string | undefined>;
} {
  const session = new Session({ role: 'server', budget: new MemoryBudget(0) });
  const streamId = session.openStream(1, [], 0)!;
  const traffic = { receivedBytes: 0, sentBytes: 0 };
  let pipe!: StreamPipe;
  const closed = new Promise<string | undefined>((onClosed) => {
    pipe = new StreamPipe(streamId, session, { flushSoon: () => {}, onClosed }, traffic, new SharedMemory());
  });
  return { pipe, session, closed };
}

/** Both ends of a connection; the first is a pipe's. */
async function connectedSockets(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const visitor = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  const [socket] = (await once(server, 'connection')) as [Socket];
  visitor.on('error', () => {});
  closers.push(
    () => visitor.destroy(),
    () => socket.destroy(),
    () => server.close(),
  );
  return [socket, visitor];
}

/** More than the kernel takes of a visitor that does not read. */
const MUCH_BYTES = 16 * 1024 * 1024;

/** Once for each: its memory is freed. */
function deliverMuch(pipe: StreamPipe): void {
  for (let bytes = 0; bytes < MUCH_BYTES; bytes += 65_536) pipe.deliver(new Uint8Array(65_536), true);
}

test('a visitor that does not take the rest of what was ended is reset after a while', async () => {
  const [socket, visitor] = await connectedSockets();
  const { pipe, closed } = newPipe();
  pipe.attach(socket);
  deliverMuch(pipe);
  visitor.end();
  await sleep(2 * IDLE_MS);
  expect(socket.destroyed).toBe(false);
  pipe.endByPeer();
  const begin = performance.now();
  expect(await closed).toBe('stream-idle');
  expect(performance.now() - begin).toBeGreaterThan(IDLE_MS * 0.9);
});

// Windows does not tell how far a write got before it is done.
test.skipIf(process.platform === 'win32')(
  'one that takes it slowly gets all of it, also where one write takes longer',
  async () => {
    const [socket, visitor] = await connectedSockets();
    const { pipe, closed } = newPipe();
    pipe.attach(socket);
    visitor.end();
    pipe.cork();
    deliverMuch(pipe);
    pipe.uncork();
    pipe.endByPeer();
    let bytes = 0;
    let pauseAt = 0;
    visitor.on('data', (data) => {
      bytes += data.length;
      if (bytes >= pauseAt) visitor.pause();
    });
    const begin = performance.now();
    const ended = once(visitor, 'end');
    for (let parts = 1; parts <= 12; parts += 1) {
      pauseAt = (parts * MUCH_BYTES) / 12;
      visitor.resume();
      await sleep(IDLE_MS / 4);
    }
    visitor.resume();
    await ended;
    expect(bytes).toBe(MUCH_BYTES);
    expect(performance.now() - begin).toBeGreaterThan(2 * IDLE_MS);
    expect(await closed).toBeUndefined();
  },
);

test('the timeout that somebody else set for a socket stays', async () => {
  const [socket] = await connectedSockets();
  const { pipe } = newPipe();
  socket.setTimeout(60_000);
  pipe.attach(socket);
  deliverMuch(pipe);
  pipe.endByPeer();
  expect(socket.timeout).toBe(60_000);
});

/** A socket that takes a write when it is told to, and what it was given. */
function heldSocket(): { readonly socket: PipeSocket; readonly given: Buffer[][]; readonly take: () => void } {
  const given: Buffer[][] = [];
  let take = (): void => {};
  const socket = new Duplex({
    read: () => {},
    writev: (chunks, done) => {
      given.push(chunks.map(({ chunk }) => Buffer.from(chunk as Buffer)));
      take = done;
    },
  });
  closers.push(() => socket.destroy());
  return {
    socket: Object.assign(socket, {
      bytesWritten: 0,
      remoteAddress: '127.0.0.1',
      connecting: false,
      setTimeout: () => {},
      resetAndDestroy: () => {},
    }),
    given,
    take: () => take(),
  };
}

const PIECES = 65_536;
const EXPECTED = Buffer.from(Uint8Array.from({ length: PIECES }, (_, at) => at));

function deliverPieces(pipe: StreamPipe): void {
  for (let at = 0; at < PIECES; at += 1) pipe.deliver(Uint8Array.of(at), false);
}

test.each(['before there is a socket', 'while a socket does not take it', 'together'])(
  'what comes in tiny pieces %s goes on in large ones',
  async (when) => {
    const { pipe, session } = newPipe();
    const { socket, given, take } = heldSocket();
    const consumed = vi.spyOn(session, 'consumed');
    if (when === 'before there is a socket') deliverPieces(pipe);
    pipe.attach(socket);
    if (when === 'together') pipe.cork();
    if (given.length === 0) deliverPieces(pipe);
    if (when === 'together') pipe.uncork();
    pipe.endByPeer();
    const finished = once(socket, 'finish');
    for (let count = 0; !socket.writableEnded; count += 1) {
      expect(count).toBeLessThan(10);
      take();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await finished;
    expect(Buffer.concat(given.flat()).equals(EXPECTED)).toBe(true);
    expect(given.flat().length).toBeLessThanOrEqual(PIECES / 16_384 + 1);
    expect(consumed.mock.calls.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(PIECES);
  },
);

test('what comes together goes on together, also small pieces, and a piece behind them in its place', async () => {
  const { pipe } = newPipe();
  const { socket, given, take } = heldSocket();
  pipe.attach(socket);
  pipe.cork();
  for (const length of [1, 2, 5000, 3, 4]) pipe.deliver(new Uint8Array(length).fill(length % 100), true);
  pipe.uncork();
  pipe.deliver(Uint8Array.of(9), true);
  expect(given.map((write) => write.map(({ length }) => length))).toEqual([[1, 2, 5000, 7]]);
  take();
  await vi.waitFor(() => expect(given).toHaveLength(2));
  expect(given[1]).toEqual([Buffer.of(9)]);
});

test('small pieces right before a reset are still given to the socket', () => {
  const { pipe } = newPipe();
  const { socket, given } = heldSocket();
  pipe.attach(socket);
  pipe.cork();
  for (const byte of [1, 2, 3]) pipe.deliver(Uint8Array.of(byte), true);
  pipe.resetByPeer('stream-reset');
  pipe.uncork();
  expect(Buffer.concat(given.flat())).toEqual(Buffer.of(1, 2, 3));
});
