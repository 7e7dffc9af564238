// `tunnel status` and `tunnel retry`, and the sockets that they ask.
import { chmod, lstat, mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runTunnel, startTunnel, type TunnelProcess } from './support/command.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startClientProcess, startServerProcess } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

/** Every test starts several processes, and they share the cores. */
const SLOW = { timeout: 60_000 };

interface Client {
  readonly pid: number;
  readonly state: string;
  readonly [field: string]: unknown;
}

async function status(home: string): Promise<readonly Client[]> {
  const { code, stdout, stderr } = await runTunnel(['status', '--json'], { home });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Client[];
}

function controlDirectory(home: string): string {
  return join(home, '.local/state/tunnel/client/control');
}

/** The one socket in a control directory. */
async function socketOf(home: string): Promise<string> {
  const [name, ...others] = await readdir(controlDirectory(home));
  expect(others).toEqual([]);
  return join(controlDirectory(home), String(name));
}

/** A client whose server is not there; its first attempt has failed. */
async function startWaiting(home: string, args: readonly string[] = []): Promise<TunnelProcess> {
  const client = await startClientProcess(1, 3000, args, { home });
  await client.waitForEvent('retrying');
  return client;
}

/** Waits until its present wait lasts longer than the rest of a test. */
async function waitForLongWait(client: TunnelProcess): Promise<void> {
  await client.waitForEvent('retrying', ({ delayMs }) => Number(delayMs) > 4_000, 25_000);
}

describe('tunnel status', SLOW, () => {
  test('shows two clients of one user, and none of another state directory', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await using first = await startClientProcess(port, echo.port, [], { home: home.path });
    await using second = await startClientProcess(port, 3000, [], { home: home.path });
    const publicPort = publicPortOf(await first.waitForEvent('ready'));
    const other = publicPortOf(await second.waitForEvent('ready'));
    await using visitor = await visit(publicPort);
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);

    const clients = await status(home.path);
    expect(clients).toHaveLength(2);
    expect(clients.find(({ pid }) => pid === first.pid)).toEqual({
      pid: first.pid,
      state: 'ready',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      server: `ws://127.0.0.1:${port}`,
      proxy: null,
      tunnels: [
        {
          name: null,
          target: `127.0.0.1:${echo.port}`,
          url: `tcp://127.0.0.1:${publicPort}`,
          urls: null,
          port: publicPort,
          open: true,
          refused: 0,
          idle: 0,
        },
      ],
      roundTripMs: expect.any(Number),
      streams: 1,
      bytesIn: 5,
      bytesOut: 5,
      reconnects: 0,
      resumedStreams: 0,
      lostStreams: 0,
      lastError: null,
      nextAttempt: null,
    });

    const text = await runTunnel(['status'], { home: home.path });
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toContain(
      `tcp://127.0.0.1:${publicPort} -> 127.0.0.1:${echo.port}\n  state         ready for `,
    );
    expect(text.stdout).toContain(`tcp://127.0.0.1:${other} -> 127.0.0.1:3000\n`);
    expect(text.stdout).toContain('  connections   1 open\n  traffic       5 B in, 5 B out\n');

    const elsewhere = join(home.path, 'elsewhere');
    const none = `no client runs with the state directory ${elsewhere}\n`;
    const args = ['status', '--state-dir', elsewhere];
    expect(await runTunnel(args, { home: home.path })).toEqual({ code: 0, stdout: none, stderr: '' });
    expect(await runTunnel([...args, '--json'], { home: home.path })).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });

  test('shows what became of connections when the server was killed and came back', async () => {
    await using home = await temporaryDirectory();
    await using serverHome = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0'], { home: serverHome.path });
    await using _server = server;
    await using client = await startClientProcess(port, echo.port, ['--max-reconnect-delay', '500ms'], {
      home: home.path,
    });
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(publicPort);
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);
    server.kill('SIGKILL');
    await client.waitForEvent('retrying');
    const [down] = await status(home.path);
    expect(down).toMatchObject({ roundTripMs: null, streams: 1, bytesIn: 5, reconnects: 0, lastError: {} });
    expect(['waiting', 'connecting']).toContain(down?.state);
    const ready = client.waitForNextEvent('ready');
    const { server: next } = await startServerProcess(['--port', String(port)], { home: serverHome.path });
    await using _next = next;
    await ready;
    const [up] = await status(home.path);
    expect(up).toMatchObject({
      state: 'ready',
      streams: 0,
      bytesIn: 5,
      bytesOut: 5,
      reconnects: 1,
      resumedStreams: 0,
      lostStreams: 1,
      lastError: { code: 'session-unknown' },
      nextAttempt: null,
    });
  });

  test('watches: a line at every change, until it is stopped', async () => {
    await using home = await temporaryDirectory();
    await using watch = await startTunnel(['status', '--watch', '--json'], { home: home.path });
    await watch.waitForStdout(/^\[\]\n/);
    await using client = await startWaiting(home.path);
    await watch.waitForStdout(new RegExp(`^\\[\\{"pid":${client.pid},"state":"waiting",`, 'm'));
    client.kill();
    await client.exit;
    await watch.waitForStdout(/waiting[^]*\n\[\]\n/);
    watch.kill('SIGINT');
    expect(await watch.waitForExit()).toEqual({ code: 0, signal: null });
    expect(watch.stderr).toBe('');
  });

  test('watches as text, where nobody has a terminal', async () => {
    await using home = await temporaryDirectory();
    await using client = await startWaiting(home.path);
    await using watch = await startTunnel(['status', '--watch'], { home: home.path });
    await watch.waitForStdout(/^\d{4}-\S+Z\n127\.0\.0\.1:3000, no public address yet\n {2}state[^]*\n\n\d{4}-/);
    watch.kill('SIGTERM');
    expect(await watch.waitForExit()).toEqual({ code: 0, signal: null });
    expect(watch.stdout).not.toContain('\u001b');
    expect(client.stderr).not.toContain('tunnel status');
  });
});

describe('tunnel retry', SLOW, () => {
  test('has a client try now that waits, which says why it does', async () => {
    await using home = await temporaryDirectory();
    await using client = await startWaiting(home.path);
    await waitForLongWait(client);
    const [waiting] = await status(home.path);
    expect(waiting).toMatchObject({
      state: 'waiting',
      tunnels: [{ target: '127.0.0.1:3000', url: null, port: null, open: false, refused: 0 }],
      lastError: { code: 'tcp-refused', at: expect.stringMatching(/Z$/) },
      nextAttempt: { attempt: expect.any(Number), inMs: expect.any(Number), at: expect.stringMatching(/Z$/) },
    });
    const text = (await runTunnel(['status'], { home: home.path })).stdout;
    expect(text).toMatch(/^127\.0\.0\.1:3000, no public address yet\n {2}state {9}waiting; not ready for \d/);
    expect(text).toMatch(/^ {2}next attempt {2}in [\d.]+s \(attempt \d+\); `tunnel retry` tries at once$/m);
    expect(text).toMatch(/^ {2}last error {4}\S+ ago, tcp-refused: connection refused: 127\.0\.0\.1:1/m);

    const before = client.events.length;
    const retry = await runTunnel(['retry', '--pid', String(client.pid)], { home: home.path });
    expect(retry).toMatchObject({ code: 0, stderr: '' });
    expect(retry.stdout).toMatch(
      new RegExp(`^process ${client.pid}, 127\\.0\\.0\\.1:3000: tries now \\(last error: .*\\)\n$`),
    );
    // The delay begins anew, so that the next failure is told at once.
    await client.waitForEvent(
      'retrying',
      (event) => client.events.indexOf(event) >= before && Number(event['delayMs']) <= 250,
    );
  });

  test('leaves those alone that are connected, and says where nobody is', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await using client = await startClientProcess(port, 3000, [], { home: home.path });
    await client.waitForEvent('ready');
    expect(await runTunnel(['retry'], { home: home.path })).toEqual({
      code: 0,
      stdout: `process ${client.pid}, 127.0.0.1:3000: is connected, nothing to do\n`,
      stderr: '',
    });
    const state = join(home.path, '.local/state/tunnel');
    expect(await runTunnel(['retry', '--pid', '1'], { home: home.path })).toEqual({
      code: 0,
      stdout: `no client with process id 1 runs with the state directory ${state}\n`,
      stderr: '',
    });
    expect((await runTunnel(['retry', '--pid', '0'], { home: home.path })).code).toBe(2);
  });
});

describe('the control socket', SLOW, () => {
  test('is for its user alone, and goes with its process', async () => {
    await using home = await temporaryDirectory();
    const directory = controlDirectory(home.path);
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    await using client = await startWaiting(home.path);
    const socket = await socketOf(home.path);
    expect((await stat(socket)).isSocket()).toBe(true);
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    client.kill();
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
    expect(await readdir(directory)).toEqual([]);
  });

  test('of a dead process is removed, by whoever looks and by the next client', async ({ expect }) => {
    await using home = await temporaryDirectory();
    const directory = controlDirectory(home.path);
    for (const look of ['status', 'retry']) {
      await using killed = await startWaiting(home.path);
      killed.kill('SIGKILL');
      await killed.exit;
      expect(await readdir(directory)).toHaveLength(1);
      expect((await runTunnel([look], { home: home.path })).stdout).toContain('no client runs');
      expect(await readdir(directory)).toEqual([]);
    }
    await using killed = await startWaiting(home.path);
    const left = await socketOf(home.path);
    killed.kill('SIGKILL');
    await killed.exit;
    await using next = await startWaiting(home.path);
    await expect.poll(() => readdir(directory)).toEqual([expect.stringContaining(`${next.pid}-`)]);
    expect(left).not.toContain(`/${next.pid}-`);
  });

  test('is elsewhere where its path would be too long', async () => {
    await using home = await temporaryDirectory();
    await using temporary = await temporaryDirectory();
    const state = join(home.path, 'x'.repeat(120));
    await using client = await startClientProcess(1, 3000, ['--state-dir', state], {
      home: home.path,
      env: { TMPDIR: temporary.path },
    });
    await client.waitForEvent('retrying');
    const [name = ''] = await readdir(join(state, 'client/control'));
    const path = join(state, 'client/control', name);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const told = await runTunnel(['status', '--json', '--state-dir', state], { home: home.path });
    expect(JSON.parse(told.stdout)).toMatchObject([{ pid: client.pid }]);
    expect(await readdir(temporary.path)).toHaveLength(1);
    client.kill('SIGKILL');
    await client.exit;
    expect((await runTunnel(['status', '--json', '--state-dir', state], { home: home.path })).stdout).toBe('[]\n');
    expect(await readdir(temporary.path)).toEqual([]);
    expect(await readdir(join(state, 'client/control'))).toEqual([]);
  });

  test('that cannot be made is a warning, and the tunnel works', async () => {
    await using home = await temporaryDirectory();
    await mkdir(join(home.path, '.local/state/tunnel/client'), { recursive: true });
    await writeFile(controlDirectory(home.path), '');
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await using client = await startClientProcess(port, 3000, [], { home: home.path });
    await client.waitForEvent('ready');
    expect(client.stderr).toContain('`tunnel status` will not show this process');
    const { code, stderr } = await runTunnel(['status'], { home: home.path });
    expect(code).toBe(2);
    expect(stderr).toContain(`error: cannot use the state directory: ${controlDirectory(home.path)}: `);
  });

  test('refuses what is no request, what is too long, and who says nothing', async () => {
    await using home = await temporaryDirectory();
    await using client = await startWaiting(home.path);
    const path = await socketOf(home.path);
    expect(await say(path, 'hello\n')).toBe('{"version":1,"error":"not a JSON object"}\n');
    expect(await say(path, '{"version":2,"command":"status"}\n')).toContain('"error":"this process speaks version 1"');
    expect(await say(path, 'x'.repeat(100_000))).toContain('"error":"a request has at most 1024 bytes"');
    expect(await say(path, '{"version":1,')).toBe('');
    expect(await say(path, '{"version":1,"command":"status"}\nmore')).toContain(`"pid":${client.pid}`);
  });

  test('of a process that does not answer, or of another version, is told as such', async () => {
    await using home = await temporaryDirectory();
    await using client = await startWaiting(home.path);
    client.kill('SIGSTOP');
    const other = createServer((socket) => socket.end('{"version":2}\n'));
    await once(other.listen(join(controlDirectory(home.path), '1-00000000.sock')), 'listening');
    try {
      expect(await status(home.path)).toEqual([
        { pid: 1, state: 'unknown', problem: 'it runs another version of this program' },
        { pid: client.pid, state: 'unknown', problem: 'it does not answer' },
      ]);
    } finally {
      other.close();
    }
  });

  test('that takes no further connection is told as such, and stays', async () => {
    await using home = await temporaryDirectory();
    await using client = await startWaiting(home.path);
    const path = await socketOf(home.path);
    // Old enough not to count as one that is just being opened.
    await utimes(path, 0, 0);
    const watchers = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = connect(path);
        socket.write('{"version":1,"command":"watch"}\n');
        await once(socket, 'data');
        return socket.resume();
      }),
    );
    try {
      const busy = { pid: client.pid, state: 'unknown', problem: 'it does not answer' };
      expect(await status(home.path)).toEqual([busy]);
      await using watch = await startTunnel(['status', '--watch', '--json'], { home: home.path });
      await watch.waitForStdout(/does not answer[^]*does not answer/);
      for (const socket of watchers) socket.destroy();
      await watch.waitForStdout(/"state":"(?:waiting|connecting)"/);
      expect(await status(home.path)).toMatchObject([{ pid: client.pid, lastError: { code: 'tcp-refused' } }]);
    } finally {
      for (const socket of watchers) socket.destroy();
    }
  });
});

/** What a control socket answers to this, until it closes the connection. */
async function say(path: string, text: string): Promise<string> {
  const socket = connect(path).setEncoding('utf8');
  let answer = '';
  socket.on('data', (part: string) => {
    answer += part;
  });
  // It may be closed while the rest is still on the way.
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
