// What systemd is told through NOTIFY_SOCKET, and the units in packaging/systemd.
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requirePrograms, runProgram } from './support/program.ts';
import { ServiceManager } from './support/service-manager.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startClientProcess, startServerProcess } from './support/tunnel-processes.ts';

/** Messages follow one another every third of it. */
const WATCHDOG = { WATCHDOG_USEC: '1500000' };

const SLOW = { timeout: 60_000 };

describe('a server', SLOW, () => {
  test.for(['file', 'abstract'] as const)(
    'tells that it listens and that it stops (%s socket)',
    async (kind, context) => {
      requirePrograms(context, 'python3', 'systemd-notify');
      await using manager = await ServiceManager.start(kind);
      const { server } = await startServerProcess(['--port', '0', '--drain-timeout', '40s'], {
        env: { NOTIFY_SOCKET: manager.socket, ...WATCHDOG },
      });
      await using _server = server;
      await manager.waitFor(/WATCHDOG=1[^]*READY=1[^]*WATCHDOG=1/);
      expect(manager.messages.filter(({ READY }) => READY !== undefined)).toEqual([
        expect.objectContaining({ READY: '1', STATUS: 'listening: 0 clients, 0 visitors' }),
      ]);
      server.kill();
      expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
      expect(manager.messages.at(-1)).toMatchObject({
        STOPPING: '1',
        STATUS: 'draining: 0 clients, 0 visitors',
        EXTEND_TIMEOUT_USEC: '50000000',
      });
    },
  );

  test('feeds no watchdog that is for another process', async (context) => {
    requirePrograms(context, 'python3', 'systemd-notify');
    await using manager = await ServiceManager.start();
    const { server } = await startServerProcess(['--port', '0'], {
      env: { NOTIFY_SOCKET: manager.socket, WATCHDOG_PID: '1', ...WATCHDOG },
    });
    await using _server = server;
    await manager.waitFor(/READY=1/);
    server.kill();
    await server.waitForExit();
    expect(manager.messages.filter(({ WATCHDOG: fed }) => fed !== undefined)).toEqual([]);
  });

  test('that cannot tell anybody says so once, and serves', async () => {
    await using directory = await temporaryDirectory();
    const { server } = await startServerProcess(['--port', '0'], {
      env: { NOTIFY_SOCKET: join(directory.path, 'nobody'), ...WATCHDOG },
    });
    await using _server = server;
    await server.waitForStderr(/systemd cannot be told how this service is: /);
    server.kill();
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.stderr.match(/systemd cannot be told/g)).toHaveLength(1);
  });
});

describe('a client', SLOW, () => {
  const startClient = async (manager: ServiceManager, port: number, args: readonly string[]) =>
    startClientProcess(port, 3000, ['--max-reconnect-delay', '100ms', ...args], {
      env: { NOTIFY_SOCKET: manager.socket, ...WATCHDOG },
    });

  test('is ready when the tunnel is, asks for time until then, and tells why it is not', async (context) => {
    requirePrograms(context, 'python3', 'systemd-notify');
    await using manager = await ServiceManager.start();
    await using client = await startClient(manager, 1, []);
    await manager.waitFor(/EXTEND_TIMEOUT_USEC[^]*EXTEND_TIMEOUT_USEC.*STATUS=not ready since .*connection refused/);
    client.kill();
    await client.waitForExit();
    expect(manager.messages.filter(({ READY }) => READY !== undefined)).toEqual([]);
    expect(manager.messages.at(-1)).toMatchObject({ STOPPING: '1' });
  });

  test.for([
    ['process', true],
    ['link', false],
  ] as const)('without a link, with --watchdog %s, feeds the watchdog: %s', async ([subject, isFed], context) => {
    requirePrograms(context, 'python3', 'systemd-notify');
    await using manager = await ServiceManager.start();
    const { server, port } = await startServerProcess(['--port', '0']);
    await using _server = server;
    await using client = await startClient(manager, port, ['--watchdog', subject]);
    await manager.waitFor(/READY=1.*STATUS=ready: tcp:.*WATCHDOG=1|READY=1[^]*WATCHDOG=1/);
    server.kill('SIGKILL');
    await server.exit;
    await manager.waitFor(/(STATUS=not ready since [^]*){4}/);
    client.kill();
    await client.waitForExit();
    const { messages } = manager;
    const readyAt = messages.findIndex(({ READY }) => READY !== undefined);
    const lostAt = messages.findIndex(({ STATUS = '' }, at) => at > readyAt && STATUS.startsWith('not ready'));
    const fed = messages.slice(lostAt + 1, -1).filter((message) => message['WATCHDOG'] === '1');
    expect(fed.length > 0).toBe(isFed);
  });
});

describe('the units', () => {
  const folder = join(import.meta.dirname, '../packaging/systemd');

  test.for(readdirSync(folder))('%s is sound, and little exposed', async (name, context) => {
    requirePrograms(context, 'systemd-analyze');
    await using directory = await temporaryDirectory();
    const unit = await readFile(join(folder, name), 'utf8');
    expect(unit).toMatch(/^LimitCORE=0$/m);
    expect(unit).toMatch(/^MemoryMax=\d+[MG]$/m);
    const path = join(directory.path, name);
    // The program that a unit starts has to be there.
    await writeFile(path, unit.replaceAll('/usr/bin/node', process.execPath));
    const verified = await runProgram('systemd-analyze', ['verify', path]);
    expect(verified.stderr.toString()).toBe('');
    await runProgram('systemd-analyze', ['security', '--offline=true', '--threshold=16', path]);
  });
});
