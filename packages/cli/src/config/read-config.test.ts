import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tablesOfTunnel } from './config-keys.ts';
import { ConfigError } from './config-error.ts';
import { type Config, readConfig } from './read-config.ts';

const PATH = '/etc/tunnel/config.toml';
const SECRET = 'sesame-sesame';

function read(text: string): Promise<Config> {
  return readConfig(PATH, text);
}

/** All problems, without the file name. */
async function problems(text: string): Promise<readonly string[]> {
  const error: unknown = await read(text).catch((reason: unknown) => reason);
  if (!(error instanceof Error)) return [];
  if (!(error instanceof ConfigError)) throw error;
  return error.lines.map((line) => line.replace(`${PATH}:`, ''));
}

function textOf(config: Config, name: string, key: string): string | undefined {
  return config.tunnels.get(name)?.get(key)?.[0]?.text;
}

afterEach(() => vi.unstubAllEnvs());

describe('what is right', () => {
  test('nothing at all', async () => {
    expect(await read('')).toEqual({ path: PATH, server: new Map(), client: new Map(), tunnels: new Map() });
  });

  test('every way to write a table', async () => {
    const forms = [
      '[tunnels.a]\ntarget = 1',
      '[tunnels]\na = { target = 1 }',
      'tunnels.a.target = 1',
      'tunnels = { a.target = 1 }',
    ];
    for (const form of forms)
      expect({ form, target: textOf(await read(form), 'a', 'target') }).toEqual({ form, target: '1' });
  });

  test('numbers, text and switches', async () => {
    const config = await read(
      '[client]\nno-reconnect = true\n[tunnels.a]\ntarget = 0x0bb8\nport = "8080"\nlocal-wait = 1.5\nno-reconnect = false',
    );
    expect(textOf(config, 'a', 'target')).toBe('3000');
    expect(textOf(config, 'a', 'port')).toBe('8080');
    expect(textOf(config, 'a', 'local-wait')).toBe('1.5');
    expect(textOf(config, 'a', 'no-reconnect')).toBe('false');
    expect(config.client.get('no-reconnect')?.[0]?.text).toBe('true');
  });

  test('paths from the home directory, from the root, and beside the file', async () => {
    const { server } = await read('[server]\nidentity = "~/key"\nstate-dir = "/state"\nsecret-file = "../secret"');
    const texts = [...server.values()].map(([given]) => given?.text);
    expect(texts).toEqual([join(homedir(), 'key'), resolve('/state'), resolve('/etc/secret')]);
  });

  test('a web address, with what [client] has for tunnels of both types', async () => {
    const text =
      '[client]\nproxy-protocol = "v1"\nbasic-auth = ["me:a", "@visitors"]\n[tunnels.a]\ntarget = 1\ntype = "http"\nhost = "shop"\n[tunnels.b]\ntarget = 2';
    const config = await read(text);
    expect(config.client.get('basic-auth')?.map((given) => given.text)).toEqual([
      'me:a',
      `@${resolve('/etc/tunnel/visitors')}`,
    ]);
    expect(textOf(config, 'a', 'host')).toBe('shop');
  });

  test('as some editors save it', async () => {
    const config = await read('\uFEFF[tunnels.a]\r\ntarget = 1\r\n');
    expect(textOf(config, 'a', 'target')).toBe('1');
    expect(await problems('\uFEFFa = 1')).toEqual([expect.stringMatching(/^1:1: a: unknown key/)]);
  });

  test('a tunnel on another server has the secret of all, but not the key of the first server', () => {
    const given = { text: 'x', source: 'file' };
    const client = new Map([
      ['server-key', [given]],
      ['secret', [given]],
    ]);
    const keysOf = (tunnel: readonly string[]): string[] =>
      tablesOfTunnel(new Map(tunnel.map((key) => [key, [given]])), client).flatMap((table) => [...table.keys()]);
    expect(keysOf(['target'])).toEqual(['target', 'server-key', 'secret']);
    expect(keysOf(['to'])).toEqual(['to', 'secret']);
  });

  test('the same port on two servers', async () => {
    expect(await problems('[tunnels.a]\ntarget = 1\nport = 99\n[tunnels.b]\ntarget = 1\nport = 99\nto = "b"')).toEqual(
      [],
    );
  });
});

describe('what is wrong', () => {
  test('is an error of its own code', async () => {
    await expect(read('x')).rejects.toMatchObject({ code: 'config-unusable', kind: { exitCode: 2 } });
  });

  test.each([
    ['a = 1', ['1:1: a: unknown key; the tables are [server], [client], [tunnels.NAME]']],
    ['[tunnel.x]', ['1:2: tunnel: unknown key; did you mean tunnels?']],
    ['[client]\nsecret-fil = "x"', ['2:1: client.secret-fil: unknown key; did you mean secret-file?']],
    ['[client]\nport = 80', ['2:1: client.port: unknown key; it belongs in [tunnels.NAME]']],
    ['[tunnels.a]\ntarget=1\noutput = "json"', ['3:1: tunnels.a.output: unknown key; it belongs in [client]']],
    ['[server]\nto = "a"', ['2:1: server.to: unknown key; it belongs in [client]']],
    ['[server]\nconfig = "a"', ['2:1: server.config: unknown key']],
    [
      '[server]\ntoString = 1\n__proto__ = 2',
      ['2:1: server.toString: unknown key', '3:1: server.__proto__: unknown key'],
    ],
    ['server = 1', ['1:10: server: expected a table, found a number']],
    ['[[server]]', ['1:3: server: expected a table, found a list']],
    [
      '[[tunnels]]\nname = "a"\n[[tunnels]]\nname = "b"',
      [
        '1:3: tunnels: a list, as other programs have it; here each tunnel has a table with its name, [tunnels.NAME]; docs/migrating.md has the translation',
      ],
    ],
    ['[tunnels]\ntarget = 1', ['2:10: tunnels.target: expected a table, found a number']],
    ['[client]\nto = ["a"]', ['2:6: client.to: expected text or a number, found a list']],
    ['[client]\nto = {a = 1}', ['2:6: client.to: expected text or a number, found a table']],
    ['[client]\nto = 2000-01-01', ['2:6: client.to: expected text or a number, found a date']],
    ['[client]\nno-reconnect = 1', ['2:16: client.no-reconnect: expected true or false, found a number']],
    [
      '[tunnels."a b"]\ntarget = 1',
      ['1:10: tunnels."a b": a name is up to 63 letters, digits, dots, dashes and underscores'],
    ],
    [
      '[server]\nport = 70000\nhost = "a b"',
      [
        '2:8: server.port 70000: not a valid port; a port is a number from 0 to 65535',
        '3:8: server.host a b: not a valid host; a host is a name or an IP address, without scheme and port',
      ],
    ],
    [
      '[client]\nlog-level = "loud"',
      ['2:13: client.log-level loud: not a known value; give one of trace, debug, info, warn, error, silent'],
    ],
    [
      '[tunnels.a]\ntarget = 1\nport = 99\n[tunnels.b]\ntarget = 1\nport = 99',
      ['6:8: tunnels.b.port: 99 is already the port of the tunnel a'],
    ],
    [
      '[tunnels.a]\ntarget = 1\ntype = "http"\nport = 99\nproxy-protocol = "v1"\n[tunnels.b]\ntarget = 1\nhost = "b"',
      [
        '4:8: tunnels.a.port: it is for tunnels of type tcp, and this one is of type http',
        '5:18: tunnels.a.proxy-protocol: it is for tunnels of type tcp, and this one is of type http',
        '8:8: tunnels.b.host: it is for tunnels of type http, and this one is of type tcp',
      ],
    ],
    [
      '[tunnels.a]\ntarget = 1\ntype = "http"\nhost = "shop"\n[tunnels.b]\ntarget = 1\ntype = "http"\nhost = "Shop"',
      ['8:8: tunnels.b.host: Shop is already the host of the tunnel a'],
    ],
    [
      '[tunnels.a]\ntarget = 1\ntype = "https"',
      ['3:8: tunnels.a.type https: not a known value; give one of tcp, http'],
    ],
    ['[server]\nmax-port = 80', ['2:12: server.max-port 80: below --min-port 1024; give --min-port as well']],
  ])('%j', async (text, expected) => {
    expect(await problems(text)).toEqual(expected);
  });

  test('more tunnels than a session can have, unless they are in several', async () => {
    const tunnels = (count: number, lines = ''): string =>
      Array.from({ length: count }, (_, index) => `[tunnels.t${index}]\ntarget = 1\n${lines}`).join('\n');
    expect(await problems(tunnels(1_025))).toEqual([
      '1025 tunnels share a session, and it can have 1024; give some of them an `identity` of their own, which makes it another session',
    ]);
    await expect(read(`${tunnels(1_024)}\n[tunnels.other]\ntarget = 1\nidentity = "other"`)).resolves.toBeDefined();
  });

  test('what is wrong with all tunnels is said once', async () => {
    const text = '[client]\nheartbeat-interval = 3\n[tunnels.a]\ntarget = 1\n[tunnels.b]\ntarget = 2';
    expect(await problems(text)).toEqual([
      expect.stringMatching(/^2:22: client.heartbeat-interval 3: that is more than a quarter/),
    ]);
  });

  test.each([
    ['[client]\nsecret = sesame-sesame', '2:10: not valid TOML: unexpected character'],
    ['[client]\nsecret = "sesame-sesame', '2:24: not valid TOML: unterminated string constant'],
    ['[client]\nsecret = "x"\nsecret = "y"', '3:1: not valid TOML: defining a key multiple times is invalid'],
  ])('no TOML: %j', async (text, expected) => {
    expect(await problems(text)).toEqual([expected]);
  });

  test('UTF-16', async () => {
    const text = Buffer.from(`\uFEFF[client]\r\nsecret = "${SECRET}"\r\n`, 'utf16le').toString();
    await expect(read(text)).rejects.toMatchObject({
      lines: [`${PATH}:1:1: the file is in UTF-16`],
      advice: expect.stringContaining('save it as UTF-8'),
    });
  });

  test.each([
    `secret = ["${SECRET}"]`,
    `secret = { a = "${SECRET}" }`,
    `secret = ""`,
    `secret = "${SECRET}"\nsecret-file = "x"`,
    `secert = "${SECRET}"`,
  ])('a secret is not told: %j', async (line) => {
    for (const table of ['server', 'client', 'tunnels.a']) {
      const [told = '', ...others] = await problems(
        `[${table}]\n${table === 'tunnels.a' ? 'target = 1\n' : ''}${line}`,
      );
      expect({ told, others }).toEqual({ told: expect.stringMatching(/sec(?:re|er)t/), others: [] });
      expect(told).not.toContain(SECRET);
    }
  });

  test.each([`proxy = ["http://me:${SECRET}@a"]`, `proxy = "ftp://me:${SECRET}@a"`, `proxy = "http://me:${SECRET}@"`])(
    "a proxy's password is not told: %j",
    async (line) => {
      const [told, ...others] = await problems(`[client]\n${line}`);
      expect({ told, others }).toEqual({ told: expect.stringMatching(/^2:9: client\.proxy/), others: [] });
      expect(told).not.toContain(SECRET);
    },
  );

  test('is not what stands in the environment', async () => {
    vi.stubEnv('HTTPS_PROXY', 'ftp://proxy');
    expect(await problems('[tunnels.a]\ntarget = 1\nto = "wss://a"')).toEqual([]);
  });
});

test.each(['target = "1-2"', 'target = 1\nport = "8001-8002"'])(
  'a table is one tunnel: %j is refused',
  async (text) => {
    await expect(read(`[tunnels.a]\n${text}`)).rejects.toMatchObject({ code: 'config-unusable' });
  },
);
