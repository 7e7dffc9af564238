import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { expectNothingLeftOpen } from './open-handles.ts';
import { httpReply, startRelay, type CutEnding } from './relay.ts';
import {
  patternBytes,
  PatternChecker,
  startEcho,
  startHalfCloseService,
  startSilent,
  startSink,
  startSource,
} from './services.ts';

/** A visitor: what it received, and how its connection ended. */
class Visitor implements AsyncDisposable {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  readonly ending: Promise<'end' | 'reset'>;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    this.ending = new Promise((resolve) => {
      this.socket.on('end', () => resolve('end'));
      this.socket.on('error', () => {});
      this.socket.on('close', () => resolve('reset'));
    });
  }

  async receive(bytes: number): Promise<Buffer> {
    while (this.received.length < bytes) await once(this.socket, 'data');
    return this.received;
  }

  /** Milliseconds for a byte there and back. */
  async roundTripMs(): Promise<number> {
    const before = this.received.length;
    const startMs = performance.now();
    this.socket.write('x');
    await this.receive(before + 1);
    return performance.now() - startMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

test('passes bytes both ways, counts them, and leaves nothing open', async () => {
  await expectNothingLeftOpen(async () => {
    await using service = await startEcho();
    await using relay = await startRelay({ targetPort: service.port });
    await using visitor = new Visitor(relay.port);
    const sent = patternBytes(7, 0, 3_000_000);
    visitor.socket.end(sent);
    expect(await visitor.ending).toBe('end');
    expect(visitor.received.equals(sent)).toBe(true);
    await relay.waitForOpenConnections(0);
    expect(relay.connectionCount).toBe(1);
    expect(relay.forwardedBytes('to-target')).toBe(sent.length);
    expect(relay.forwardedBytes('to-client')).toBe(sent.length);
  });
});

test('delays each direction by what was asked for', async () => {
  await using service = await startEcho();
  await using relay = await startRelay({ targetPort: service.port });
  relay.delay(30, { direction: 'to-target' });
  relay.delay(20, { direction: 'to-client' });
  await using visitor = new Visitor(relay.port);
  const times: number[] = [];
  for (let count = 0; count < 10; count++) times.push(await visitor.roundTripMs());
  expect(Math.min(...times)).toBeGreaterThanOrEqual(49.5);
  // The least delayed of ten: what the machine adds by being busy is not the relay's doing.
  expect(Math.min(...times)).toBeLessThan(60);
  relay.delay(0, { connections: 'future' });
  expect(await visitor.roundTripMs()).toBeGreaterThanOrEqual(49.5);
});

test('keeps the order when the delay goes away in the middle', async () => {
  await using service = await startSink();
  await using relay = await startRelay({ targetPort: service.port });
  relay.delay(50);
  await using visitor = new Visitor(relay.port);
  visitor.socket.write('slow ');
  await relay.waitForConnection(1);
  relay.delay(0);
  visitor.socket.end('quick');
  const { sha256 } = await service.waitForReceived();
  expect(sha256).toBe(sha256Of('slow quick'));
});

test('carries as much with a delay as without', async () => {
  const bytes = 256 * 1024 * 1024;
  await using service = await startSource(bytes, 3);
  await using relay = await startRelay({ targetPort: service.port });
  const transferMs = async (delayMs: number): Promise<number> => {
    relay.delay(delayMs);
    const checker = new PatternChecker(3);
    const startMs = performance.now();
    const socket = connect({ port: relay.port, host: '127.0.0.1' });
    socket.on('data', (chunk: Buffer) => checker.update(chunk));
    await once(socket, 'close');
    checker.expectEnd(bytes);
    return performance.now() - startMs;
  };
  // Against the same machine in the same state. A sleep for each chunk of 64 KiB would take 100 seconds.
  const undelayedMs = await transferMs(0);
  expect(await transferMs(25)).toBeLessThan(3 * undelayedMs + 200);
});

test('throttles to the rate that was asked for', async () => {
  await using service = await startSource(300_000);
  await using relay = await startRelay({ targetPort: service.port });
  relay.throttle(500_000, { direction: 'to-client' });
  await using visitor = new Visitor(relay.port);
  const startMs = performance.now();
  await visitor.ending;
  const elapsedMs = performance.now() - startMs;
  expect(visitor.received.equals(patternBytes(1, 0, 300_000))).toBe(true);
  // 600 ms, less the 50 that it may catch up on.
  expect(elapsedMs).toBeGreaterThan(540);
  expect(elapsedMs).toBeLessThan(900);
});

test('stops reading when the other side does', async () => {
  await using service = await startSilent();
  await using relay = await startRelay({ targetPort: service.port });
  for (const delayMs of [0, 5]) {
    relay.delay(delayMs);
    await using visitor = new Visitor(relay.port);
    // Kernel buffers take a few MiB; what the relay would swallow without an end is much more.
    visitor.socket.write(Buffer.alloc(256 * 1024 * 1024));
    const isFull = async (): Promise<boolean> => {
      const before = visitor.socket.bytesWritten - visitor.socket.writableLength;
      const forwarded = relay.forwardedBytes('to-target');
      for (let turn = 0; turn < 200; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      return (
        before === visitor.socket.bytesWritten - visitor.socket.writableLength &&
        forwarded === relay.forwardedBytes('to-target')
      );
    };
    await relay.waitForBytes('to-target', 1);
    while (!(await isFull())) continue;
    expect(relay.forwardedBytes('to-target')).toBeLessThan(64 * 1024 * 1024);
    relay.resetAll();
    await visitor.ending;
  }
});

describe('silence', () => {
  test('moves nothing and notices nothing, while new connections work', async () => {
    await using service = await startEcho();
    await using relay = await startRelay({ targetPort: service.port });
    await using silenced = new Visitor(relay.port);
    await silenced.roundTripMs();
    relay.silence();
    silenced.socket.write('held back');
    await using another = new Visitor(relay.port);
    for (let count = 0; count < 20; count++) await another.roundTripMs();
    expect(silenced.received.length).toBe(1);
    relay.unsilence();
    expect((await silenced.receive(10)).toString()).toBe('xheld back');
  });

  test('hides that a side has gone, until it ends', async () => {
    await using service = await startEcho();
    await using relay = await startRelay({ targetPort: service.port });
    await using visitor = new Visitor(relay.port);
    await visitor.roundTripMs();
    relay.silence();
    service.resetAll();
    await service.waitForOpenConnections(0);
    await using another = new Visitor(relay.port);
    for (let count = 0; count < 20; count++) await another.roundTripMs();
    expect(visitor.socket.closed).toBe(false);
    relay.unsilence();
    expect(await visitor.ending).toBe('reset');
  });

  test('takes in connections to come, if asked to', async () => {
    await using service = await startEcho();
    await using relay = await startRelay({ targetPort: service.port });
    relay.silence({ future: true });
    await using visitor = new Visitor(relay.port);
    visitor.socket.write('waiting');
    await relay.waitForConnection(1);
    expect(service.connectionCount).toBe(0);
    relay.unsilence();
    expect((await visitor.receive(7)).toString()).toBe('waiting');
  });
});

describe('cut', () => {
  test.each([0, 1, 4095, 100_000])('resets after exactly %i bytes', async (bytes) => {
    await using service = await startSource(1_000_000);
    await using relay = await startRelay({ targetPort: service.port });
    relay.cutAfter({ direction: 'to-client', bytes, next: 1 });
    await using cut = new Visitor(relay.port);
    expect(await cut.ending).toBe('reset');
    expect(cut.received.equals(patternBytes(1, 0, bytes))).toBe(true);
    await relay.waitForOpenConnections(0);
    await using whole = new Visitor(relay.port);
    expect(await whole.ending).toBe('end');
    expect(whole.received.length).toBe(1_000_000);
  });

  test('counts from now on for present connections, and resets the target too', async () => {
    await using service = await startSink();
    await using relay = await startRelay({ targetPort: service.port });
    await using visitor = new Visitor(relay.port);
    visitor.socket.write('before');
    await relay.waitForBytes('to-target', 6);
    relay.cutAfter({ direction: 'to-target', bytes: 3 });
    visitor.socket.write('after');
    expect(await visitor.ending).toBe('reset');
    expect(await service.waitForReceived()).toEqual({ bytes: 9, sha256: sha256Of('beforeaft'), ending: 'reset' });
  });

  test.each<[CutEnding, string]>([
    ['end', 'end'],
    ['silence', 'open'],
  ])('can end with %s', async (ending, expected) => {
    await using service = await startEcho();
    await using relay = await startRelay({ targetPort: service.port });
    relay.cutAfter({ direction: 'to-client', bytes: 4, next: 1, ending });
    await using visitor = new Visitor(relay.port);
    visitor.socket.write('12345678');
    expect((await visitor.receive(4)).toString()).toBe('1234');
    await using another = new Visitor(relay.port);
    await another.roundTripMs();
    expect(visitor.received.length).toBe(4);
    const state = visitor.socket.closed || expected === 'end' ? await visitor.ending : 'open';
    expect(state).toBe(expected);
  });
});

test('flips one bit of one byte, once', async () => {
  await using service = await startEcho();
  await using relay = await startRelay({ targetPort: service.port });
  relay.flipBit({ direction: 'to-target', offset: 70_000, bit: 3 });
  const sent = patternBytes(5, 0, 100_000);
  for (const flipped of [true, false]) {
    await using visitor = new Visitor(relay.port);
    visitor.socket.end(sent);
    await visitor.ending;
    const expected = Buffer.from(sent);
    if (flipped) expected.writeUInt8(expected.readUInt8(70_000) ^ 8, 70_000);
    expect(visitor.received.equals(expected)).toBe(true);
  }
  expect(relay.flipCount).toBe(1);
});

test('lets a hook change what passes', async () => {
  await using service = await startEcho();
  await using relay = await startRelay({ targetPort: service.port });
  relay.transform = (direction, index, chunk) =>
    direction === 'to-target' ? chunk : Buffer.from(`${index}:${chunk.toString().toUpperCase()}`);
  await using visitor = new Visitor(relay.port);
  visitor.socket.end('text');
  await visitor.ending;
  expect(visitor.received.toString()).toBe('0:TEXT');
});

describe('half-close', () => {
  test.each([0, 5])('of the visitor reaches the service, which answers (delay %i ms)', async (delayMs) => {
    await using service = await startHalfCloseService('read-first');
    await using relay = await startRelay({ targetPort: service.port });
    relay.delay(delayMs);
    await using visitor = new Visitor(relay.port);
    const sent = patternBytes(1, 0, 500_000);
    visitor.socket.end(sent);
    expect(await visitor.ending).toBe('end');
    expect(visitor.received.toString()).toBe(`${sha256Of(sent)} 500000\n`);
  });

  test('of the service reaches the visitor, who goes on sending', async () => {
    await using service = await startHalfCloseService('write-first', { bytes: 10 });
    await using relay = await startRelay({ targetPort: service.port });
    await using visitor = new Visitor(relay.port);
    expect(await visitor.ending).toBe('end');
    visitor.socket.end('late');
    expect(await service.waitForReceived()).toMatchObject({ bytes: 4, ending: 'end' });
  });
});

test('passes resets on, in both directions', async () => {
  await using service = await startSink();
  await using relay = await startRelay({ targetPort: service.port });
  await using visitor = new Visitor(relay.port);
  visitor.socket.write('x');
  await relay.waitForBytes('to-target', 1);
  visitor.socket.resetAndDestroy();
  expect(await service.waitForReceived()).toMatchObject({ bytes: 1, ending: 'reset' });

  await using another = new Visitor(relay.port);
  await service.waitForConnection(2);
  service.resetAll();
  expect(await another.ending).toBe('reset');
});

test('resets a visitor whose target refuses', async () => {
  const service = await startSink();
  await service.close();
  await using relay = await startRelay({ targetPort: service.port });
  await using visitor = new Visitor(relay.port);
  expect(await visitor.ending).toBe('reset');
});

test('resets, ends and refuses on demand', async () => {
  await using service = await startSink();
  await using relay = await startRelay({ targetPort: service.port });
  await using first = new Visitor(relay.port);
  await service.waitForConnection(1);
  relay.resetAll();
  expect(await first.ending).toBe('reset');
  expect((await service.waitForReceived(1)).ending).toBe('reset');

  await using second = new Visitor(relay.port);
  await service.waitForConnection(2);
  relay.endAll();
  expect(await second.ending).toBe('end');
  expect((await service.waitForReceived(2)).ending).toBe('end');

  relay.refuse();
  await using third = new Visitor(relay.port);
  expect(await third.ending).toBe('reset');
  expect(service.connectionCount).toBe(2);
});

test('stops listening and listens again on the same port', async () => {
  await using service = await startEcho();
  await using relay = await startRelay({ targetPort: service.port });
  const { port } = relay;
  await using kept = new Visitor(port);
  await kept.roundTripMs();
  relay.stopListening();
  await using refused = new Visitor(port);
  const [error] = (await once(refused.socket, 'error').catch((cause: unknown) => [cause])) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  await kept.roundTripMs();
  await relay.listen();
  expect(relay.port).toBe(port);
  await using accepted = new Visitor(port);
  await accepted.roundTripMs();
});

test('answers instead of the target, as often as asked', async () => {
  await using service = await startEcho();
  await using relay = await startRelay({ targetPort: service.port });
  relay.answerWith(httpReply(503, { 'retry-after': '7' }, 'busy'), { next: 2 });
  for (let count = 0; count < 2; count++) {
    const response = await fetch(`http://127.0.0.1:${relay.port}/`);
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([503, '7', 'busy']);
  }
  expect(service.connectionCount).toBe(0);
  await using visitor = new Visitor(relay.port);
  await visitor.roundTripMs();
});

test('a wait in vain says what the relay has seen', async () => {
  await using relay = await startRelay({ targetPort: 9 });
  await expect(relay.waitForConnection(1, 1)).rejects.toThrow(
    'waited in vain for connection 1: not within 1 ms; the relay accepted 0 connections, 0 are open',
  );
});

function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
