// The configuration file, `tunnel run` and `tunnel config check`, as processes.
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adminPortOf, askAdmin, samplesOf } from './support/admin.ts';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { runTunnel, startTunnel, type TunnelEvent, type TunnelProcess } from './support/command.ts';
import { TEST_SECRET } from './support/pair.ts';
import { startProxyProgram } from './support/proxy-programs.ts';
import { requireLauncher, requirePrograms } from './support/program.ts';
import { ServiceManager } from './support/service-manager.ts';
import { startEcho, startSource } from './support/services.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startServerProcess } from './support/tunnel-processes.ts';
import { answerTo, visit } from './support/visitor.ts';

/** Every test starts several processes, and they share the cores. */
const SLOW = { timeout: 60_000 };

/** Writes the user's own configuration file. */
async function configure({ path: home }: TemporaryDirectory, text: string): Promise<string> {
  const file = join(home, '.config/tunnel/config.toml');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

function startRun(home: TemporaryDirectory, args: readonly string[] = []): Promise<TunnelProcess> {
  return startTunnel(['run', ...args, '--output', 'json'], { home: home.path });
}

/** The public ports of a `ready` by the names of their tunnels. */
function portsOf({ tunnels }: TunnelEvent): Readonly<Record<string, number>> {
  const open = tunnels as { readonly name: string; readonly port: number }[];
  return Object.fromEntries(open.map(({ name, port }) => [name, port]));
}

/** `[client]` for a server on loopback, and one tunnel a line: a name and a port of this machine. */
function clientTo(port: number, tunnels: Readonly<Record<string, number>>): string {
  const tables = Object.entries(tunnels).map(([name, target]) => `[tunnels.${name}]\ntarget = "127.0.0.1:${target}"\n`);
  return `[client]\nto = "127.0.0.1:${port}"\nsecret = "${TEST_SECRET}"\n${tables.join('')}`;
}

describe('a user without a home directory, whom the system does not know', SLOW, () => {
  const STRANGER = ['unshare', '--user', '--map-user=54321', '--map-group=54321'];
  const HOMELESS = [...STRANGER, 'env', '-u', 'HOME', '-u', 'XDG_STATE_HOME', '-u', 'XDG_CONFIG_HOME'];

  test('needs none where the files are named', async (context) => {
    requireLauncher(context, STRANGER);
    await using directory = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = join(directory.path, 'tunnel.toml');
    await writeFile(file, clientTo(port, { web: 3000 }), { mode: 0o600 });
    const options = { launcher: HOMELESS, env: { TUNNEL_STATE_DIR: join(directory.path, 'state') } };
    expect(await runTunnel(['config', 'check', file], options)).toMatchObject({ code: 0, stderr: '' });
    await using client = await startTunnel(['run', '--config', file, '--output', 'json'], options);
    expect(Object.keys(portsOf(await client.waitForEvent('ready')))).toEqual(['web']);
  });

  test('is told where a path begins at one', async (context) => {
    requireLauncher(context, STRANGER);
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'tunnel.toml');
    await writeFile(file, '[client]\nsecret-file = "~/secret"\n');
    expect(await runTunnel(['config', 'check', file], { launcher: HOMELESS })).toMatchObject({
      code: 2,
      stderr: `error: ${file}:2:15: client.secret-file: ~/ stands for the home directory, and this user has none; write the full path\nhint: correct the file; docs/configuration.md lists all keys\n`,
    });
  });
});

describe('tunnel run', SLOW, () => {
  test('opens the tunnels of several servers, and says which is which', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server: first, port: firstPort } = await startServerProcess(['--port', '0']);
    await using _first = first;
    const { server: second, port: secondPort } = await startServerProcess(['--port', '0']);
    await using _second = second;
    const other = `[tunnels.far]\ntarget = "127.0.0.1:${echo.port}"\nto = "127.0.0.1:${secondPort}"\n`;
    await configure(home, clientTo(firstPort, { web: echo.port, db: echo.port }) + other);
    await using client = await startRun(home);
    const near = await client.waitForEvent('ready', ({ server }) => server === `ws://127.0.0.1:${firstPort}`);
    const far = await client.waitForEvent('ready', ({ server }) => server === `ws://127.0.0.1:${secondPort}`);
    expect(Object.keys(portsOf(near))).toEqual(['web', 'db']);
    expect(Object.keys(portsOf(far))).toEqual(['far']);
    for (const port of [...Object.values(portsOf(near)), ...Object.values(portsOf(far))]) {
      await using visitor = await visit(port);
      visitor.socket.write('12345');
      await visitor.waitForBytes(5);
    }
    await first.waitForStderr(/"name":"web","msg":"tunnel opened"/);

    const { stdout: status } = await runTunnel(['status'], { home: home.path });
    expect(status).toContain(`web: tcp://127.0.0.1:${portsOf(near)['web']} -> 127.0.0.1:${echo.port}\n`);
    expect(status).toContain(`far: tcp://127.0.0.1:${portsOf(far)['far']} -> `);
    const json = JSON.parse((await runTunnel(['status', '--json'], { home: home.path })).stdout) as object[];
    expect(json).toHaveLength(2);

    client.kill('SIGTERM');
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
    expect(client.events.filter(({ event }) => event === 'stopped')).toMatchObject([
      { server: expect.any(String), exitCode: 0 },
      { server: expect.any(String), exitCode: 0 },
      { exitCode: 0, code: 'stopped' },
    ]);
    expect(client.events.at(-1)).not.toHaveProperty('server');
    expect((await runTunnel(['status', '--json'], { home: home.path })).stdout).toBe('[]\n');
  });

  test('opens only the tunnels that are named, and knows no others', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = await configure(home, clientTo(port, { web: 3000, db: 3001 }));
    await using client = await startRun(home, ['db']);
    expect(Object.keys(portsOf(await client.waitForEvent('ready')))).toEqual(['db']);
    expect(await runTunnel(['run', 'wbe'], { home: home.path })).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${file} has no tunnel named wbe\nhint: the names are web, db\n`,
    });
  });

  test('goes on with the others when one server refuses for good, and ends with its code when all did', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const { server: strict, port: strictPort } = await startServerProcess(['--port', '0']);
    await using _strict = strict;
    const refused = `[tunnels.no]\ntarget = 3001\nto = "127.0.0.1:${strictPort}"\nsecret = "not the right one at all"\n`;
    await configure(home, clientTo(port, { web: 3000 }) + refused);
    await using client = await startRun(home);
    await client.waitForEvent('ready');
    await client.waitForEvent('stopped', ({ code, server: at }) => code === 'secret-refused' && at !== undefined);
    await client.waitForStderr(/"msg":"the server rejected the secret"/);
    const strictly = { server: `ws://127.0.0.1:${strictPort}`, code: 'secret-refused', exitCode: 3 };
    expect(client.logs).toContainEqual(expect.objectContaining(strictly));
    expect(client.stderr + client.stdout).not.toContain('not the right one');
    const ready = client.waitForNextEvent('ready');
    await configure(home, clientTo(port, { web: 3000, more: 3002 }) + refused);
    client.kill('SIGHUP');
    expect(Object.keys(portsOf(await ready))).toEqual(['web', 'more']);

    await configure(
      home,
      clientTo(strictPort, {}).replace(TEST_SECRET, 'not the right one at all') + '[tunnels.a]\ntarget = 1\n',
    );
    await using hopeless = await startRun(home);
    expect(await hopeless.waitForExit()).toEqual({ code: 3, signal: null });
    expect(hopeless.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 3, code: 'secret-refused' });
  });

  test('at SIGHUP adds, removes and changes tunnels in the session that goes on', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    await using source = await startSource(1000);
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await configure(home, clientTo(port, { kept: echo.port, gone: echo.port, other: echo.port }));
    await using client = await startRun(home);
    const before = await client.waitForEvent('ready');
    await using visitor = await visit(portsOf(before)['kept'] ?? 0);
    await using leaving = await visit(portsOf(before)['gone'] ?? 0);
    for (const { socket } of [visitor, leaving]) socket.write('12345');
    await visitor.waitForBytes(5);
    await leaving.waitForBytes(5);

    const next = client.waitForNextEvent('ready');
    await configure(home, clientTo(port, { other: source.port, added: echo.port, kept: echo.port }));
    client.kill('SIGHUP');
    const after = await next;
    expect(after).toMatchObject({ sessionId: before['sessionId'], resumed: false });
    expect(portsOf(after)).toEqual({
      kept: portsOf(before)['kept'],
      other: portsOf(before)['other'],
      added: expect.any(Number),
    });
    await using added = await visit(portsOf(after)['added'] ?? 0);
    added.socket.write('12345');
    await added.waitForBytes(5);
    await using changed = await visit(portsOf(after)['other'] ?? 0);
    await changed.waitForBytes(1000);
    await expect(visit(portsOf(before)['gone'] ?? 0)).rejects.toThrow(/ECONNREFUSED/);
    // What was open stays open, also where the tunnel is gone.
    for (const { socket } of [visitor, leaving]) socket.write('67890');
    await visitor.waitForBytes(10);
    await leaving.waitForBytes(10);
    expect(client.events.map(({ event }) => event)).toEqual(['ready', 'ready']);
    expect(server.events.filter(({ event }) => event.startsWith('client-'))).toHaveLength(1);
  });

  test('at SIGHUP changes who may visit one tunnel, which keeps its port and its visitors', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const tunnels = { other: echo.port, web: echo.port };
    await configure(home, clientTo(port, tunnels));
    await using client = await startRun(home);
    const before = await client.waitForEvent('ready');
    const { web = 0, other = 0 } = portsOf(before);
    await using visitor = await visit(web, { from: '127.0.0.2' });
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);

    const next = client.waitForNextEvent('ready');
    // It goes into the last table, that of `web`.
    await configure(home, `${clientTo(port, tunnels)}deny = ["127.0.0.2", "127.0.0.3"]\n`);
    client.kill('SIGHUP');
    expect(portsOf(await next)).toEqual({ web, other });
    expect(await answerTo(web, 'hi', { from: '127.0.0.2' })).toBe('ECONNRESET');
    expect(await answerTo(web, 'hi', { from: '127.0.0.4' })).toBe('hi');
    expect(await answerTo(other, 'hi', { from: '127.0.0.2' })).toBe('hi');
    visitor.socket.write('67890');
    await visitor.waitForBytes(10);
    expect(server.stderr).not.toContain('tunnel closed');
  });

  test('tells systemd and the admin endpoint of all its sessions, and when it reads the file again', async (context) => {
    requirePrograms(context, 'python3', 'systemd-notify');
    await using manager = await ServiceManager.start();
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server: first, port: firstPort } = await startServerProcess(['--port', '0']);
    await using _first = first;
    const { server: second, port: secondPort } = await startServerProcess(['--port', '0']);
    await using _second = second;
    const far = (port: number): string => `[tunnels.far]\ntarget = "127.0.0.1:1"\nto = "127.0.0.1:${port}"\n`;
    const near = clientTo(firstPort, { web: echo.port }).replace('[client]', '[client]\nadmin = 0');
    await configure(home, near + far(1));
    await using client = await startTunnel(['run', '--output', 'json'], {
      home: home.path,
      env: { NOTIFY_SOCKET: manager.socket },
    });
    const admin = await adminPortOf(client);
    await client.waitForEvent('ready');
    await client.waitForEvent('retrying');
    expect(await askAdmin(admin, '/readyz')).toEqual({
      status: 503,
      body: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:1: (?:waiting|connecting)/) as string,
    });
    await manager.waitFor(/1 of 2 sessions ready; not ready since/);
    expect(manager.messages.filter(({ READY }) => READY !== undefined)).toEqual([]);

    await configure(home, near + far(secondPort));
    client.kill('SIGHUP');
    await manager.waitFor(/READY=1[^]*2 of 2 sessions ready|2 of 2 sessions ready[^]*READY=1/);
    expect(await askAdmin(admin, '/readyz')).toEqual({ status: 200, body: 'ready\n' });
    const samples = samplesOf((await askAdmin(admin, '/metrics')).body);
    const ready = [...samples].filter(([name]) => name.startsWith('tunnel_client_ready'));
    expect(Object.fromEntries(ready)).toEqual({
      [`tunnel_client_ready{server="ws://127.0.0.1:${firstPort}"}`]: 1,
      [`tunnel_client_ready{server="ws://127.0.0.1:${secondPort}"}`]: 1,
    });
    const countBefore = manager.messages.length;
    client.kill('SIGHUP');
    await manager.waitFor(/RELOADING=1[^]*READY=1/);
    const told = manager.messages.slice(countBefore).find(({ RELOADING }) => RELOADING !== undefined);
    expect(told).toMatchObject({
      RELOADING: '1',
      MONOTONIC_USEC: expect.stringMatching(/^\d+$/) as string,
    });
    client.kill('SIGTERM');
    await client.waitForExit();
    expect(manager.messages.at(-1)).toMatchObject({ STOPPING: '1' });
  });

  test('at SIGHUP moves a public port from one tunnel to another', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await configure(home, clientTo(port, { old: echo.port }));
    await using client = await startRun(home);
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(publicPort);
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);
    const next = client.waitForNextEvent('ready');
    await configure(home, `${clientTo(port, { new: echo.port })}port = ${publicPort}\n`);
    client.kill('SIGHUP');
    expect(portsOf(await next)).toEqual({ new: publicPort });
    await using second = await visit(publicPort);
    second.socket.write('12345');
    await second.waitForBytes(5);
    visitor.socket.write('67890');
    await visitor.waitForBytes(10);
  });

  test('at SIGHUP tries now where it waits, also where tunnels have changed', async () => {
    await using home = await temporaryDirectory();
    const busy = createServer((_request, response) => response.writeHead(503, { 'Retry-After': 20 }).end());
    await once(busy.listen(0, '127.0.0.1'), 'listening');
    const { port } = busy.address() as AddressInfo;
    try {
      await configure(home, clientTo(port, { web: 3000 }));
      await using client = await startRun(home);
      expect(Number((await client.waitForEvent('retrying'))['delayMs'])).toBeGreaterThanOrEqual(20_000);
      const next = once(busy, 'request');
      await configure(home, clientTo(port, { web: 3001 }));
      const began = performance.now();
      client.kill('SIGHUP');
      await next;
      expect(performance.now() - began).toBeLessThan(15_000);
    } finally {
      busy.close();
    }
  });

  test('a file that is wrong at SIGHUP is told, and changes nothing', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = await configure(home, clientTo(port, { web: echo.port }));
    await using client = await startRun(home);
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    await configure(home, `${clientTo(port, { web: echo.port })}prot = 5\n[tunnels.two]\n`);
    client.kill('SIGHUP');
    await client.waitForStderr(/tunnels\.web\.prot: unknown key; did you mean port\?/);
    await client.waitForStderr(/tunnels\.two: `target` \(the local service\) is missing/);
    await client.waitForStderr(/everything stays as it was/);
    await configure(home, '');
    client.kill('SIGHUP');
    await client.waitForStderr(/it contains no tunnels/);
    await using visitor = await visit(publicPort);
    visitor.socket.write('12345');
    await visitor.waitForBytes(5);
    await configure(home, clientTo(port, { web: echo.port }).replace('[client]', '[client]\nlog-level = "debug"'));
    client.kill('SIGHUP');
    await client.waitForStderr(/configuration read again: 1 session as before/);
    await client.waitForStderr(new RegExp(`changed in ${file}: log-level`));
    expect(client.events.map(({ event }) => event)).toEqual(['ready']);
  });

  test('a tunnel that the server does not open does not end the others', async () => {
    await using home = await temporaryDirectory();
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0', '--min-port', '20000']);
    await using _server = server;
    await configure(home, `${clientTo(port, { web: echo.port, low: echo.port })}port = 19999\n`);
    await using client = await startRun(home);
    const warning = await client.waitForEvent('warning');
    expect(warning).toMatchObject({ code: 'port-not-allowed', reason: expect.stringContaining('the tunnel low') });
    expect(Object.keys(portsOf(await client.waitForEvent('ready')))).toEqual(['web']);
    await configure(home, `${clientTo(port, { low: echo.port })}port = 19999\n`);
    client.kill('SIGHUP');
    expect(await client.waitForExit()).toEqual({ code: 5, signal: null });
  });

  test('a changed secret makes a new session, in which the ports are the same', async () => {
    await using home = await temporaryDirectory();
    await using secretFile = await temporaryDirectory();
    const secret = join(secretFile.path, 'secret');
    await writeFile(secret, 'not the right one at all\n');
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const { server: other, port: otherPort } = await startServerProcess(['--port', '0']);
    await using _other = other;
    await configure(
      home,
      `${clientTo(port, { web: 3000 })}[tunnels.far]\ntarget = 1\nto = "127.0.0.1:${otherPort}"\nsecret-file = "${secret}"\n`,
    );
    await using client = await startRun(home);
    const ready = await client.waitForEvent('ready');
    await client.waitForEvent('stopped', ({ code }) => code === 'secret-refused');
    await writeFile(secret, `${TEST_SECRET}\n`);
    const far = client.waitForNextEvent('ready');
    client.kill('SIGHUP');
    expect((await far)['server']).toBe(`ws://127.0.0.1:${otherPort}`);
    expect(client.events.filter(({ sessionId }) => sessionId === ready['sessionId'])).toHaveLength(1);
  });
});

describe('every command', SLOW, () => {
  test('a flag goes before the environment, which goes before the file', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await configure(home, `[client]\nto = "127.0.0.1:1"\nsecret = "${TEST_SECRET}"\noutput = "json"\n`);
    const environment = { TUNNEL_SERVER: `127.0.0.1:${port}` };
    await using fromFile = await startTunnel(['local', '3000'], { home: home.path });
    expect(await fromFile.waitForEvent('retrying')).toMatchObject({ reason: expect.stringContaining('127.0.0.1:1') });
    await using fromEnvironment = await startTunnel(['local', '3000'], { home: home.path, env: environment });
    await fromEnvironment.waitForEvent('ready');
    await using fromFlag = await startTunnel(['local', '3000', '--to', '127.0.0.1:2'], {
      home: home.path,
      env: environment,
    });
    expect(await fromFlag.waitForEvent('retrying')).toMatchObject({ reason: expect.stringContaining('127.0.0.1:2') });
  });

  test('the server key of the file is for the server of the file, and named where it is wrong', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = await configure(home, `${clientTo(port, {})}server-key = "${'A'.repeat(43)}"\n`);
    const { code, stderr } = await runTunnel(['local', '3000'], { home: home.path });
    expect(code).toBe(3);
    expect(stderr).toContain(`correct ${file}:4:14: client.server-key if it differs`);
    const args = ['local', '3000', '--to', `localhost:${port}`, '--output', 'json'];
    await using client = await startTunnel(args, { home: home.path });
    await client.waitForEvent('ready');
  });

  test('a server reads its table, finds files beside the file, and says at SIGHUP what needs a restart', async () => {
    await using home = await temporaryDirectory();
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'tunnel.toml');
    const text = '[server]\nhost = "127.0.0.1"\nport = 0\nsecret-file = "secret"\noutput = "json"\nmin-port = 20000\n';
    await writeFile(file, text);
    await writeFile(join(directory.path, 'secret'), 'beside the configuration file');
    const env = { TUNNEL_CONFIG: file };
    await using server = await startTunnel(['server'], { home: home.path, env });
    await server.waitForEvent('listening');
    await server.waitForStderr(new RegExp(`${directory.path}/secret`));
    server.kill('SIGHUP');
    await server.waitForStderr(/nothing changed for the server/);
    await writeFile(file, text.replace('20000', '30000'));
    server.kill('SIGHUP');
    await server.waitForStderr(/changed in .*: min-port/);
    await writeFile(file, '[server]\nport = "x"\n');
    server.kill('SIGHUP');
    await server.waitForStderr(/tunnel\.toml:2:8: server\.port x: not a valid port/);
    await using client = await startTunnel(['local', '3000', '--port', '19999', '--output', 'json'], {
      home: home.path,
    });
    expect(await client.waitForExit()).toEqual({ code: 5, signal: null });
  });

  test('a secret in a file that others can read is warned of, and not printed', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = await configure(home, clientTo(port, { web: 3000 }));
    await using quiet = await startRun(home);
    await quiet.waitForEvent('ready');
    expect(quiet.stderr).not.toMatch(/can read/);
    await chmod(file, 0o644);
    await using client = await startRun(home);
    await client.waitForStderr(/other users of this machine can read .*config\.toml, and there is a secret in it/);
    const { stdout, code } = await runTunnel(['config', 'check'], { home: home.path });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/warning: other users/) });
    expect(stdout + client.stderr + client.stdout).not.toContain(TEST_SECRET);
  });
});

test('certificates and proxies, on both sides', SLOW, async (context) => {
  requirePrograms(context, 'microsocks');
  await using home = await temporaryDirectory();
  await using directory = await temporaryDirectory();
  await using echo = await startEcho();
  await certificateFiles(directory.path);
  await writeFile(join(directory.path, 'ca.pem'), readCertificates().get('TEST_AUTHORITY') ?? '');
  const file = join(directory.path, 'tunnel.toml');
  await writeFile(
    file,
    '[server]\nhost = "127.0.0.1"\nport = 0\ntls-cert = "cert.pem"\ntls-key = "key.pem"\ntrusted-proxy = ["127.0.0.1", "::1"]\n',
  );
  await using server = await startTunnel(['server', '--config', file, '--output', 'json'], {
    home: home.path,
    env: { TUNNEL_SECRET: TEST_SECRET },
  });
  const { port, url } = await server.waitForEvent('listening');
  expect(url).toBe(`wss://127.0.0.1:${String(port)}`);
  await using proxy = await startProxyProgram('microsocks', (proxyPort) => {
    const login = ['-u', 'me', '-P', 'proxy-password'];
    return ['-i', '127.0.0.1', '-p', String(proxyPort), ...login];
  });
  const proxyUrl = `socks5h://me:proxy-password@127.0.0.1:${proxy.port}`;
  await writeFile(
    file,
    `[client]\nto = "wss://localhost:${String(port)}"\nca = "ca.pem"\nproxy = "${proxyUrl}"\n[tunnels.web]\ntarget = ${echo.port}\n`,
    { mode: 0o644 },
  );
  await using client = await startTunnel(['run', '--config', file, '--output', 'json'], {
    home: home.path,
    env: { TUNNEL_SECRET: TEST_SECRET },
  });
  await using visitor = await visit(publicPortOf(await client.waitForEvent('ready')));
  visitor.socket.write('12345');
  await visitor.waitForBytes(5);
  await client.waitForStderr(
    /other users of this machine can read .*tunnel\.toml, and there is a proxy's password in it/,
  );
  const status = await runTunnel(['status', '--json'], { home: home.path });
  expect(JSON.parse(status.stdout)).toMatchObject([{ proxy: `socks5h://127.0.0.1:${proxy.port}` }]);
  const check = await runTunnel(['config', 'check', file], { home: home.path });
  expect(check).toMatchObject({ code: 0, stdout: expect.stringContaining("a proxy's password") as string });
  const told = [client.stdout, client.stderr, status.stdout, check.stdout].join('\n');
  expect(told).not.toContain('proxy-password');
});

describe('the environment', SLOW, () => {
  test('goes before the file, and that is told by a check and at a start', async () => {
    await using home = await temporaryDirectory();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    const file = await configure(home, clientTo(1, { web: 3000, db: 3001 }));
    const env = { TUNNEL_SERVER: `127.0.0.1:${port}`, TUNNEL_SECRET: TEST_SECRET };
    const told = `TUNNEL_SERVER is 127.0.0.1:${port}, which goes before the file: ${file}:2:6: client.to`;
    const { code, stdout } = await runTunnel(['config', 'check'], { home: home.path, env });
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n').slice(-1)).toEqual([told]);
    await using client = await startTunnel(['run', '--output', 'json'], { home: home.path, env });
    await client.waitForEvent('ready');
    expect(client.stderr.split(told)).toHaveLength(2);
    expect(client.stderr).not.toContain('TUNNEL_SECRET');
    await using single = await startTunnel(['local', '3002', '--output', 'json'], { home: home.path, env });
    await single.waitForEvent('ready');
    expect(single.stderr).toContain(told);
  });

  test('has no ports for us where Kubernetes has a service of our name', async () => {
    const link = 'tcp://10.0.0.1:7835';
    await using server = await startTunnel(['server', '--port', '0', '--output', 'json'], {
      env: { TUNNEL_PORT: link, TUNNEL_MIN_PORT: link },
    });
    await server.waitForEvent('listening');
    await server.waitForStderr(
      /"msg":"TUNNEL_MIN_PORT=tcp:\/\/10\.0\.0\.1:7835 is ignored: Kubernetes sets that for a service of this name"/,
    );
    // The command line has that one.
    expect(server.stderr).not.toContain('TUNNEL_PORT=');
  });
});

describe('tunnel config check', SLOW, () => {
  test('tells what stands in a file', async () => {
    await using home = await temporaryDirectory();
    const file = await configure(
      home,
      '[server]\nport = 0\n[client]\nto = "example.org"\n[tunnels.web]\ntarget = 3000\nport = 8080\n[tunnels.db]\ntarget = "db:1"\n',
    );
    const lines = [
      `${file} is right`,
      'server: port',
      'client: to',
      'tunnel web: 3000 at example.org, port 8080',
      'tunnel db: db:1 at example.org, any port',
    ];
    const expected = { code: 0, stdout: `${lines.join('\n')}\n`, stderr: '' };
    expect(await runTunnel(['config', 'check'], { home: home.path })).toEqual(expected);
    expect(await runTunnel(['config', 'check', '.config/tunnel/config.toml'], { home: home.path })).toEqual(expected);
  });

  test('tells all that is wrong, each with its place', async () => {
    await using home = await temporaryDirectory();
    const file = await configure(home, '[client]\nsecrt = "geheim"\n[tunnels.web]\ntarget = true\nport = 80000\n');
    const { code, stdout, stderr } = await runTunnel(['config', 'check'], { home: home.path });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      `error: ${file}:2:1: client.secrt: unknown key; did you mean secret?`,
      `error: ${file}:4:10: tunnels.web.target: expected text or a number, found true or false`,
      `error: ${file}:5:8: tunnels.web.port 80000: not a valid port; a port is a number from 0 to 65535`,
      'hint: correct the file; docs/configuration.md lists all keys',
      '',
    ]);
    expect((await runTunnel(['local', '3000'], { home: home.path })).stderr).toBe(stderr);
  });

  test('a file that is named has to be there', async () => {
    await using home = await temporaryDirectory();
    const options = { home: home.path, env: { TUNNEL_CONFIG: 'nowhere.toml' } };
    expect(await runTunnel(['server'], options)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('TUNNEL_CONFIG nowhere.toml: no such file'),
    });
    expect(await runTunnel(['run'], { home: home.path })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`there is no ${join(home.path, '.config/tunnel/config.toml')}`),
    });
  });
});
