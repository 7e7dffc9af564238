import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { expectNothingLeftOpen } from './open-handles.ts';
import { randomInteger, seededRandom } from './random.ts';
import {
  patternBytes,
  PatternChecker,
  startEcho,
  startFileServer,
  startHalfCloseService,
  startSilent,
  startSink,
  startSource,
  startWebSocketEcho,
} from './services.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function dial(port: number): Socket {
  return connect({ port, host: '127.0.0.1', allowHalfOpen: true });
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('seeded numbers are those of mulberry32', () => {
  // From the author's C code.
  const random = seededRandom(1);
  expect([random(), random(), random()].map((number) => number * 2 ** 32)).toEqual([2693262067, 11749833, 2265367787]);
  const integers = Array.from({ length: 100 }, () => randomInteger(random, 3, 5));
  expect(new Set(integers)).toEqual(new Set([3, 4, 5]));
});

test('a pattern is the same from wherever it is read', () => {
  const whole = patternBytes(2, 0, 5_000_000);
  const random = seededRandom(4);
  for (let count = 0; count < 100; count++) {
    const offset = randomInteger(random, 0, whole.length);
    const length = randomInteger(random, 0, whole.length - offset);
    expect(patternBytes(2, offset, length).equals(whole.subarray(offset, offset + length))).toBe(true);
  }
  expect(patternBytes(3, 0, 64).equals(whole.subarray(0, 64))).toBe(false);
});

test('a checker accepts the pattern in any pieces', () => {
  const random = seededRandom(5);
  const checker = new PatternChecker(2);
  while (checker.offset < 20_000_000) {
    checker.update(patternBytes(2, checker.offset, randomInteger(random, 0, 3_000_000)));
  }
  expect(checker.problem).toBeUndefined();
  checker.expectEnd(checker.offset);
  expect(() => checker.expectEnd(1)).toThrow(/ended after \d+ bytes, not after 1/);
});

test('a checker says what is wrong, and where', () => {
  const whole = patternBytes(2, 0, 3_000_000);
  const problemOf = (...parts: Uint8Array[]): [number | undefined, string | undefined] => {
    const checker = new PatternChecker(2);
    for (const part of parts) checker.update(part);
    return [checker.firstWrongOffset, checker.problem];
  };
  const damaged = Buffer.from(whole);
  damaged.writeUInt8(damaged.readUInt8(2_000_000) ^ 1, 2_000_000);
  expect(problemOf(damaged)).toEqual([2_000_000, expect.stringContaining('wrong byte at offset 2000000: got ')]);
  expect(problemOf(whole.subarray(0, 5000), whole.subarray(5100))).toEqual([
    5000,
    'wrong byte at offset 5000: 100 bytes are missing',
  ]);
  expect(problemOf(whole.subarray(0, 5000), whole.subarray(4000))).toEqual([
    5000,
    'wrong byte at offset 5000: 1000 bytes came again',
  ]);
});

test('services serve what they say, and leave nothing open', async () => {
  await expectNothingLeftOpen(async () => {
    await using echo = await startEcho();
    await using sink = await startSink();
    await using source = await startSource(2_500_000, 9);
    const body = patternBytes(8, 0, 400_000);

    const echoed = dial(echo.port);
    echoed.end(body);
    expect((await readAll(echoed)).equals(body)).toBe(true);

    const sunk = dial(sink.port);
    sunk.end(body);
    expect((await readAll(sunk)).length).toBe(0);
    expect(await sink.waitForReceived()).toEqual({ bytes: 400_000, sha256: sha256(body), ending: 'end' });

    const sourced = dial(source.port);
    const checker = new PatternChecker(9);
    checker.update(await readAll(sourced));
    checker.expectEnd(2_500_000);
    sourced.end();
    await source.waitForOpenConnections(0);
  });
});

test('half-close services answer in both orders', async () => {
  await using reader = await startHalfCloseService('read-first');
  const first = dial(reader.port);
  first.end('question');
  expect((await readAll(first)).toString()).toBe(`${sha256(Buffer.from('question'))} 8\n`);

  await using writer = await startHalfCloseService('write-first', { bytes: 5, seed: 6 });
  const second = dial(writer.port);
  second.resume();
  await once(second, 'end');
  second.end('late answer');
  expect(await writer.waitForReceived()).toMatchObject({ bytes: 11, ending: 'end' });
});

test('a file server streams patterns and hashes bodies', async () => {
  await expectNothingLeftOpen(async () => {
    await using service = await startFileServer();
    const url = `http://127.0.0.1:${service.port}`;
    // Without keep-alive, since the client's own pool would be what is left open.
    const headers = { connection: 'close' };
    const download = await fetch(`${url}/1500000?seed=4`, { headers });
    expect(download.headers.get('content-length')).toBe('1500000');
    expect(Buffer.from(await download.arrayBuffer()).equals(patternBytes(4, 0, 1_500_000))).toBe(true);
    const body = new Uint8Array(patternBytes(1, 0, 300_000));
    const upload = await fetch(url, { method: 'POST', body, headers });
    expect(await upload.text()).toBe(sha256(body));
    const missing = await fetch(`${url}/x`, { headers });
    expect([missing.status, await missing.text()]).toEqual([404, '']);
  });
});

test('a silent service accepts, and closes with a client in it', async () => {
  await expectNothingLeftOpen(async () => {
    const service = await startSilent();
    const socket = dial(service.port);
    socket.on('error', () => {});
    socket.on('end', () => socket.end()).resume();
    const closed = once(socket, 'close');
    socket.write('unread');
    await service.waitForConnection(1);
    await service.close();
    await closed;
    expect(service.openConnectionCount).toBe(0);
  });
});

test('a WebSocket echo sends text and bytes back as they came', async () => {
  await expectNothingLeftOpen(async () => {
    await using service = await startWebSocketEcho();
    const webSocket = new WebSocket(`ws://127.0.0.1:${service.port}/any`);
    await once(webSocket, 'open');
    for (const message of ['text', Buffer.from([0, 255])]) {
      webSocket.send(message);
      const [data, isBinary] = (await once(webSocket, 'message')) as [Buffer, boolean];
      expect([data.equals(Buffer.from(message)), isBinary]).toEqual([true, typeof message !== 'string']);
    }
    const closed = once(webSocket, 'close');
    await service.close();
    await closed;
  });
});

test('what is left open has a name', async () => {
  let timer: NodeJS.Timeout | undefined;
  const leak = expectNothingLeftOpen(() => {
    timer = setTimeout(() => {}, 60_000);
  });
  await expect(leak).rejects.toThrow('still open: Timeout');
  clearTimeout(timer);
});

test('a temporary directory is removed with what is in it', async () => {
  const { mkdir, stat } = await import('node:fs/promises');
  const directory = await temporaryDirectory();
  await mkdir(`${directory.path}/a/b`, { recursive: true });
  await directory[Symbol.asyncDispose]();
  await expect(stat(directory.path)).rejects.toMatchObject({ code: 'ENOENT' });
});
