// How connections of foreign programs end, with real sockets: what Node tells of that is not always true.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryBudget } from '../session/memory/memory-budget.ts';
import { Session } from '../session/session.ts';
import { SharedMemory } from './memory.ts';
import { StreamPipe } from './stream-pipe.ts';

/**
 * What a kernel still has to say after a reset was measured on Linux. Others may drop it, or show it as an end: a test of that
 * would be one of the kernel.
 */
const wasMeasured = process.platform === 'linux';

const IDLE_MS = 3_000;
const ROUNDS = 10;

vi.mock(import('../session/constants.ts'), async (original) => ({
  ...(await original()),
  HALF_CLOSED_IDLE_MS: 3_000,
}));

const closers: (() => void)[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

/** A pipe, and what it gave to its session. */
class Scene {
  readonly session = new Session({ role: 'server', budget: new MemoryBudget(64 * 1024 * 1024) });
  readonly told: string[] = [];
  readonly pipe: StreamPipe;
  readonly closed: Promise<string | undefined>;
  writtenBytes = 0;
  /** What `write` answers: how much more may be written. */
  room = 1;

  constructor() {
    const streamId = this.session.openStream(1, [], 0)!;
    vi.spyOn(this.session, 'write').mockImplementation((_id, { length }) => {
      this.writtenBytes += length;
      return this.room;
    });
    for (const name of ['end', 'fail', 'reset'] as const) {
      vi.spyOn(this.session, name).mockImplementation(() => void this.told.push(`${name} after ${this.writtenBytes}`));
    }
    let pipe!: StreamPipe;
    this.closed = new Promise((onClosed) => {
      const traffic = { receivedBytes: 0, sentBytes: 0 };
      pipe = new StreamPipe(streamId, this.session, { flushSoon: () => {}, onClosed }, traffic, new SharedMemory());
    });
    this.pipe = pipe;
  }

  deliver(bytes: number): void {
    for (let left = bytes; left > 0; left -= 50_000) this.pipe.deliver(new Uint8Array(Math.min(left, 50_000)), true);
  }
}

/** Both ends of a connection: a pipe's, and a foreign program's, which reads nothing by itself. */
async function connectedSockets(): Promise<{ readonly own: Socket; readonly foreign: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const own = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const [[foreign]] = (await Promise.all([once(server, 'connection'), once(own, 'connect')])) as [[Socket], unknown];
  foreign.on('error', () => {});
  closers.push(
    () => own.destroy(),
    () => foreign.destroy(),
    () => server.close(),
  );
  return { own, foreign };
}

function flushed(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => socket.write(Buffer.alloc(bytes), () => resolve()));
}

/** All that comes, and how it ends. */
async function readAll(socket: Socket): Promise<{ readonly bytes: number; readonly ending: string }> {
  let bytes = 0;
  socket.on('data', ({ length }: Buffer) => (bytes += length));
  const ending = await new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(code));
    socket.resume();
  });
  return { bytes, ending };
}

describe('what a foreign program says and then', () => {
  // No more than the kernel sends at once: with its own reset it drops the rest.
  const sizes = [0, 300, 50_000];

  test.runIf(wasMeasured).each(sizes)('resets is told as a reset behind it: %i bytes', async (bytes) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { own, foreign } = await connectedSockets();
      const scene = new Scene();
      if (round % 2 === 1) scene.pipe.endByPeer();
      scene.pipe.attach(own);
      await flushed(foreign, bytes);
      foreign.resetAndDestroy();
      expect(await scene.closed).toBe('stream-reset');
      expect(scene.told).toEqual([`fail after ${scene.writtenBytes}`]);
      expect(scene.writtenBytes).toBe(bytes);
    }
  });

  test.each(sizes)('ends is told as an end: %i bytes', async (bytes) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { own, foreign } = await connectedSockets();
      const scene = new Scene();
      if (round % 2 === 1) scene.pipe.endByPeer();
      scene.pipe.attach(own);
      const ended = once(own, 'end');
      foreign.end(Buffer.alloc(bytes));
      await ended;
      expect(scene.told).toEqual([`end after ${bytes}`]);
    }
  });

  test.runIf(wasMeasured)('resets is told whole, also where the session took no more for a while', async () => {
    const { own, foreign } = await connectedSockets();
    const scene = new Scene();
    scene.room = 0;
    scene.pipe.attach(own);
    await flushed(foreign, 50_000);
    foreign.resetAndDestroy();
    while (scene.told.length === 0) {
      scene.pipe.resume();
      await turn();
    }
    expect(scene.told).toEqual(['fail after 50000']);
  });
});

describe.runIf(wasMeasured)('the last words of a program that does not read what it is sent', () => {
  test.each([300, 50_000])('arrive, and then a reset: %i bytes', async (bytes) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { own, foreign } = await connectedSockets();
      const scene = new Scene();
      scene.pipe.attach(own);
      scene.deliver(3_000_000);
      await flushed(foreign, bytes);
      // With bytes unread in its socket the kernel says a reset, no end.
      foreign.destroy();
      scene.deliver(3_000_000);
      expect(await scene.closed).toBe('stream-reset');
      expect(scene.told).toEqual([`fail after ${scene.writtenBytes}`]);
      expect(scene.writtenBytes).toBe(bytes);
    }
  });

  // Other systems have one error for both.
  test('arrive with their end where they had one, unread until a write failed', async () => {
    for (const isEnded of [true, false]) {
      const { own, foreign } = await connectedSockets();
      const scene = new Scene();
      scene.pipe.attach(own);
      own.pause();
      if (isEnded) {
        foreign.end(Buffer.alloc(300));
        await once(foreign, 'finish');
      } else {
        await flushed(foreign, 300);
      }
      foreign.resetAndDestroy();
      scene.deliver(1000);
      own.resume();
      expect(await scene.closed).toBe('stream-reset');
      expect(scene.told).toEqual([...(isEnded ? ['end after 300'] : []), 'fail after 300']);
    }
  });

  test('arrive also where its end came long before the write that failed', async () => {
    const { own, foreign } = await connectedSockets();
    const scene = new Scene();
    scene.pipe.attach(own);
    const ended = once(own, 'end');
    foreign.end(Buffer.alloc(300));
    await ended;
    foreign.resetAndDestroy();
    for (let count = 0; count < 100 && !own.destroyed; count += 1) {
      scene.deliver(1000);
      await turn();
    }
    expect(await scene.closed).toBe('stream-reset');
    expect(scene.told).toEqual(['end after 300', 'fail after 300']);
  });
});

describe.runIf(wasMeasured)('what came before a reset of the peer', () => {
  test.each([300, 50_000])('reaches the program before it is reset: %i bytes', async (bytes) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { own, foreign } = await connectedSockets();
      const scene = new Scene();
      scene.pipe.attach(own);
      scene.deliver(bytes);
      scene.pipe.resetByPeer('stream-reset');
      expect(await readAll(foreign)).toEqual({ bytes, ending: expect.stringMatching(/ECONNRESET|end/) });
      expect(await scene.closed).toBe('stream-reset');
    }
  });

  // Only Linux tells what is in a send queue.
  test('reaches one that reads late, all of it', async () => {
    const { own, foreign } = await connectedSockets();
    const scene = new Scene();
    scene.pipe.attach(own);
    const bytes = 8_000_000;
    scene.deliver(bytes);
    scene.pipe.resetByPeer('stream-reset');
    while (own.bytesWritten - own.writableLength < 1_000_000) await turn();
    expect((await readAll(foreign)).bytes).toBe(bytes);
    expect(await scene.closed).toBe('stream-reset');
  });

  test('keeps a connection no longer than a while where nothing moves', async () => {
    const { own } = await connectedSockets();
    const scene = new Scene();
    scene.pipe.attach(own);
    scene.deliver(16_000_000);
    scene.pipe.resetByPeer('service-unavailable');
    const begin = performance.now();
    expect(await scene.closed).toBe('service-unavailable');
    expect(performance.now() - begin).toBeGreaterThan(IDLE_MS * 0.9);
    expect(scene.told.every((said) => said === 'reset after 0')).toBe(true);
  });

  test('waits for a socket that is being made, but not for long, and not where nothing came', async () => {
    const cancel = vi.fn<() => void>();
    const attached = new Scene();
    attached.pipe.expectSocket(cancel);
    attached.deliver(300);
    attached.pipe.resetByPeer('stream-reset');
    const { own, foreign } = await connectedSockets();
    attached.pipe.attach(own);
    expect(await readAll(foreign)).toMatchObject({ bytes: 300 });
    expect(cancel).not.toHaveBeenCalled();

    const silent = new Scene();
    silent.pipe.expectSocket(cancel);
    silent.pipe.resetByPeer('stream-reset');
    expect(cancel).toHaveBeenCalledOnce();

    vi.useFakeTimers();
    const late = new Scene();
    late.pipe.expectSocket(cancel);
    late.deliver(300);
    late.pipe.resetByPeer('stream-reset');
    expect(cancel).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(1_000);
    expect(cancel).toHaveBeenCalledTimes(2);
    expect(await late.closed).toBe('stream-reset');
  });
});
