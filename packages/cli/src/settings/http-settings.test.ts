import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCredentials } from './credentials.ts';
import { type Arguments, type Environment, GivenFlags } from './flags.ts';
import { CLIENT_FLAGS, readTunnelSettings } from './http-settings.ts';
import type { LocalSettings } from './local-settings.ts';

const environment: Environment = { XDG_STATE_HOME: '/state' };

function http(given: Arguments, targets: readonly string[] = ['3000']): LocalSettings {
  const services = targets.map((text) => ({ text, source: 'target' }));
  return readTunnelSettings('http', services, new GivenFlags(CLIENT_FLAGS, given, environment), environment);
}

/** What the error says in all, with what to do. */
async function refusal(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof TunnelError) return `${error.code}: ${error.detail}; ${(error as { advice?: string }).advice}`;
    throw error;
  }
  throw new Error('it was taken');
}

test('without flags the server chooses the name', () => {
  const path = process.platform === 'win32' ? String.raw`\\.\pipe\app` : '/run/app.sock';
  expect(http({}, ['3000', `unix:${path}`]).tunnels).toMatchObject([
    { target: { host: 'localhost', port: 3000 }, http: { host: undefined, setHeaders: [], removeHeaders: [] } },
    { target: { path }, http: {} },
  ]);
  expect(http({}).tunnels[0]).not.toHaveProperty('port');
});

test('all flags', () => {
  const { tunnels, credentials } = http({
    host: 'Shop.Example.org.',
    'basic-auth': ['me:sesame', '@/etc/visitors'],
    'host-header': 'local',
    upstream: 'https',
    'set-header': ['X-Key:  a: b ', 'x-empty:'],
    'remove-header': 'Cookie',
    'set-response-header': 'X-Robots-Tag: noindex',
    allow: '10.0.0.0/8',
    'local-wait': '3s',
    'proxy-protocol': 'v2',
  });
  expect(tunnels).toEqual([
    {
      target: { host: 'localhost', port: 3000 },
      localWaitMs: 3_000,
      allow: ['10.0.0.0/8'],
      deny: [],
      maxConnections: undefined,
      idleTimeoutMs: undefined,
      http: {
        host: 'shop.example.org',
        hostHeader: 'local',
        upstream: 'https',
        setHeaders: [
          { name: 'X-Key', value: 'a: b' },
          { name: 'x-empty', value: '' },
        ],
        removeHeaders: ['Cookie'],
        setResponseHeaders: [{ name: 'X-Robots-Tag', value: 'noindex' }],
      },
    },
  ]);
  expect(credentials).toMatchObject({ areOnCommandLine: true, given: [{ text: 'me:sesame' }, {}] });
});

describe('refused', () => {
  test.each<[Arguments, string]>([
    [{ host: 'a b' }, '--host a b: a name has no scheme, port, path or blank; give one label'],
    [{ host: 'x'.repeat(64) }, 'a part of a host name has at most 63 characters'],
    [{ host: '10.0.0.1' }, '--host 10.0.0.1: an IP address is not a host name'],
    [{ 'host-header': 'rewrite me' }, 'give keep, local, or a name that the service knows'],
    [{ 'basic-auth': 'sesame' }, '--basic-auth: credentials are a user, a colon and a password; give user:password'],
    [{ 'basic-auth': '@' }, '--basic-auth @: the path is missing'],
    [{ 'set-header': 'sesame' }, "--set-header: the colon behind the name is missing; give 'Name: value'"],
    [{ 'set-header': 'X: sesame\n' }, '--set-header: the value of X has a character that no header can have'],
    [{ 'set-header': 'Host: sesame' }, '--set-header: Host has an option of its own; use --host-header'],
    [{ 'remove-header': 'Content-Length' }, 'Content-Length belongs to the connection, and is not changed'],
    [{ 'set-response-header': ': sesame' }, '--set-response-header: the name of the header is missing'],
    [{ 'remove-header': Array.from({ length: 257 }, () => 'X') }, 'at most 256 such options'],
    [
      { 'remove-header': Array.from({ length: 255 }, () => 'X'), allow: ['10.0.0.1', '10.0.0.2'] },
      '--allow 10.0.0.2: a tunnel has at most 1 networks',
    ],
  ])('%j', async (given, reason) => {
    const told = await refusal(() => http(given));
    expect(told).toContain(reason);
    expect(told).toMatch(/^usage: /);
    expect(told).not.toContain('sesame');
  });

  test.each([
    [
      'https://localhost:8443',
      'spoken to in plain HTTP; give the port that speaks HTTP; `tunnel local localhost:8443`',
    ],
    ['3000:8001', 'two ports were given; a tunnel of this type has a name and no port: give 3000'],
  ])('the target %s', async (target, reason) => {
    expect(await refusal(() => http({}, [target]))).toContain(reason);
  });

  test('one name for two targets, and no target', async () => {
    expect(await refusal(() => http({ host: 'shop' }, ['3000', '3001']))).toContain(
      '--host shop: one name cannot lead to 2 targets',
    );
    expect(await refusal(() => http({}, []))).toContain('as in `tunnel http 3000`');
  });
});

describe('credentials', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const read = (...texts: readonly string[]) =>
    readCredentials({ given: texts.map((text) => ({ text, source: '--basic-auth' })), areOnCommandLine: true });

  test('of the command line and of files', async () => {
    const file = join(directory, 'visitors');
    await writeFile(file, 'me:sesame\r\n\nyou:open: sesame \n');
    expect(await read('a:b', `@${file}`)).toEqual({
      credentials: ['a:b', 'me:sesame', 'you:open: sesame '],
      files: [file],
      areExposed: true,
    });
    expect(await read(`@${file}`)).toMatchObject({ areExposed: false });
  });

  test('in a file that is not as it should be', async () => {
    const file = join(directory, 'visitors');
    expect(await refusal(() => read(`@${file}`))).toContain(`--basic-auth @${file}: no such file`);
    await writeFile(file, '\n');
    expect(await refusal(() => read(`@${file}`))).toContain('the file is empty');
    await writeFile(file, 'me:a\nsesame\n');
    const told = await refusal(() => read(`@${file}`));
    expect(told).toContain(`--basic-auth @${file}, line 2: credentials are a user, a colon and a password`);
    expect(told).not.toContain('sesame');
    await writeFile(file, 'x'.repeat(65_537));
    expect(await refusal(() => read(`@${file}`))).toContain('more than 65536 bytes');
  });
});
