import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { WindowBudget } from '../session/receive-window.ts';
import { Session } from '../session/session.ts';
import { SharedMemory } from './memory.ts';
import { StreamPipe } from './stream-pipe.ts';

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
  const session = new Session({ role: 'server', budget: new WindowBudget(0) });
  const streamId = session.openStream(1, '192.0.2.1', 1234, 0)!;
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

test('one that takes it slowly gets all of it, also where one write takes longer', async () => {
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
  for (; bytes < MUCH_BYTES && !visitor.destroyed; await sleep(IDLE_MS / 4)) {
    pauseAt = bytes + MUCH_BYTES / 12;
    visitor.resume();
  }
  visitor.resume();
  await ended;
  expect(bytes).toBe(MUCH_BYTES);
  expect(performance.now() - begin).toBeGreaterThan(2 * IDLE_MS);
  expect(await closed).toBeUndefined();
});

test('the timeout that somebody else set for a socket stays', async () => {
  const [socket] = await connectedSockets();
  const { pipe } = newPipe();
  socket.setTimeout(60_000);
  pipe.attach(socket);
  deliverMuch(pipe);
  pipe.endByPeer();
  expect(socket.timeout).toBe(60_000);
});
