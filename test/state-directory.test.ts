// One state directory and several processes: of several containers, and of several users.
import { describe, expect, test } from 'vitest';
import { startTunnel } from './support/command.ts';
import { requireLauncher } from './support/program.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startServerProcess } from './support/tunnel-processes.ts';

/** Every test starts several processes, and they share the cores. */
const SLOW = { timeout: 60_000 };

/** A PID namespace, as every container has one. Its processes end with the launcher. */
const CONTAINER = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc'];

describe('two servers in two containers with one state directory', SLOW, () => {
  test('the second one is refused, and the next one starts once the first was killed', async (context) => {
    requireLauncher(context, [...CONTAINER, 'flock', '--version']);
    await using home = await temporaryDirectory();
    const args = ['server', '--host', '127.0.0.1', '--port', '0'];
    const options = { home: home.path, launcher: CONTAINER };
    const { server: first } = await startServerProcess(['--port', '0'], options);
    await using _first = first;
    await using second = await startTunnel(args, options);
    expect(await second.waitForExit()).toMatchObject({ code: 2 });
    expect(second.stderr).toMatch(
      /^error: another server uses this state directory: .* \(process \d+ in another container or on another machine\)$/m,
    );
    first.kill('SIGKILL');
    await first.exit;
    const { server: third } = await startServerProcess(['--port', '0'], options);
    await using _third = third;
  });
});
