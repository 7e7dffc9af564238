// What people do with a tunnel, done by the programs that they do it with. TUNNEL_TEST_FULL=1 does more of it.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { WebSocket, type RawData } from 'ws';
import { PatternChecker, patternBytes } from './support/pattern.ts';
import { Program, requirePrograms, runProgram, startOnFreePort } from './support/program.ts';
import { patternStream, startFileServer, startHalfCloseService, startWebSocketEcho } from './support/services.ts';
import { startSshServer } from './support/ssh-server.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTunnelProcesses, type TunnelProcesses } from './support/tunnel-processes.ts';

const isFull = process.env['TUNNEL_TEST_FULL'] === '1';
const MiB = 1024 * 1024;

const transferBytes = (isFull ? 1024 : 256) * MiB;
const scpBytes = (isFull ? 256 : 32) * MiB;
const parallelDownloads = 200;
const parallelBytes = (isFull ? 5 : 1) * MiB;
const iperfSeconds = isFull ? 10 : 1;

/** For one program; a wait for something quick keeps its default. */
const timeoutMs = isFull ? 240_000 : 60_000;

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MiB }), hash);
  return hash.digest('hex');
}

function sha256OfPattern(seed: number, bytes: number): string {
  const hash = createHash('sha256');
  for (let offset = 0; offset < bytes; offset += MiB) {
    hash.update(patternBytes(seed, offset, Math.min(MiB, bytes - offset)));
  }
  return hash.digest('hex');
}

async function writePattern(path: string, seed: number, bytes: number): Promise<void> {
  await pipeline(patternStream(seed, bytes), createWriteStream(path));
}

/** The length of a file, and which byte of the pattern is wrong in it, if one is. */
async function compareWithPattern(path: string, seed: number): Promise<{ bytes: number; problem: string | undefined }> {
  const checker = new PatternChecker(seed);
  for await (const chunk of createReadStream(path, { highWaterMark: MiB })) checker.update(chunk as Buffer);
  return { bytes: checker.offset, problem: checker.problem };
}

/** All of it went over one link. */
function expectSteadyLink(tunnel: TunnelProcesses): void {
  expect(tunnel.client.events.map(({ event }) => event)).toEqual(['ready']);
}

test('curl downloads a large file', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'curl');
  await using directory = await temporaryDirectory();
  await using service = await startFileServer();
  await using tunnel = await startTunnelProcesses(service.port);
  const file = join(directory.path, 'download');
  await runProgram('curl', ['-sSf', '-o', file, `http://127.0.0.1:${tunnel.port}/${transferBytes}?seed=11`], {
    timeoutMs,
  });
  expect(await compareWithPattern(file, 11)).toEqual({ bytes: transferBytes });
  expectSteadyLink(tunnel);
});

test('curl uploads a large file', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'curl');
  await using directory = await temporaryDirectory();
  await using service = await startFileServer();
  await using tunnel = await startTunnelProcesses(service.port);
  const file = join(directory.path, 'upload');
  await writePattern(file, 12, transferBytes);
  const { stdout } = await runProgram('curl', ['-sSf', '-X', 'POST', '-T', file, `http://127.0.0.1:${tunnel.port}/`], {
    timeoutMs,
  });
  expect(stdout.toString()).toBe(await sha256Of(file));
  expectSteadyLink(tunnel);
});

test(`curl downloads ${parallelDownloads} files at once`, { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'curl');
  await using directory = await temporaryDirectory();
  await using service = await startFileServer();
  await using tunnel = await startTunnelProcesses(service.port);
  // Each has a length of its own, and neighbours have different content: none can pass for another.
  const downloads = Array.from({ length: parallelDownloads }, (_, index) => ({
    path: join(directory.path, String(index)),
    bytes: parallelBytes + index,
    seed: 20 + (index % 7),
  }));
  const config = downloads
    .map(
      ({ path, bytes, seed }) => `url = "http://127.0.0.1:${tunnel.port}/${bytes}?seed=${seed}"\noutput = "${path}"\n`,
    )
    .join('');
  const parallel = ['--parallel', '--parallel-immediate', '--parallel-max', String(parallelDownloads)];
  await runProgram('curl', ['-sSf', '--no-keepalive', ...parallel, '-K', '-'], { input: config, timeoutMs });
  expect(await readdir(directory.path)).toHaveLength(parallelDownloads);
  for (const { path, bytes, seed } of downloads) expect(await compareWithPattern(path, seed)).toEqual({ bytes });
  expectSteadyLink(tunnel);
});

interface IperfResult {
  readonly end: Readonly<Record<string, { readonly bytes: number; readonly seconds: number } | undefined>>;
}

test.for<[string, string[], string[]]>([
  ['from the visitor', [], ['sum_received']],
  ['to the visitor', ['-R'], ['sum_received']],
  ['both ways', ['--bidir'], ['sum_received', 'sum_received_bidir_reverse']],
  ['over ten connections', ['-P', '10'], ['sum_received']],
])('iperf3 sends %s', { timeout: timeoutMs }, async ([, flags, sums], context) => {
  requirePrograms(context, 'iperf3');
  const { program, port } = await startOnFreePort(
    'iperf3',
    (port) => ['-s', '-B', '127.0.0.1', '-p', String(port), '--forceflush'],
    (port) => new RegExp(`Server listening on ${port} `),
  );
  await using _service = program;
  await using tunnel = await startTunnelProcesses(port);
  const args = ['-c', '127.0.0.1', '-p', String(tunnel.port), '-t', String(iperfSeconds), '-J', ...flags];
  const { stdout } = await runProgram('iperf3', args, { timeoutMs });
  const { end } = JSON.parse(stdout.toString()) as IperfResult;
  const receivedBytes = sums.map((sum) => end[sum]?.bytes ?? 0);
  expect(Math.min(...receivedBytes)).toBeGreaterThan(MiB);
  expectSteadyLink(tunnel);
});

test('ssh has a session, and scp copies both ways beside it', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'sshd', 'ssh', 'scp', 'ssh-keygen');
  await using directory = await temporaryDirectory();
  await using service = await startSshServer();
  await using tunnel = await startTunnelProcesses(service.port);
  const { clientOptions, destination } = service;
  const port = String(tunnel.port);
  await using session = new Program('ssh', [...clientOptions, '-tt', '-p', port, destination, 'exec /bin/sh']);
  // The terminal echoes what is typed, so the answer must differ from the question.
  session.write('echo answer $((6 * 7))\n');
  await session.waitForOutput(/answer 42/);

  const [original, remote, copy] = ['original', 'remote', 'copy'].map((name) => join(directory.path, name));
  if (original === undefined || remote === undefined || copy === undefined) throw new Error('unreachable');
  await writePattern(original, 13, scpBytes);
  const scp = ['-q', ...clientOptions, '-P', port];
  await runProgram('scp', [...scp, original, `${destination}:${remote}`], { timeoutMs });
  expect(await compareWithPattern(remote, 13)).toEqual({ bytes: scpBytes });
  await runProgram('scp', [...scp, `${destination}:${remote}`, copy], { timeoutMs });
  expect(await sha256Of(copy)).toBe(await sha256Of(original));

  session.write('echo still $((7 * 7)); exit 3\n');
  const { stdout, code } = await session.result;
  expect(stdout.toString()).toContain('still 49');
  expect(code).toBe(3);
  expectSteadyLink(tunnel);
});

test('a WebSocket echoes messages of any size', { timeout: timeoutMs }, async () => {
  await using service = await startWebSocketEcho();
  await using tunnel = await startTunnelProcesses(service.port);
  const webSocket = new WebSocket(`ws://127.0.0.1:${tunnel.port}/`, { perMessageDeflate: false });
  using _visitor = { [Symbol.dispose]: () => webSocket.terminate() };
  await once(webSocket, 'open');
  // Around where the length field grows, and beyond what a stream may send at first.
  for (const bytes of [0, 1, 125, 126, 65_535, 65_536, 8 * MiB]) {
    const message = patternBytes(14, 0, bytes);
    const answer = once(webSocket, 'message') as Promise<[RawData, boolean]>;
    webSocket.send(message);
    const [data, isBinary] = await answer;
    expect(isBinary).toBe(true);
    expect(message.equals(data as Buffer)).toBe(true);
  }
  const answer = once(webSocket, 'message') as Promise<[RawData, boolean]>;
  webSocket.send('text — and not only ASCII');
  const [data, isBinary] = await answer;
  expect([(data as Buffer).toString(), isBinary]).toEqual(['text — and not only ASCII', false]);
  const pong = once(webSocket, 'pong');
  webSocket.ping();
  await pong;
  const closed = once(webSocket, 'close') as Promise<[number, Buffer]>;
  webSocket.close(4321, 'done');
  expect((await closed)[0]).toBe(4321);
  expectSteadyLink(tunnel);
});

test('nc ends first and gets the whole answer', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'nc.openbsd');
  await using service = await startHalfCloseService('read-first');
  await using tunnel = await startTunnelProcesses(service.port);
  const request = patternBytes(15, 0, 20 * MiB + 1);
  const { stdout } = await runProgram('nc.openbsd', ['-N', '127.0.0.1', String(tunnel.port)], {
    input: request,
    timeoutMs,
  });
  expect(stdout.toString()).toBe(`${sha256OfPattern(15, request.length)} ${request.length}\n`);
  expectSteadyLink(tunnel);
});

test('nc has the whole answer, and its end, before it sends', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'nc.openbsd');
  const answerBytes = 20 * MiB + 1;
  await using service = await startHalfCloseService('write-first', { bytes: answerBytes, seed: 16 });
  await using tunnel = await startTunnelProcesses(service.port);
  await using nc = new Program('nc.openbsd', ['-N', '127.0.0.1', String(tunnel.port)]);
  await nc.waitForBytes(answerBytes, timeoutMs);
  const request = patternBytes(17, 0, 3 * MiB + 1);
  nc.end(request);
  // It ends only when both directions have.
  const { stdout } = await nc.success();
  const checker = new PatternChecker(16);
  checker.update(stdout);
  checker.expectEnd(answerBytes);
  expect(await service.waitForReceived()).toEqual({
    bytes: request.length,
    sha256: sha256OfPattern(17, request.length),
    ending: 'end',
  });
  expectSteadyLink(tunnel);
});

test('nc on both sides exchange files', { timeout: timeoutMs }, async (context) => {
  requirePrograms(context, 'nc.openbsd');
  const { program, port } = await startOnFreePort(
    'nc.openbsd',
    (port) => ['-v', '-n', '-N', '-l', '127.0.0.1', String(port)],
    (port) => new RegExp(`Listening on 127\\.0\\.0\\.1 ${port}`),
  );
  await using service = program;
  await using tunnel = await startTunnelProcesses(port);
  // The listening one has to be done first: with -l nc drops what it has not sent yet when the other side ends.
  const answer = patternBytes(19, 0, 7 * MiB + 1);
  const request = patternBytes(18, 0, 5 * MiB + 1);
  await using visitor = new Program('nc.openbsd', ['-N', '127.0.0.1', String(tunnel.port)]);
  service.end(answer);
  await visitor.waitForBytes(answer.length, timeoutMs);
  visitor.end(request);
  const [answered, requested] = await Promise.all([visitor.success(timeoutMs), service.success(timeoutMs)]);
  expect(answered.stdout.equals(answer)).toBe(true);
  expect(requested.stdout.equals(request)).toBe(true);
  expectSteadyLink(tunnel);
});
