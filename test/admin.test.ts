// The admin endpoint of both commands: health, readiness and metrics.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adminPortOf, askAdmin, samplesOf } from './support/admin.ts';
import { startTunnel } from './support/command.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import {
  publicPortOf,
  startClientProcess,
  startServerProcess,
  startTunnelProcesses,
} from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

const SLOW = { timeout: 60_000 };

/** What one visitor sends, and gets back. */
const BYTES = 100_000;

describe('a server', SLOW, () => {
  test('is healthy and ready, and while it drains only healthy', async () => {
    await using echo = await startEcho();
    await using pair = await startTunnelProcesses(echo.port, ['--admin', '0']);
    const admin = await adminPortOf(pair.server);
    expect(await askAdmin(admin, '/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect(await askAdmin(admin, '/readyz')).toEqual({ status: 200, body: 'listening\n' });

    await using visitor = await visit(pair.port);
    await visitor.send(1, BYTES, { ends: false });
    await visitor.waitForBytes(BYTES);
    pair.server.kill();
    await expect
      .poll(() => askAdmin(admin, '/readyz'))
      .toEqual({ status: 503, body: 'draining: it takes no new clients and visitors\n' });
    expect(await askAdmin(admin, '/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect(samplesOf((await askAdmin(admin, '/metrics')).body).get('tunnel_server_streams')).toBe(1);
    visitor.socket.end();
    expect(await pair.server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test('counts visitors, their bytes, links and refusals, also of sessions that are over', async () => {
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0', '--admin', '0', '--resume-window', '500ms']);
    await using _server = server;
    const admin = await adminPortOf(server);
    const samples = async () => samplesOf((await askAdmin(admin, '/metrics')).body);
    await using client = await startClientProcess(port, echo.port);
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(publicPort);
    await visitor.send(1, BYTES);
    await visitor.waitForBytes(BYTES);
    await using stranger = await startClientProcess(port, echo.port, [], { env: { TUNNEL_SECRET: 'x'.repeat(20) } });
    expect((await stranger.waitForExit()).code).toBe(3);
    await expect
      .poll(async () => Object.fromEntries(await samples()))
      .toMatchObject({
        'tunnel_server_sessions{state="linked"}': 1,
        'tunnel_server_sessions{state="waiting"}': 0,
        'tunnel_server_links{state="established"}': 1,
        tunnel_server_public_ports: 1,
        tunnel_server_visitors_total: 1,
        'tunnel_server_visitor_bytes_total{direction="in"}': BYTES,
        'tunnel_server_visitor_bytes_total{direction="out"}': BYTES,
        'tunnel_server_handshakes_total{code="accepted"}': 1,
        'tunnel_server_handshakes_total{code="secret-refused"}': 1,
        tunnel_server_handshake_duration_seconds_count: 1,
        tunnel_server_sessions_begun_total: 1,
        'tunnel_server_heartbeat_round_trip_seconds{statistic="max"}': expect.any(Number) as number,
      });

    client.kill('SIGKILL');
    await server.waitForEvent('client-expired');
    expect(Object.fromEntries(await samples())).toMatchObject({
      'tunnel_server_sessions{state="linked"}': 0,
      tunnel_server_public_ports: 0,
      tunnel_server_visitors_total: 1,
      'tunnel_server_visitor_bytes_total{direction="out"}': BYTES,
      tunnel_server_sessions_expired_total: 1,
    });
    expect([...(await samples()).keys()].filter((name) => name.includes('round_trip'))).toEqual([]);
  });

  test('answers nothing else', async () => {
    const { server } = await startServerProcess(['--port', '0', '--admin', '0']);
    await using _server = server;
    const admin = await adminPortOf(server);
    expect((await askAdmin(admin, '/')).status).toBe(404);
    expect((await askAdmin(admin, '/metrics/..')).status).toBe(404);
    expect((await askAdmin(admin, '/metrics', { method: 'POST' })).status).toBe(405);
    expect(await askAdmin(admin, '/readyz?verbose', { method: 'HEAD' })).toEqual({ status: 200, body: '' });
  });

  test('has an admin endpoint only where it was asked for, and then only for its own machine', async () => {
    const { server: silent } = await startServerProcess(['--port', '0']);
    await using _silent = silent;
    expect(silent.stderr).not.toContain('admin endpoint');
    const { server } = await startServerProcess(['--port', '0', '--admin', '0']);
    await using _server = server;
    const admin = await adminPortOf(server);
    expect((await askAdmin(admin, '/healthz')).status).toBe(200);
    // On all addresses it would listen on this one as well.
    await expect(visit(admin, { host: '127.0.0.2' })).rejects.toThrow('ECONNREFUSED');
  });

  test('does not start where the admin address is taken', async () => {
    const other = createServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = other.address() as { readonly port: number };
      await using server = await startTunnel(['server', '--port', '0', '--admin', String(port)]);
      expect((await server.waitForExit()).code).toBe(6);
      expect(server.logs.at(-1)).toMatchObject({
        code: 'listen-in-use',
        hint: 'give another address with --admin, or leave it out',
        msg: `the address is already in use: the admin address 127.0.0.1:${port}`,
      });
    } finally {
      other.close();
    }
  });
});

describe('a client', SLOW, () => {
  test('is ready while its tunnels are open, and says why it is not', async () => {
    await using directory = await temporaryDirectory();
    const socket = join(directory.path, 'admin.sock');
    await using echo = await startEcho();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await using client = await startClientProcess(port, echo.port, ['--admin', socket]);
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    expect(await askAdmin(socket, '/readyz')).toEqual({ status: 200, body: 'ready\n' });
    await using visitor = await visit(publicPort);
    await visitor.send(1, BYTES);
    await visitor.waitForBytes(BYTES);
    server.kill('SIGKILL');
    await client.waitForEvent('retrying', ({ code }) => code === 'tcp-refused');
    await expect
      .poll(() => askAdmin(socket, '/readyz'))
      .toEqual({
        status: 503,
        body: expect.stringMatching(/^waiting, next attempt in \w+: connection refused.*\n$/) as string,
      });
    expect(await askAdmin(socket, '/healthz')).toEqual({ status: 200, body: 'ok\n' });
    const label = `server="ws://127.0.0.1:${port}"`;
    expect(Object.fromEntries(samplesOf((await askAdmin(socket, '/metrics')).body))).toMatchObject({
      [`tunnel_client_ready{${label}}`]: 0,
      [`tunnel_client_tunnels_wanted{${label}}`]: 1,
      [`tunnel_client_visitors_total{${label}}`]: 1,
      [`tunnel_client_visitor_bytes_total{${label},direction="in"}`]: BYTES,
      [`tunnel_client_retries_total{${label},code="tcp-refused"}`]: expect.any(Number) as number,
    });
    client.kill();
    await client.waitForExit();
    expect(existsSync(socket)).toBe(false);
  });

  test('takes the place of a socket that a killed process left, and of no other', async () => {
    await using directory = await temporaryDirectory();
    const socket = join(directory.path, 'admin.sock');
    await using killed = await startClientProcess(1, 3000, ['--admin', socket]);
    await killed.waitForEvent('retrying');
    await using second = await startClientProcess(1, 3000, ['--admin', socket]);
    expect((await second.waitForExit()).code).toBe(6);
    killed.kill('SIGKILL');
    await killed.exit;
    expect(existsSync(socket)).toBe(true);
    await using third = await startClientProcess(1, 3000, ['--admin', socket]);
    await third.waitForEvent('retrying');
    expect((await askAdmin(socket, '/healthz')).status).toBe(200);
  });

  test('takes the place of no other file', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'precious');
    await writeFile(file, 'keep me');
    await using client = await startClientProcess(1, 3000, ['--admin', file]);
    expect((await client.waitForExit()).code).toBe(6);
    expect(await readFile(file, 'utf8')).toBe('keep me');
  });
});

test('the logs of both sides name a session alike', SLOW, async () => {
  await using echo = await startEcho();
  await using pair = await startTunnelProcesses(echo.port, ['--log-level', 'debug']);
  const { sessionId } = await pair.client.waitForEvent('ready');
  const session = String(sessionId).slice(0, 8);
  await using visitor = await visit(pair.port);
  await visitor.send(1, BYTES);
  await visitor.waitForBytes(BYTES);
  await pair.client.waitForStderr(/"connection closed"/);
  pair.client.kill();
  await pair.client.waitForExit();
  await pair.server.waitForStderr(/"client gone"/);
  expect(messagesOf(pair.client.stderr, session)).toEqual([
    'link accepted',
    'ready',
    'connection opened',
    'connection closed',
    'session ended',
  ]);
  expect(messagesOf(pair.server.stderr, session)).toEqual([
    'client connected',
    'tunnel opened',
    'tunnel closed',
    'client gone',
  ]);
});

/** What a log says of one session. */
function messagesOf(log: string, session: string): readonly string[] {
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly session?: string; readonly msg: string })
    .filter((line) => line.session === session)
    .map(({ msg }) => msg);
}
