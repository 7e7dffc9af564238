// The programs of examples/, each run for real.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@tunnel/client';
import { listen, type ListenOptions, type Server } from '@tunnel/server';
import { encodeKey, generateIdentity } from '@tunnel/shared/node';
import { beforeAll, expect, test } from 'vitest';
import { startTunnel, type TunnelProcess } from './support/command.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { answerTo, visit } from './support/visitor.ts';

const root = join(import.meta.dirname, '..');
const HOST = '127.0.0.1';
const SECRET = 'a secret of the tests, long enough';

const SCRIPT = join(root, 'scripts/example.mjs');

/** What it prints without a name: it bundles them all the same. */
let list = '';

beforeAll(() => {
  list = execFileSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
});

test('they are listed', () => {
  for (const name of ['echo', 'server', 'share-directory', 'state', 'webhook']) {
    expect(list).toMatch(new RegExp(`^${name} +[A-Z].+\\.$`, 'm'));
  }
});

test.each([
  [['ecco'], 'error: there is no example ecco\nhint: the examples are echo, server, share-directory, state, webhook\n'],
  [
    ['echo', 'example.org'],
    'error: the example echo takes the secret of the server from TUNNEL_SECRET, which is not set\nhint: TUNNEL_SECRET=… npm run example -- echo example.org; a server prints the secret when it starts on a terminal\n',
  ],
])('%j ends with what to do', (args, told) => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8', env: {} });
  expect({ status, stderr }).toEqual({ status: 2, stderr: told });
});

function startServer(options: ListenOptions = {}): Promise<Server> {
  return listen({ host: HOST, port: 0, secret: SECRET, drainTimeoutMs: 0, ...options });
}

function start(name: string, args: readonly string[]): Promise<TunnelProcess> {
  return startTunnel(args, { program: join(root, 'examples/dist', `${name}.js`), env: { TUNNEL_SECRET: SECRET } });
}

/** The public port that an example printed. */
async function portOf(example: TunnelProcess): Promise<number> {
  const [, port] = await example.waitForStdout(/(?:tcp|http):\/\/127\.0\.0\.1:(\d+)/);
  return Number(port);
}

async function expectCleanEnd(example: TunnelProcess): Promise<void> {
  example.kill('SIGTERM');
  expect(await example.waitForExit()).toEqual({ code: 0, signal: null });
}

test('echo: a TCP service that is a function', async () => {
  await using server = await startServer();
  await using example = await start('echo', [`${HOST}:${server.port}`]);
  await using visitor = await visit(await portOf(example));
  let answer = '';
  visitor.socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  visitor.socket.end('hello\n');
  expect(await visitor.waitForEnding()).toBe('end');
  expect(answer).toBe('you said: hello\ngood-bye\n');
  await expectCleanEnd(example);
});

test('share-directory: files, and nothing beside them', async () => {
  await using server = await startServer();
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, 'note.txt'), 'a note');
  await using example = await start('share-directory', [`${HOST}:${server.port}`, directory.path]);
  const address = `http://${HOST}:${await portOf(example)}`;
  const file = await fetch(`${address}/note.txt`);
  expect([file.status, file.headers.get('content-length'), await file.text()]).toEqual([200, '6', 'a note']);
  for (const path of ['/', '/none', '/%2e%2e/%2e%2e/etc/passwd', '/%ff']) {
    const answer = await fetch(address + path);
    expect([path, answer.status, await answer.text()]).toEqual([path, 404, 'not found\n']);
  }
  await expectCleanEnd(example);
});

test('webhook: prints what comes, at the same address after a restart', async () => {
  await using server = await startServer();
  await using directory = await temporaryDirectory();
  const args = [`${HOST}:${server.port}`, directory.path];
  const ports: number[] = [];
  for (const body of ['first', 'second']) {
    await using example = await start('webhook', args);
    const port = await portOf(example);
    ports.push(port);
    const answer = await fetch(`http://${HOST}:${port}/hook`, { method: 'POST', body });
    expect(answer.status).toBe(204);
    await example.waitForStdout(new RegExp(`^POST /hook from 127.0.0.1: ${body}$`, 'm'));
    await expectCleanEnd(example);
  }
  expect(ports[1]).toBe(ports[0]);
});

test('server: admits who is on its list, to the ports of the list', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startEcho();
  const { privateKey: identity, publicKey } = generateIdentity();
  const list = join(directory.path, 'authorized_keys');
  await writeFile(list, `ports="20000-29999",tunnels=1 ${encodeKey(publicKey)} laptop\n`);
  await using example = await start('server', ['0', list]);
  const [, port, serverKey = ''] = await example.waitForStdout(/listening on port (\d+), key (\S+)/);
  const options = { to: `${HOST}:${port}`, target: service.port, serverKey };
  {
    await using tunnel = await connect({ ...options, identity });
    await example.waitForStdout(/^laptop came from 127\.0\.0\.1/m);
    await example.waitForStdout(new RegExp(`^port ${tunnel.port} is open$`, 'm'));
    expect(await answerTo(tunnel.port, 'hello')).toBe('hello');
  }
  await example.waitForStdout(/^it left: /m);
  await expect(connect({ ...options, identity, port: 19_999 })).rejects.toMatchObject({ code: 'port-not-allowed' });
  await expect(connect(options)).rejects.toMatchObject({ code: 'key-refused' });
  await example.waitForStdout(/was refused: /);
  await expectCleanEnd(example);
});

test('state: shows what goes on, and why it cannot', async () => {
  await using service = await startEcho();
  await using directory = await temporaryDirectory();
  const stateDirectory = directory.path;
  const server = await startServer({ stateDirectory });
  const { port } = server;
  await using example = await start('state', [`${HOST}:${port}`, String(service.port)]);
  expect(await answerTo(await portOf(example), 'hello')).toBe('hello');
  server.abort();
  await example.waitForStdout(/^disconnected: /m);
  await example.waitForStdout(/^attempt \d+: .+; again in \d+ ms$/m);
  await using _again = await startServer({ stateDirectory, port });
  await example.waitForStdout(/^anew, \d+ lost$/m);
  await service.close();
  expect(await answerTo(await portOf(example), 'hello')).toBe('ECONNRESET');
  await example.waitForStdout(/^the service is down: /m);
  await expectCleanEnd(example);
  expect(example.stdout).toMatch(/^\d+ bytes in, \d+ bytes out, 1 reconnects\nstopped: stopped\n$/m);

  await using stranger = await startServer({ secret: 'another secret, long enough' });
  await using refused = await start('state', [`${HOST}:${stranger.port}`]);
  expect(await refused.waitForExit()).toEqual({ code: 3, signal: null });
  expect(refused.stderr).toMatch(/^error: .+\nhint: .+\n$/);
});
