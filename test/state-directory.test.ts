// One state directory and several processes: of several containers, and of several users.
import { once } from 'node:events';
import { chmod, chown, lchown, lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { runTunnel } from './support/command.ts';
import { requireLauncher } from './support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from './support/temporary-directory.ts';
import { startServerProcess } from './support/tunnel-processes.ts';

/** Every test starts several processes, and they share the cores. */
const SLOW = { timeout: 60_000 };

/** A PID namespace, as every container has one. Its processes end with the launcher. */
const CONTAINER = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** The user of a service, in whose directories root looks. Nobody needs to have heard of it. */
const SERVICE_UID = 54_321;

function requireRoot(context: TestContext): void {
  if (process.getuid?.() !== 0) context.skip('only root can look into the directories of others');
}

/** A state directory of the service, with an empty control directory. */
async function serviceDirectory(): Promise<TemporaryDirectory & { readonly control: string }> {
  const directory = await temporaryDirectory();
  const client = join(directory.path, 'client');
  const control = join(client, 'control');
  await mkdir(control, { recursive: true });
  for (const path of [directory.path, client, control]) await chown(path, SERVICE_UID, SERVICE_UID);
  return { ...directory, control };
}

/** Listens at a Unix socket, and tells how many came. */
async function listenAt(path: string): Promise<{ readonly server: Server; readonly visits: () => number }> {
  let visits = 0;
  const server = createServer((socket) => {
    visits += 1;
    // What a later version of this program would say.
    socket.on('error', () => {}).end('{"version":2}\n');
  });
  await once(server.listen(path), 'listening');
  return { server, visits: () => visits };
}

describe('two servers in two containers with one state directory', SLOW, () => {
  test('the second one is refused, and the next one starts once the first was killed', async (context) => {
    requireLauncher(context, [...CONTAINER, 'flock', '--version']);
    await using home = await temporaryDirectory();
    const options = { home: home.path, launcher: CONTAINER };
    const { server: first } = await startServerProcess(['--port', '0'], options);
    await using _first = first;
    const second = await runTunnel(['server', '--host', '127.0.0.1', '--port', '0'], options);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(
      /^error: another server is using this state directory: .* \(process \d+ in another container or on another machine\)$/m,
    );
    first.kill('SIGKILL');
    await first.exit;
    const { server: third } = await startServerProcess(['--port', '0'], options);
    await using _third = third;
  });
});

describe('root in the state directory of a service', SLOW, () => {
  test.for(['status', 'retry'])(
    'tunnel %s removes nothing, and follows no link that was planted',
    async (command, context) => {
      requireRoot(context);
      await using service = await serviceDirectory();
      await using other = await temporaryDirectory();
      const elsewhere = join(other.path, 'tunnel-Abc123');
      await mkdir(elsewhere, { mode: 0o700 });
      const precious = join(other.path, 'precious');
      const dead = join(elsewhere, 's');
      await writeFile(precious, 'kept');
      await writeFile(dead, 'kept');
      const { server, visits } = await listenAt(join(other.path, 'socket'));
      const plant = async (name: string, target: string): Promise<void> => {
        await symlink(target, join(service.control, name));
        await lchown(join(service.control, name), SERVICE_UID, SERVICE_UID);
      };
      try {
        await plant('99999991-00000001.sock', precious);
        await plant('99999992-00000002.sock', dead);
        await plant('99999993-00000003.sock', join(other.path, 'socket'));
        const stale = join(service.control, '99999994-00000004.sock');
        await writeFile(stale, '');
        await chown(stale, SERVICE_UID, SERVICE_UID);
        const before = await readdir(service.control);
        expect(await runTunnel([command, '--state-dir', service.path])).toMatchObject({ code: 0, stderr: '' });
        expect(visits()).toBe(0);
        expect(await readFile(precious, 'utf8')).toBe('kept');
        expect(await readFile(dead, 'utf8')).toBe('kept');
        expect(await readdir(service.control)).toEqual(before);
      } finally {
        server.close();
      }
    },
  );

  test('tunnel status asks the sockets of the service, and leaves dead ones to it', async (context) => {
    requireRoot(context);
    await using service = await serviceDirectory();
    const own = join(service.control, '99999991-00000001.sock');
    const { server, visits } = await listenAt(own);
    const dead = join(service.control, '99999992-00000002.sock');
    const { server: ended } = await listenAt(`${dead}.tmp`);
    try {
      // A listening server removes its socket when it is closed, but only by the name that it made.
      await rename(`${dead}.tmp`, dead);
      ended.close();
      for (const path of [own, dead]) await chown(path, SERVICE_UID, SERVICE_UID);
      const { code, stdout } = await runTunnel(['status', '--json', '--state-dir', service.path]);
      expect({ code, clients: JSON.parse(stdout) as unknown }).toEqual({
        code: 0,
        clients: [{ pid: 99_999_991, state: 'unknown', problem: 'it runs another version of this program' }],
      });
      expect(visits()).toBe(1);
      expect(await readdir(service.control)).toHaveLength(2);
    } finally {
      server.close();
    }
  });

  test('tunnel status goes through no link of the service in place of a directory', async (context) => {
    requireRoot(context);
    await using service = await temporaryDirectory();
    await using other = await serviceDirectory();
    const client = join(service.path, 'client');
    await symlink(join(other.path, 'client'), client);
    await lchown(client, SERVICE_UID, SERVICE_UID);
    const { code, stderr } = await runTunnel(['status', '--state-dir', service.path]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${client} is a symbolic link that another user made`);
  });

  test('an admin socket of the service that nobody listens at stays', async (context) => {
    requireRoot(context);
    await using service = await serviceDirectory();
    const path = join(service.path, 'admin.sock');
    const { server } = await listenAt(`${path}.tmp`);
    await rename(`${path}.tmp`, path);
    server.close();
    await chown(path, SERVICE_UID, SERVICE_UID);
    const { code, stderr } = await runTunnel(['server', '--port', '0', '--admin', path]);
    expect({ code, stderr }).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('the address is already in use'),
    });
    expect((await lstat(path)).uid).toBe(SERVICE_UID);
  });

  test('tunnel doctor makes nothing there', async (context) => {
    requireRoot(context);
    await using service = await serviceDirectory();
    const { stdout } = await runTunnel(['doctor', '--to', '127.0.0.1:1', '--state-dir', service.path], {
      env: { TUNNEL_SECRET: 'x'.repeat(20) },
    });
    expect(stdout).toContain(`is that of user ${SERVICE_UID}`);
    expect(await readdir(join(service.path, 'client'))).toEqual(['control']);
  });

  test.for([
    ['server', '--port', '0'],
    ['local', '3000', '--to', '127.0.0.1:1'],
  ])('tunnel %s does not run there, and makes nothing', async (args, context) => {
    requireRoot(context);
    await using service = await serviceDirectory();
    const { code, stderr } = await runTunnel([...args, '--state-dir', service.path], {
      env: { TUNNEL_SECRET: 'x'.repeat(20) },
    });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: [
        `error: a private file or directory belongs to another user: ${service.path} belongs to user id ${SERVICE_UID}`,
        'hint: run this as the owner, give the file to this user with chown, or use another one: its owner can read and change it\n',
      ].join('\n'),
    });
    expect(await readdir(service.path)).toEqual(['client']);
    expect(await readdir(service.control)).toEqual([]);
  });

  test('but where it was mounted, as into a container, with a warning', async (context) => {
    requireRoot(context);
    const mount = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$0" && exec "$@"'];
    await using service = await serviceDirectory();
    requireLauncher(context, [...mount, service.path]);
    const { server } = await startServerProcess(['--port', '0', '--state-dir', service.path], {
      launcher: [...mount, service.path],
    });
    await using _server = server;
    await server.waitForStderr(/"msg":"listening"/);
    expect(server.stderr).toContain(
      `${service.path} belongs to another user (user id ${SERVICE_UID}), who can read and change it`,
    );
  });
});

describe('secrets and keys', SLOW, () => {
  test('of another user are refused', async (context) => {
    requireRoot(context);
    await using directory = await temporaryDirectory();
    const secret = join(directory.path, 'secret');
    const identity = join(directory.path, 'identity');
    await writeFile(secret, `${'x'.repeat(20)}\n`, { mode: 0o600 });
    expect(await runTunnel(['keygen', identity])).toMatchObject({ code: 0 });
    await chown(secret, SERVICE_UID, SERVICE_UID);
    await chown(identity, SERVICE_UID, SERVICE_UID);
    const server = await runTunnel(['server', '--port', '0', '--secret-file', secret]);
    expect(server).toMatchObject({ code: 2, stderr: expect.stringContaining(`user: ${secret} belongs to user id`) });
    // But not those of whoever became root by sudo.
    const { server: bySudo } = await startServerProcess(['--port', '0', '--secret-file', secret], {
      env: { SUDO_UID: String(SERVICE_UID) },
    });
    await using _bySudo = bySudo;
    const client = await runTunnel(['local', '3000', '--to', '127.0.0.1:1', '--identity', identity], {
      env: { TUNNEL_SECRET: 'x'.repeat(20) },
    });
    expect(client).toMatchObject({ code: 2, stderr: expect.stringContaining(`user: ${identity} belongs to user id`) });
  });

  test('that others can read or change are warned of', async () => {
    await using directory = await temporaryDirectory();
    const secret = join(directory.path, 'secret');
    const state = join(directory.path, 'state');
    await writeFile(secret, `${'x'.repeat(20)}\n`);
    await chmod(secret, 0o646);
    await mkdir(state);
    await chmod(state, 0o777);
    const { server } = await startServerProcess(['--port', '0', '--secret-file', secret, '--state-dir', state]);
    await using _server = server;
    await server.waitForStderr(/"msg":"listening"/);
    expect(server.stderr).toContain(
      `"hint":"chmod 600 ${secret}","msg":"other users of this machine can read and change ${secret}"`,
    );
    expect(server.stderr).toContain(
      `"hint":"chmod 700 ${state}","msg":"other users of this machine can change ${state}"`,
    );
  });
});
