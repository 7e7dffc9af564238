// The command as a process: what it says to bad input, and how it ends.
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ADVICE_BY_CODE } from '@tunnel/cli';
import { ERRORS } from '@tunnel/shared';
import { encodeKey, parseIdentity } from '@tunnel/shared/node';
import { describe, expect, test } from 'vitest';
import { certificateFiles } from './support/certificates.ts';
import { runTunnel, startTunnel, type TunnelEvent, type TunnelProcess } from './support/command.ts';
import { requireLauncher } from './support/program.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

function failure(error: string, hint: string): string {
  return `error: ${error}\nhint: ${hint}\n`;
}

const FORMS = 'give the server as host, host:port, [v6]:port, ws://host:port/path or wss://host/path';
const NO_PORT = 'a port is a number from 0 to 65535';
const NO_TARGET = 'a local service is given as 3000, host:3000, [::1]:3000 or unix:/run/app.sock';
const NO_DURATION = 'a duration is a number with a unit, as in 500ms, 8s, 2m or 1h; without a unit it is seconds';

const VERBOSE = '`--log-level debug` shows more detail; `tunnel --version` prints the version';
const COMMAND_FIRST = 'the command comes first: `tunnel local --no-reconnect …`';
const TWO_PORTS = 'the public port is a flag: give 3000 --port 8001';

describe.concurrent('bad input ends with 2, an error that names it, and a hint', () => {
  test.each<[args: string, error: string, hint: string]>([
    [
      '',
      'no command was given',
      'start with `tunnel server`, `tunnel http 3000` or `tunnel local 3000`; see `tunnel --help`',
    ],
    ['serve', 'unknown command: serve', 'did you mean `tunnel server`?'],
    ['stats', 'unknown command: stats', 'did you mean `tunnel status`?'],
    ['retry --pid x', '--pid x: not a valid process id', '`tunnel status` shows the process id of every client'],
    ['3000', 'unknown command: 3000', 'did you mean `tunnel local 3000`?'],
    ['tcp 22 --port 8022', 'unknown command: tcp', 'did you mean `tunnel local 22`?'],
    ['local 3000 --token x', 'unknown flag: --token', 'did you mean --secret?'],
    ['local 3000 -p 8001', 'unknown flag: -p', 'did you mean --port?'],
    ['local 3000 -v', 'unknown flag: -v', VERBOSE],
    ['-v local 3000', 'unknown flag: -v', VERBOSE],
    ['--no-reconnect local 3000', 'unknown flag: --no-reconnect', COMMAND_FIRST],
    ['--colour', 'unknown flag: --colour', 'see `tunnel --help`'],
    ['config chek', 'unknown action: config chek', 'did you mean `tunnel config check`?'],
    ['completion zhs', 'unknown shell: zhs', 'the shells are bash, zsh, fish'],
    ['local 3000:8001', 'target 3000:8001: two ports were given', TWO_PORTS],
    ['server now', 'unknown argument: now', '`tunnel server --help` shows how it is used'],
    ['server --port http', '--port http: not a valid port', NO_PORT],
    ['server --port 65536', '--port 65536: not a valid port', NO_PORT],
    ['server --port 8e3', '--port 8e3: not a valid port', NO_PORT],
    ['server --port', '--port needs a value', '`tunnel server --help` shows how it is used'],
    ['server --port 1 --port 2', '--port was given 2 times: 1, 2', 'give --port once'],
    ['server --min-port 3000 --max-port 2000', '--min-port 3000: above --max-port 2000', 'swap them, or leave one out'],
    ['server --resume-window 8x', '--resume-window 8x: not a valid duration', NO_DURATION],
    ['server --drain-timout 1s', 'unknown flag: --drain-timout', 'did you mean --drain-timeout?'],
    ['server --colour green', 'unknown flag: --colour', '`tunnel server --help` shows all flags'],
    [
      'server --trusted-proxy proxy.lan',
      '--trusted-proxy proxy.lan: not a valid network',
      'give networks in CIDR notation or addresses, with commas between them, as in 203.0.113.0/24,2001:db8::/32',
    ],
    ['server --tls-key /k', '--tls-key /k: a certificate needs its key', 'give both --tls-cert and --tls-key'],
    ['server --to a', 'unknown flag: --to', '--to is a flag of `tunnel local`'],
    [
      'server --secret-file /nowhere/secret',
      'cannot use the secret: --secret-file /nowhere/secret: no such file or directory',
      'give a file with the secret on its first line',
    ],
    ['server --secret=', 'cannot use the secret: --secret is empty', 'give a file with the secret on its first line'],
    ['server --secret a --secret-file b', 'both --secret and --secret-file b were given', 'give only one of them'],
    [
      'server --heartbeat-interval 3s',
      '--heartbeat-interval 3s: that is more than a quarter of the heartbeat timeout, 8s',
      'give at most 2s, or raise --heartbeat-timeout',
    ],
    ['local', 'no target was given', 'give the local service to expose, as in `tunnel local 3000`'],
    ['http', 'no target was given', 'give the local service to expose, as in `tunnel http 3000`'],
    ['http 3000 --port 80', 'unknown flag: --port', 'a web address has a name in place of a port: --host'],
    [
      'http 3000 --host a_b..c',
      '--host a_b..c: a host name has no empty parts',
      "give one label, as in shop, which stands below the server's domain, or a whole host name",
    ],
    [
      'http 3000 --basic-auth sesame',
      '--basic-auth: credentials are a user, a colon and a password',
      'give user:password, or @FILE with one of them on each line',
    ],
    ['local http', 'target http: not a valid port', NO_TARGET],
    ['local 0', 'target 0: not a valid port', NO_TARGET],
    ['local ::1', 'target ::1: an IPv6 address needs brackets, and a port', NO_TARGET],
    ['local 3000 --prot 8001', 'unknown flag: --prot', 'did you mean --port?'],
    ['local 3000 --reconnect', 'unknown flag: --reconnect', 'did you mean --no-reconnect?'],
    [
      'local 3000 --port 1 --port 2',
      '--port 2: there are more ports than targets (2 and 1)',
      'give --port once for each target, in their order',
    ],
    [
      'local 3000 --to http://a',
      '--to "http://a" is not a valid server address: the scheme is neither ws nor wss',
      FORMS,
    ],
    [
      'local 3000 --to a:b:c',
      '--to "a:b:c" is not a valid server address: an IPv6 address needs brackets, as in [::1]:7835',
      FORMS,
    ],
    ['local 3000 --to --port 1', '--to needs a value, but is followed by --port', 'give the value after --to'],
    [
      'local 3000 --to a --server-key abc',
      'not a valid key: --server-key has 3 characters instead of 43',
      'copy the whole key: it has 43 characters (32 bytes in base64url)',
    ],
    ['local 3000 --max-reconnect-delay 99ms', '--max-reconnect-delay 99ms: too short', 'give at least 100ms'],
    ['local 3000 --heartbeat-timeout 499ms', '--heartbeat-timeout 499ms: too short', 'give at least 500ms'],
    [
      'local 3000',
      'no server was given, and none is running on this machine for this user',
      'name the server with --to HOST, or start one here with `tunnel server`',
    ],
    ['keygen', 'not enough arguments: 0 given, 1 needed', '`tunnel keygen --help` shows how it is used'],
  ])('tunnel %s', async (args, error, hint) => {
    const words = args.split(' ').filter((word) => word !== '');
    expect(await runTunnel(words)).toEqual({ code: 2, stdout: '', stderr: failure(error, hint) });
  });

  test('an empty secret file', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'secret');
    await writeFile(file, '\n');
    const { code, stderr } = await runTunnel(['local', '3000', '--to', 'a', '--secret-file', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error: cannot use the secret: --secret-file ${file}: its first line is empty\n`);
  });

  test('from the environment is told by the name of the variable', async () => {
    const { code, stderr } = await runTunnel(['server'], { env: { TUNNEL_PORT: 'x' } });
    expect({ code, stderr }).toEqual({ code: 2, stderr: failure('TUNNEL_PORT x: not a valid port', NO_PORT) });
  });

  test('a server without secret, key and pin, whatever the log level', async () => {
    await using client = await startTunnel(['local', '3000', '--to', '127.0.0.1:1', '--log-level', 'silent']);
    expect((await client.waitForExit()).code).toBe(2);
    const { code, ...kind } = { code: 'secret-missing', ...ERRORS['secret-missing'] } as const;
    expect(client.logs).toMatchObject([
      { level: 50, code, exitCode: 2, hint: ADVICE_BY_CODE[code].text, msg: kind.summary },
    ]);
  });

  test('a damaged identity is told with file and line, and is left as it was', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'identity');
    await writeFile(file, '# comment\nabc\n');
    const { code, stderr } = await runTunnel(['server', '--port', '0', '--identity', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}, line 2: no key`);
    expect(await readFile(file, 'utf8')).toBe('# comment\nabc\n');
  });

  test.each(['', 'here'])('HOME "%s" is none: nothing is kept where the program was started', async (home) => {
    const env = { HOME: home, XDG_STATE_HOME: '', XDG_CONFIG_HOME: '' };
    const { code, stdout, stderr } = await runTunnel(['status'], { env });
    expect(stdout + stderr).toMatch(/with the state directory \/|this user has no home directory/);
    expect([0, 2]).toContain(code);
  });

  test('ends the events where they are JSON', async () => {
    const { code, stdout, stderr } = await runTunnel(['server', '--output', 'json', '--port', 'x']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ event: 'stopped', exitCode: 2, code: 'usage' });
    expect(stderr).toMatch(/^error: .*\nhint: .*\n$/);
  });

  test.each(['local x', 'run missing', 'server --port x'])(
    'ends the events of `tunnel %s` where the file asks for JSON',
    async (words) => {
      await using directory = await temporaryDirectory();
      const config = join(directory.path, 'config.toml');
      await writeFile(config, '[client]\noutput = "json"\n[server]\noutput = "json"\n[tunnels.web]\ntarget = 3000\n');
      const { code, stdout } = await runTunnel([...words.split(' '), '--config', config]);
      expect(code).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({ event: 'stopped', exitCode: 2, code: 'usage' });
    },
  );

  test('is no event for a word that is not that of --output', async () => {
    expect(await runTunnel(['json'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe.concurrent('help', () => {
  test.each([
    ['', ['tunnel server', 'tunnel local', 'tunnel status', 'tunnel retry', 'tunnel keygen']],
    ['server', ['--port', '[default: 7835]', '(TUNNEL_PORT)', '--resume-window', '[default: 2m]', 'tunnel server --']],
    ['local', ['--no-reconnect', '--max-reconnect-delay', '[default: 30s]', 'tunnel local 3000 --to', '<target>']],
    ['http', ['--host', '--basic-auth', '[default: keep]', 'tunnel http 3000 --to', '<target>']],
    ['status', ['--watch', '--json', '--state-dir', '(TUNNEL_STATE_DIR)']],
    ['retry', ['--pid', '[default: all that wait]']],
    ['keygen', ['tunnel keygen laptop.key']],
  ])('tunnel %s --help', async (command, parts) => {
    const { code, stdout, stderr } = await runTunnel([...(command === '' ? [] : [command]), '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const part of parts) expect(stdout).toContain(part);
  });

  test.each(['help', 'help local', 'local help'])('is what `tunnel %s` asks for', async (words) => {
    const { code, stdout, stderr } = await runTunnel(words.split(' '));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(words === 'help' ? 'tunnel status' : '--no-reconnect');
  });

  test.each(['--version', '-v', '-V', 'version', 'local 3000 --version'])('%s', async (words) => {
    const { code, stdout, stderr } = await runTunnel(words.split(' '));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

test('keygen makes a private file, prints the public key, and overwrites nothing', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'key');
  const made = await runTunnel(['keygen', file]);
  expect(made).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^[\w-]{43}\n$/) });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const text = await readFile(file, 'utf8');
  expect(text).not.toContain(made.stdout.trim());
  expect((await runTunnel(['keygen', file])).code).toBe(2);
  expect(await readFile(file, 'utf8')).toBe(text);
});

describe('a server that cannot listen ends with 6', () => {
  test('where another program has the port', async () => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    try {
      await using server = await startTunnel(['server', '--port', String(port), '--output', 'json']);
      expect((await server.waitForExit()).code).toBe(6);
      const { code, exitCode, summary } = { code: 'listen-in-use', ...ERRORS['listen-in-use'] };
      const msg = expect.stringContaining(summary) as string;
      expect(server.logs.at(-1)).toMatchObject({ level: 50, code, exitCode, hint: expect.any(String) as string, msg });
      expect(server.events).toMatchObject([{ event: 'stopped', exitCode, code }]);
    } finally {
      other.close();
    }
  });

  test('where another server has the port and the state directory', async () => {
    await using server = await startTunnel(['server', '--port', '0', '--output', 'json']);
    const { port } = await server.waitForEvent('listening');
    const second = await runTunnel(['server', '--port', String(port)], { home: server.home });
    expect(second.code).toBe(6);
    expect(second.stderr).toContain('by a tunnel server that uses');
    const third = await runTunnel(['server', '--port', '0'], { home: server.home });
    expect(third.code).toBe(2);
    expect(third.stderr).toMatch(/error: another server is using this state directory: .* \(process \d+\)/);
  });
});

describe('server and client on one machine', () => {
  async function pair(args: readonly string[]): Promise<[TunnelProcess, TunnelProcess]> {
    const server = await startTunnel(['server', '--port', '0', '--output', 'json']);
    await server.waitForEvent('listening');
    return [server, await startTunnel(args, { home: server.home })];
  }

  test('find each other, and end with 0', async () => {
    const [server, client] = await pair(['local', '3000', '--output', 'json']);
    await using _server = server;
    await using _client = client;
    const ready = await client.waitForEvent('ready');
    expect(ready['tunnels']).toMatchObject([{ target: 'localhost:3000', url: `tcp://localhost:${openPort(ready)}` }]);
    await server.waitForEvent('client-connected');
    client.kill('SIGINT');
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
    expect(client.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 0, code: 'stopped' });
    await server.waitForEvent('client-disconnected', ({ ended }) => ended === true);
    server.kill('SIGTERM');
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 0, code: 'stopped' });
    const gone = await runTunnel(['local', '3000'], { home: server.home });
    expect(gone).toMatchObject({ code: 2, stderr: expect.stringContaining('none is running on this machine') });
  });

  test('find each other again where the server comes back on another port', async () => {
    const [server, client] = await pair(['local', '3000', '--output', 'json', '--max-reconnect-delay', '100ms']);
    await using _server = server;
    await using _client = client;
    const publicPort = openPort(await client.waitForEvent('ready'));
    server.kill('SIGKILL');
    await client.waitForEvent('retrying');
    const ready = client.waitForNextEvent('ready');
    await using next = await startTunnel(['server', '--port', '0', '--output', 'json'], { home: server.home });
    const { port } = await next.waitForEvent('listening');
    expect(openPort(await ready)).toBe(publicPort);
    const [status] = JSON.parse((await runTunnel(['status', '--json'], { home: server.home })).stdout) as object[];
    expect(status).toMatchObject({ server: `ws://localhost:${String(port)}`, state: 'ready' });
  });

  test('a script reads the address from stdout, and the secret is in no log', async () => {
    const [server, client] = await pair(['local', '3000', '3001', '--log-level', 'trace']);
    await using _server = server;
    await using _client = client;
    await client.waitForStdout(/^tcp:\/\/localhost:\d+\ntcp:\/\/localhost:\d+\n$/);
    const secret = (await readFile(join(server.home, '.local/state/tunnel/server/secret'), 'utf8')).trim();
    expect(secret).not.toBe('');
    expect(client.stderr + server.stderr + server.stdout).not.toContain(secret);
    expect(server.stderr).toContain('server/secret');
  });

  test('a wrong secret ends with 3', async () => {
    const [server, client] = await pair(['local', '3000', '--secret', 'not the right one', '--log-level', 'warn']);
    await using _server = server;
    await using _client = client;
    expect(await client.waitForExit()).toEqual({ code: 3, signal: null });
    expect(client.stderr).toMatch(/can see a secret on the command line/);
    const { code, exitCode, summary } = { code: 'secret-refused', ...ERRORS['secret-refused'] } as const;
    expect(client.logs.at(-1)).toMatchObject({
      level: 50,
      code,
      exitCode,
      msg: summary,
      hint: ADVICE_BY_CODE[code].text,
    });
    expect(client.stderr).not.toContain('not the right one');
  });

  test('what a killed server left behind is no server, and does not lock the next one out', async () => {
    await using server = await startTunnel(['server', '--port', '0', '--output', 'json']);
    const { serverKey } = await server.waitForEvent('listening');
    server.kill('SIGKILL');
    await server.waitForExit();
    expect(await runTunnel(['local', '3000'], { home: server.home })).toMatchObject({ code: 2 });
    await using next = await startTunnel(['server', '--port', '0', '--output', 'json'], { home: server.home });
    expect((await next.waitForEvent('listening'))['serverKey']).toBe(serverKey);
  });

  test('a second signal ends a server at once that waits for its visitors', async () => {
    await using service = await greeter();
    const [server, client] = await pair(['local', String(service.port), '--output', 'json']);
    await using _server = server;
    await using _client = client;
    const visitor = connect(openPort(await client.waitForEvent('ready')), '127.0.0.1');
    visitor.on('error', () => {});
    await once(visitor, 'data');
    server.kill('SIGTERM');
    await server.waitForStderr(/stopping/);
    server.kill('SIGTERM');
    expect(await server.waitForExit(5_000)).toEqual({ code: 143, signal: null });
    visitor.destroy();
  });

  test.each(['local', 'run'])('a second signal ends `tunnel %s` at once, and `stopped` says so', async (command) => {
    await using service = await greeter();
    await using server = await startTunnel(['server', '--port', '0', '--output', 'json']);
    await server.waitForEvent('listening');
    const config = join(server.home, 'tunnels.toml');
    await writeFile(config, `[tunnels.greeter]\ntarget = ${service.port}\n`);
    const words = command === 'local' ? [String(service.port)] : ['--config', config];
    await using client = await startTunnel([command, ...words, '--output', 'json'], { home: server.home });
    const visitor = connect(openPort(await client.waitForEvent('ready')), '127.0.0.1');
    visitor.on('error', () => {});
    await once(visitor, 'data');
    client.kill('SIGTERM');
    await client.waitForStderr(/stopping/);
    client.kill('SIGTERM');
    expect(await client.waitForExit(5_000)).toEqual({ code: 143, signal: null });
    expect(client.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 143 });
    visitor.destroy();
  });

  test('the first signal ends a client that waits for its next attempt', async () => {
    await using client = await startTunnel([
      'local',
      '3000',
      '--to',
      '127.0.0.1:1',
      '--secret',
      'x',
      '--output',
      'json',
    ]);
    await client.waitForEvent('retrying');
    client.kill('SIGINT');
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

describe.concurrent('SIGHUP', () => {
  const args = ['local', '3000', '--to', '127.0.0.1:1', '--output', 'json'];
  const env = { TUNNEL_SECRET: 'x'.repeat(20) };

  test('does not end a client that has no terminal', async () => {
    await using client = await startTunnel(args, { env });
    await client.waitForEvent('retrying');
    client.kill('SIGHUP');
    await client.waitForNextEvent('retrying');
    client.kill();
    expect(await client.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test('ends a client whose terminal is closed as politely as SIGTERM', async () => {
    const isTerminal = encodeURIComponent('process.stderr.isTTY = true');
    const NODE_OPTIONS = `--import=data:text/javascript,${isTerminal}`;
    await using client = await startTunnel(args, { env: { ...env, NODE_OPTIONS } });
    await client.waitForEvent('retrying');
    client.kill('SIGHUP');
    // By the signal, which is 129 for a shell.
    expect(await client.waitForExit()).toEqual({ code: null, signal: 'SIGHUP' });
    expect(client.events.at(-1)).toMatchObject({ event: 'stopped', exitCode: 129, code: 'stopped' });
  });
});

test.each(['0.0.0.0', '::'])('a server on %s names this machine to clients', async (host) => {
  const isTerminal = encodeURIComponent('process.stdout.isTTY = true');
  const terminal = { NODE_OPTIONS: `--import=data:text/javascript,${isTerminal}` };
  const args = ['server', '--port', '0', '--host', host];
  await using talking = await startTunnel(args, { env: terminal });
  const [, named] = await talking.waitForStdout(/tunnel local 3000 --to (\S+):\d+ /);
  await using server = await startTunnel([...args, '--output', 'json']);
  const { url } = await server.waitForEvent('listening');
  expect(String(url)).toMatch(`ws://${hostname()}:`);
  expect(named).toBe(hostname());
});

describe('the command that a server prints for clients', () => {
  const isTerminal = encodeURIComponent('process.stdout.isTTY = true');
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${isTerminal}` };

  test('has a name of its certificate', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path, 'OTHER_NAME_CERTIFICATE');
    const args = ['server', '--port', '0', '--tls-cert', certFile, '--tls-key', keyFile];
    await using server = await startTunnel(args, { env });
    const [told] = await server.waitForStdout(/^ {2}TUNNEL_SECRET=.*/m);
    expect(told).toMatch(/ tunnel local 3000 --to wss:\/\/other\.example:\d+ --server-key=/);
  });

  test('in a checkout begins as what was typed there', async () => {
    const program = join(import.meta.dirname, '../scripts/start.mjs');
    await using server = await startTunnel(['server', '--port', '0', '--host', '127.0.0.1'], { env, program });
    await server.waitForStdout(
      / npm start -- local 3000 --to wss:\/\/NAME .*\n\(.*NAME.*\)\n.*\n {2}npm start -- local 3000\n/,
    );
    server.kill();
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

test.each(['pretty', 'json'])(
  'a key file that was made is told, so that a mistyped name is seen (%s)',
  async (format) => {
    await using directory = await temporaryDirectory();
    const right = join(directory.path, 'laptop.key');
    await runTunnel(['keygen', right]);
    const mistyped = join(directory.path, 'laptp.key');
    const isTerminal = encodeURIComponent('process.stdout.isTTY = process.stderr.isTTY = true');
    const env = {
      TUNNEL_SECRET: 'x'.repeat(20),
      ...(format === 'pretty' ? { NODE_OPTIONS: `--import=data:text/javascript,${isTerminal}` } : {}),
    };
    const told = async (identity: string): Promise<readonly string[]> => {
      const client = await runTunnel(
        ['local', '3000', '--to', '127.0.0.1:1', '--no-reconnect', '--identity', identity],
        {
          env,
        },
      );
      return `${client.stdout}${client.stderr}`.split('\n').filter((line) => line.includes('made a new client key'));
    };
    expect(await told(right)).toEqual([]);
    const [line = '', ...others] = await told(mistyped);
    expect(others).toEqual([]);
    expect(line).toContain(mistyped);
    expect(line).toContain(encodeKey(parseIdentity(await readFile(mistyped, 'utf8'), mistyped).publicKey));
    expect(await told(mistyped)).toEqual([]);
  },
);

test('a server opens no debugger at SIGUSR1', async () => {
  await using home = await temporaryDirectory();
  const config = join(home.path, 'config.toml');
  await writeFile(config, '[server]\n');
  await using server = await startTunnel(['server', '--port', '0', '--output', 'json', '--config', config]);
  await server.waitForEvent('listening');
  server.kill('SIGUSR1');
  server.kill('SIGHUP');
  await server.waitForStderr(/configuration read again/);
  server.kill('SIGTERM');
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  expect(server.stderr).not.toMatch(/debugger/i);
});

test('a log goes on when its disk has room again, with whole lines, and says what is missing', async (context) => {
  const unshare = ['unshare', '--user', '--map-root-user', '--mount'];
  requireLauncher(context, [...unshare, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt && exec "$0"']);
  await using disk = await temporaryDirectory();
  // Two pages, of which the log has all but the beginning of its first line.
  const fill =
    'mount -t tmpfs -o size=8k tmpfs "$0"; head -c 4096 /dev/zero >"$0/full"; head -c 4050 /dev/zero | tr "\\0" "\\n" >"$0/log"; exec "$@" 2>>"$0/log"';
  const args = ['local', '3000', '--to', '127.0.0.1:1', '--max-reconnect-delay', '100ms', '--output', 'json'];
  await using client = await startTunnel(args, {
    launcher: [...unshare, 'sh', '-c', fill, disk.path],
    env: { TUNNEL_SECRET: 'x'.repeat(20) },
  });
  await client.waitForEvent('retrying', ({ attempt }) => Number(attempt) >= 3);
  const inside = `/proc/${client.pid}/root${disk.path}`;
  await rm(join(inside, 'full'));
  await client.waitForNextEvent('retrying');
  await client.waitForNextEvent('retrying');
  const lines = (await readFile(join(inside, 'log'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ dropped: expect.any(Number), msg: expect.stringContaining('the disk was full') }),
  );
});

test('--no-reconnect makes one attempt and ends with 4', async () => {
  const args = ['local', '3000', '--to', '127.0.0.1:1', '--no-reconnect', '--output', 'json'];
  await using client = await startTunnel(args, { env: { TUNNEL_SECRET: 'x'.repeat(20) } });
  expect(await client.waitForExit()).toEqual({ code: 4, signal: null });
  expect(client.events.map(({ event }) => event)).toEqual(['stopped']);
  const msg = expect.stringMatching(/^connection refused: /) as string;
  expect(client.logs.at(-1)).toMatchObject({ level: 50, code: 'tcp-refused', exitCode: 4, msg });
});

test('--no-reconnect=false goes before the file, and arguments may stand behind `--`', async () => {
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'config.toml');
  await writeFile(config, '[client]\nno-reconnect = true\n');
  const flags = ['--to', '127.0.0.1:1', '--no-reconnect=false', '--output', 'json', '--config', config];
  await using client = await startTunnel(['local', ...flags, '--', '3000'], { env: { TUNNEL_SECRET: 'x'.repeat(20) } });
  await client.waitForEvent('retrying');
  expect((await runTunnel(['local', ...flags, '--', '--now'])).stderr).toContain('unknown argument: --now');
});

test('SIGUSR1 retries now', async () => {
  const args = ['local', '3000', '--to', '127.0.0.1:1', '--output', 'json'];
  await using client = await startTunnel(args, { env: { TUNNEL_SECRET: 'x'.repeat(20) } });
  // A wait that would not end within this test by itself.
  await client.waitForEvent('retrying', ({ delayMs }) => Number(delayMs) > 1000, 20_000);
  const seen = client.events.length;
  const next = client.waitForNextEvent('retrying', undefined, 900);
  client.kill('SIGUSR1');
  await next;
  expect(client.events.length).toBeGreaterThan(seen);
  expect(client.stderr).not.toMatch(/debugger/i);
});

test('a state directory that cannot be used is named', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'file');
  await writeFile(path, '');
  await mkdir(join(directory.path, 'other'));
  const { code, stderr } = await runTunnel(['server', '--port', '0', '--state-dir', path]);
  expect(code).toBe(2);
  expect(stderr).toContain(`error: cannot use the state directory: ${join(path, 'server')}: `);
});

function openPort(ready: TunnelEvent): number {
  return (ready['tunnels'] as { port: number }[])[0]?.port ?? 0;
}

/** A service that greets and then keeps the connection open. */
async function greeter(): Promise<AsyncDisposable & { readonly port: number }> {
  const service = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('hello');
  });
  await once(service.listen(0), 'listening');
  return {
    port: (service.address() as { port: number }).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => service.close(() => resolve())),
  };
}
