// The way out through other people's proxies, each a real one.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseProxyAddress, parseServerAddress } from '@tunnel/client';
import { describe, expect, test } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { startTunnel } from './support/command.ts';
import { startClient, startServer, TEST_SECRET } from './support/pair.ts';
import { requirePrograms } from './support/program.ts';
import { type ProxyProgram, startProxyProgram } from './support/proxy-programs.ts';
import { httpReply, startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { startSshServer } from './support/ssh-server.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startClientProcess } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

const USER = 'somebody';
// Tinyproxy takes no other characters.
const PASSWORD = 'open-sesame.1';
const CREDENTIALS = `${USER}:${PASSWORD}@`;
const WRONG_CREDENTIALS = `${USER}:another-password@`;

interface Kind {
  readonly name: 'tinyproxy' | 'microsocks';
  readonly scheme: 'http' | 'socks5h';
  readonly start: (allowedPort: number, directory: TemporaryDirectory) => Promise<ProxyProgram>;
  /** What it says to a port that it does not allow; undefined where it allows all. */
  readonly refusal?: string;
  /** What it says where the server is not there. */
  readonly failure: RegExp;
}

const KINDS: readonly Kind[] = [
  {
    name: 'tinyproxy',
    scheme: 'http',
    start: (allowedPort, { path }) =>
      startProxyProgram('tinyproxy', async (port) => {
        const file = join(path, 'tinyproxy.conf');
        const login = `BasicAuth ${USER} ${PASSWORD}`;
        await writeFile(file, `Port ${port}\nListen 127.0.0.1\n${login}\nConnectPort ${allowedPort}\nConnectPort 1\n`);
        return ['-d', '-c', file];
      }),
    refusal: 'HTTP 403 Forbidden',
    failure: /HTTP 500 Internal Server Error/,
  },
  {
    name: 'microsocks',
    scheme: 'socks5h',
    start: () =>
      startProxyProgram('microsocks', (port) => ['-i', '127.0.0.1', '-p', String(port), '-u', USER, '-P', PASSWORD]),
    failure: /it says: connection refused/,
  },
];

describe.concurrent.each(KINDS)('through $name', { timeout: 60_000 }, (kind) => {
  test('a tunnel is opened, with TLS and without, and goes on after a restart of the proxy', async (context) => {
    requirePrograms(context, kind.name);
    await using directory = await temporaryDirectory();
    await using service = await startEcho();
    const ca = readCertificates().get('TEST_AUTHORITY');
    const tls = await certificateFiles(directory.path);
    for (const secure of [false, true]) {
      await using server = await startServer(secure ? { tls } : {});
      await using running = await kind.start(server.port, directory);
      const proxy = parseProxyAddress(`${kind.scheme}://${CREDENTIALS}127.0.0.1:${running.port}`);
      const to = parseServerAddress(`${secure ? 'wss' : 'ws'}://localhost:${server.port}`);
      const options = { server: to, ca, proxy, maxReconnectDelayMs: 500 };
      await using client = await startClient(server.port, [service.port], options);
      expect(client.client.status().proxy).toBe(`${kind.scheme}://127.0.0.1:${running.port}`);
      await using visitor = await visit(client.port);
      await visitor.send(1, 300_000, { ends: false });
      await visitor.waitForBytes(300_000);
      const ready = client.log.waitForNext('ready', () => true, 20_000);
      await running.restart();
      expect((await ready).event.resumed).toBe(true);
      visitor.socket.write('after');
      await visitor.waitForBytes(300_005);
    }
  });

  test('each failure has its code, and no password is told', async (context) => {
    requirePrograms(context, kind.name);
    await using directory = await temporaryDirectory();
    await using server = await startServer();
    await using another = await startServer();
    await using running = await kind.start(server.port, directory);
    const failure = async (credentials: string, port: number): Promise<object> => {
      const proxy = parseProxyAddress(`${kind.scheme}://${credentials}127.0.0.1:${running.port}`);
      const options = { proxy, reconnect: false, waitsForReady: false };
      await using client = await startClient(port, [9], options);
      const { event } = await client.log.waitFor('stopped');
      expect(JSON.stringify([event, client.client.status()])).not.toMatch(/another-password|open-sesame/);
      return event;
    };
    expect(await failure('', server.port)).toMatchObject({ code: 'proxy-auth-required', exitCode: 3 });
    expect(await failure(WRONG_CREDENTIALS, server.port)).toMatchObject({ code: 'proxy-auth-required', exitCode: 3 });
    expect(await failure(CREDENTIALS, 1)).toMatchObject({
      code: 'proxy-failed',
      exitCode: 4,
      reason: expect.stringMatching(kind.failure) as string,
    });
    if (kind.refusal === undefined) return;
    expect(await failure(CREDENTIALS, another.port)).toMatchObject({
      code: 'proxy-refused',
      exitCode: 4,
      reason: expect.stringContaining(kind.refusal) as string,
    });
  });
});

test('through the SOCKS of `ssh -D`, which wants nobody to log in', { timeout: 60_000 }, async (context) => {
  requirePrograms(context, 'ssh', 'sshd', 'ssh-keygen');
  await using ssh = await startSshServer();
  await using service = await startEcho();
  await using server = await startServer();
  const { clientOptions, destination } = ssh;
  await using forwarding = await startProxyProgram('ssh', (port) => [
    ...clientOptions,
    '-N',
    '-D',
    `127.0.0.1:${port}`,
    '-p',
    String(ssh.port),
    destination,
  ]);
  for (const scheme of ['socks5', 'socks5h']) {
    const proxy = parseProxyAddress(`${scheme}://127.0.0.1:${forwarding.port}`);
    const to = parseServerAddress(`ws://localhost:${server.port}`);
    await using client = await startClient(server.port, [service.port], { server: to, proxy });
    await using visitor = await visit(client.port);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
  }
  const proxy = parseProxyAddress(`socks5h://127.0.0.1:${forwarding.port}`);
  await using client = await startClient(1, [9], { proxy, reconnect: false, waitsForReady: false });
  expect((await client.log.waitFor('stopped')).event.code).toBe('proxy-failed');
});

describe.concurrent('the command', () => {
  test('takes a proxy by flag also to this machine, and tells of it without the password', async (context) => {
    requirePrograms(context, 'microsocks');
    await using directory = await temporaryDirectory();
    await using service = await startEcho();
    await using server = await startServer();
    await using running = await (KINDS[1] as Kind).start(server.port, directory);
    const args = ['--proxy', `socks5://${CREDENTIALS}127.0.0.1:${running.port}`];
    await using client = await startClientProcess(server.port, service.port, args);
    const port = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(port);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    await using status = await startTunnel(['status', '--json'], { home: client.home });
    await status.waitForExit();
    expect(JSON.parse(status.stdout)).toMatchObject([{ proxy: `socks5://127.0.0.1:${running.port}` }]);
    const command = await readFile(`/proc/${client.pid}/cmdline`, 'utf8');
    expect([client.stdout, client.stderr, status.stdout, command].join('\n')).not.toMatch(/open-sesame/);
    expect(client.stderr).toContain("can see the proxy's password");
  });

  test('takes one from the environment, but not to this machine', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using proxy = await startRelay({ targetPort: server.port });
    proxy.answerWith(httpReply(502));
    const url = `http://${CREDENTIALS}127.0.0.1:${proxy.port}`;
    const env = { HTTP_PROXY: url, https_proxy: url };
    for (const to of ['ws://tunnel.example.invalid', 'wss://tunnel.example.invalid']) {
      await using client = await startTunnel(['local', '9', '--no-reconnect', '--to', to, '--output', 'json'], {
        env: { ...env, TUNNEL_SECRET: TEST_SECRET },
      });
      expect((await client.waitForExit()).code).toBe(4);
      expect(client.events.at(-1)).toMatchObject({ code: 'proxy-failed' });
      expect(client.stdout + client.stderr).not.toMatch(/open-sesame/);
    }
    await using client = await startClientProcess(server.port, service.port, [], { env });
    await client.waitForEvent('ready');
    expect(proxy.connectionCount).toBe(2);
  });
});
