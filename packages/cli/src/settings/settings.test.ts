import { join, resolve } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import { readGivenSecret } from './common-flags.ts';
import { type Arguments, type Environment, type FileTable, GivenFlags } from './flags.ts';
import { LOCAL_FLAGS, type LocalSettings, readLinkSettings, readLocalSettings } from './local-settings.ts';
import { standardFolder } from './standard-folders.ts';
import { readServerSettings, SERVER_FLAGS, type ServerSettings } from './server-settings.ts';

const base: Environment = { XDG_STATE_HOME: '/state' };

function server(given: Arguments, environment: Environment = base): ServerSettings {
  return readServerSettings(new GivenFlags(SERVER_FLAGS, given, environment), environment);
}

function local(
  given: Arguments,
  targets: readonly string[] = ['3000'],
  environment: Environment = base,
): LocalSettings {
  const services = targets.map((text) => ({ text, source: 'target' }));
  return readLocalSettings(services, new GivenFlags(LOCAL_FLAGS, given, environment), environment);
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TunnelError) return `${error.code}: ${error.detail}`;
    throw error;
  }
  throw new Error('it was taken');
}

test('the defaults of the server', () => {
  expect(server({})).toMatchObject({
    host: undefined,
    port: 7835,
    tunnelHost: undefined,
    minPort: 1024,
    maxPort: 65_535,
    publicHost: undefined,
    identityFile: join('/state/tunnel/server/identity'),
    resumeWindowMs: 120_000,
    drainTimeoutMs: 10_000,
    heartbeat: { intervalMs: 2000, timeoutMs: 8000 },
    output: { output: 'text', logLevel: 'info', logFormat: undefined, wantsLogs: false },
  });
});

describe('the visitors', () => {
  test('are those of all tunnels', () => {
    const { tunnels } = local(
      {
        allow: ['10.0.0.0/8, ::1', '192.0.2.7'],
        deny: '10.9.0.0/16',
        'max-connections': '100',
        'proxy-protocol': 'v2',
        'idle-timeout': '5m',
      },
      ['3000', '3001'],
    );
    const visitors = {
      allow: ['10.0.0.0/8', '::1', '192.0.2.7'],
      deny: ['10.9.0.0/16'],
      maxConnections: 100,
      proxyProtocol: 'v2',
      idleTimeoutMs: 300_000,
    };
    expect(tunnels).toMatchObject([
      { target: { port: 3000 }, ...visitors },
      { target: { port: 3001 }, ...visitors },
    ]);
  });

  test('are all, as many as there are, where nothing is given', () => {
    const nothing = { maxConnections: undefined, proxyProtocol: undefined, idleTimeoutMs: undefined };
    expect(local({}).tunnels).toMatchObject([{ allow: [], deny: [], ...nothing }]);
  });

  test.each([
    [{ allow: '10.0.0.0/33' }, 'usage: --allow 10.0.0.0/33: not a valid network'],
    [{ allow: '10.0.0.0/8,,::1' }, 'usage: --allow nothing: not a valid network'],
    [{ deny: ['::1', 'example.org'] }, 'usage: --deny example.org: not a valid network'],
    [{ 'max-connections': '0' }, 'usage: --max-connections 0: not a whole number of at least 1'],
    [{ 'max-connections': '4294967296' }, 'usage: --max-connections 4294967296: not a whole number of at least 1'],
    [{ 'max-connections': '1.5' }, 'usage: --max-connections 1.5: not a whole number of at least 1'],
    [{ 'proxy-protocol': '2' }, 'usage: --proxy-protocol 2: not a known value'],
    [{ 'idle-timeout': '0' }, 'usage: --idle-timeout 0: too short'],
  ])('%j cannot be used', (given, message) => {
    expect(refusal(() => local(given))).toBe(message);
  });

  test('have at most 256 rules, of which the limit is one', () => {
    const networks = (count: number): string =>
      Array.from({ length: count }, (_, index) => `10.0.0.${index}`).join(',');
    expect(local({ allow: networks(200), deny: networks(56) }).tunnels[0]?.deny).toHaveLength(56);
    expect(refusal(() => local({ allow: networks(200), deny: networks(56), 'max-connections': '9' }))).toBe(
      'usage: --deny 10.0.0.55: a tunnel has at most 255 networks',
    );
  });
});

test('the defaults of the client', () => {
  expect(local({})).toMatchObject({
    tunnels: [{ target: { host: 'localhost', port: 3000 }, port: 0, localWaitMs: 0 }],
    server: undefined,
    serverKey: undefined,
    identityFile: join('/state/tunnel/client/identity'),
    reconnect: true,
    maxReconnectDelayMs: 30_000,
    connectTimeoutMs: 10_000,
    heartbeat: { intervalMs: 2000, timeoutMs: 8000 },
  });
});

test('a range of targets has a range of ports, one for each', () => {
  const { tunnels } = local({ port: ['18000-18001', '9000'] }, ['db:1-2', '3000']);
  expect(tunnels.map(({ target, port }) => ({ target, port }))).toEqual([
    { target: { host: 'db', port: 1 }, port: 18_000 },
    { target: { host: 'db', port: 2 }, port: 18_001 },
    { target: { host: 'localhost', port: 3000 }, port: 9000 },
  ]);
  expect(refusal(() => local({ port: ['18000-18002'] }, ['1-2']))).toContain('more ports than targets (3 and 2)');
});

test('a flag goes before the environment, which goes before the default', () => {
  const environment = {
    ...base,
    TUNNEL_PORT: '1',
    TUNNEL_MIN_PORT: '2000',
    TUNNEL_MAX_PORT: '',
    TUNNEL_STATE_DIR: '/s',
  };
  expect(server({ port: '2' }, environment)).toMatchObject({ port: 2, minPort: 2000, maxPort: 65_535 });
  expect(server({}, environment)).toMatchObject({ port: 1, identityFile: resolve('/s/server/identity') });
  const address = { secure: false, host: 'a', port: 7835, path: '/' };
  expect(local({}, ['1'], { ...base, TUNNEL_SERVER: 'a' }).server).toEqual(address);
  expect(local({ to: 'b' }, ['1'], { ...base, TUNNEL_SERVER: 'a' }).server?.host).toBe('b');
});

describe('HTTP tunnels', () => {
  const tls = { 'tls-cert': '/c', 'tls-key': '/k' };

  test('have what the server has by default', () => {
    const nothing = { domain: undefined, allowHosts: [], http: undefined, https: undefined };
    expect(server({})).toMatchObject(nothing);
  });

  test('can have certificates that the server gets by itself', () => {
    const least = { domain: 'tunnel.example.org', https: '443', acme: 'me@example.org' };
    const acme = { email: 'me@example.org', directoryUrl: undefined, caFile: undefined, weeklyLimit: undefined };
    expect(server({}).acme).toBeUndefined();
    expect(server(least)).toMatchObject({ acme, redirect: true });
    const more = {
      'acme-directory': 'https://acme.example/dir',
      'acme-ca': '/ca',
      'acme-limit': '7',
      'no-redirect': true,
    };
    expect(server({ ...least, ...more })).toMatchObject({
      acme: { directoryUrl: 'https://acme.example/dir', caFile: { text: '/ca' }, weeklyLimit: 7 },
      redirect: false,
    });
  });

  test.each<[Arguments, string]>([
    [{ acme: 'me' }, '--acme me: not an e-mail address'],
    [
      { acme: 'a@b.c', https: '443' },
      '--acme a@b.c: there is no name for which an authority would issue a certificate',
    ],
    [
      { acme: 'a@b.c', https: '443', domain: 'a.localhost' },
      '--acme a@b.c: there is no name for which an authority would issue a certificate',
    ],
    [{ acme: 'a@b.c', domain: 'b.c' }, '--acme a@b.c: nothing would use the certificates'],
    [{ 'acme-limit': '7' }, '--acme-limit 7: certificates are not got from an authority'],
    [
      { acme: 'a@b.c', https: '443', domain: 'b.c', 'acme-limit': '0' },
      '--acme-limit 0: not a whole number of at least 1',
    ],
    [
      { acme: 'a@b.c', https: '443', domain: 'b.c', 'acme-directory': 'http://b.c' },
      '--acme-directory http://b.c: not an https URL',
    ],
  ])('%j gets no certificates', (given, message) => {
    expect(refusal(() => server(given))).toBe(`usage: ${message}`);
  });

  test('have names and ports', () => {
    const given = {
      domain: 'Tunnel.Example.org.',
      'allow-hosts': ['*.example.net, www.example.com', 'bücher.example'],
      http: '80',
      https: '[::1]:443',
      ...tls,
    };
    expect(server(given)).toMatchObject({
      domain: 'tunnel.example.org',
      allowHosts: ['*.example.net', 'www.example.com', 'xn--bcher-kva.example'],
      http: { host: undefined, port: 80 },
      https: { host: '::1', port: 443 },
    });
    expect(server({}, { ...base, TUNNEL_DOMAIN: 'example.org' }).domain).toBe('example.org');
  });

  test.each([
    [{ host: '127.0.0.1', port: '80', http: '127.0.0.2:80' }],
    [{ port: '0', http: '0', https: '0', ...tls }],
    [{ port: '80', http: '8080', https: '443', ...tls }],
  ])('have ports that do not meet: %j', (given) => {
    expect(server(given)).toBeDefined();
  });

  test.each([
    [{ domain: '10.0.0.1' }, 'usage: --domain 10.0.0.1: an IP address is not a host name'],
    [{ domain: '[::1]' }, 'usage: --domain [::1]: not a host name'],
    [{ domain: 'example.org:443' }, 'usage: --domain example.org:443: not a host name'],
    [{ domain: '*.example.org' }, 'usage: --domain *.example.org: not a host name'],
    [{ domain: '' }, 'usage: --domain nothing: not a host name'],
    [
      { domain: `${'a'.repeat(64)}.org` },
      `usage: --domain ${'a'.repeat(64)}.org: a part of a host name has at most 63 characters`,
    ],
    [{ domain: `${'a.'.repeat(95)}a` }, `usage: --domain ${'a.'.repeat(95)}a: too long for names below it`],
    [{ 'allow-hosts': 'a b' }, 'usage: --allow-hosts a b: neither a host name nor a pattern such as *.example.org'],
    [
      { 'allow-hosts': 'a.org,' },
      'usage: --allow-hosts nothing: neither a host name nor a pattern such as *.example.org',
    ],
    [
      { 'allow-hosts': '10.0.0.1' },
      'usage: --allow-hosts 10.0.0.1: neither a host name nor a pattern such as *.example.org',
    ],
    [{ 'allow-hosts': 'localhost' }, "usage: --allow-hosts localhost: the server's own name is for no tunnel"],
    [
      { domain: 'a.org', 'allow-hosts': 'b.org,A.org' },
      "usage: --allow-hosts a.org: the server's own name is for no tunnel",
    ],
    [
      { 'public-host': 'a.org', 'allow-hosts': 'a.org' },
      "usage: --allow-hosts a.org: the server's own name is for no tunnel",
    ],
    [{ http: 'example.org' }, 'usage: --http example.org: neither a port nor host:port'],
    [{ http: '70000' }, 'usage: --http 70000: neither a port nor host:port'],
    [{ http: '::1:80' }, 'usage: --http ::1:80: neither a port nor host:port'],
    [{ http: ':80' }, 'usage: --http :80: neither a port nor host:port'],
    [{ http: '7835' }, 'usage: --http 7835: the control port listens there'],
    [{ host: '127.0.0.1', http: '0.0.0.0:7835' }, 'usage: --http 0.0.0.0:7835: the control port listens there'],
    [{ host: '127.0.0.1', port: '80', http: '80' }, 'usage: --http 80: the control port listens there'],
    [{ https: '443' }, 'usage: --https 443: there is no certificate for it'],
    [{ http: '443', https: '443', ...tls }, 'usage: --https 443: --http listens there'],
    [{ https: '127.0.0.1:7835', ...tls }, 'usage: --https 127.0.0.1:7835: the control port listens there'],
  ])('%j cannot be used', (given, message) => {
    expect(refusal(() => server(given))).toBe(message);
  });
});

test('a certificate and its key come together', () => {
  expect(server({}).tls).toEqual([]);
  const tls = { certFile: resolve('/c'), keyFile: resolve('/k') };
  expect(server({ 'tls-cert': '/c', 'tls-key': '/k' }).tls).toEqual([tls]);
  const other = { certFile: resolve('/d'), keyFile: resolve('/l') };
  expect(server({ 'tls-cert': ['/c', '/d'], 'tls-key': ['/k', '/l'] }).tls).toEqual([tls, other]);
  expect(refusal(() => server({ 'tls-cert': ['/c', '/d'], 'tls-key': '/k' }))).toBe(
    'usage: --tls-cert /d: a certificate needs its key',
  );
  expect(refusal(() => server({ 'tls-key': '/k' }))).toBe('usage: --tls-key /k: a certificate needs its key');
});

test('load balancers that say who is behind them are networks, also several', () => {
  expect(server({}).acceptProxyProtocol).toEqual([]);
  const given = { 'accept-proxy-protocol': ['10.0.0.0/24', '2001:db8::1'] };
  expect(server(given).acceptProxyProtocol).toEqual(['10.0.0.0/24', '2001:db8::1']);
  expect(refusal(() => server({ 'accept-proxy-protocol': 'v2' }))).toContain(
    '--accept-proxy-protocol v2: not a valid network',
  );
});

test('trusted proxies are networks, also several', () => {
  expect(server({}).trustedProxies).toEqual([]);
  const given = { 'trusted-proxy': ['127.0.0.1,::1', '10.0.0.0/8'] };
  expect(server(given).trustedProxies).toEqual(['127.0.0.1', '::1', '10.0.0.0/8']);
  expect(refusal(() => server({ 'trusted-proxy': 'proxy.lan' }))).toContain(
    '--trusted-proxy proxy.lan: not a valid network',
  );
});

test('errors name the variable where the value came from there', () => {
  expect(refusal(() => server({}, { ...base, TUNNEL_PORT: 'x' }))).toBe('usage: TUNNEL_PORT x: not a valid port');
  expect(refusal(() => local({}, ['1'], { ...base, TUNNEL_SERVER: 'a/b' }))).toContain('TUNNEL_SERVER "a/b"');
});

test('a relative XDG_STATE_HOME does not count', () => {
  expect(server({}, { XDG_STATE_HOME: 'here' }).state.path).toBe(standardFolder('state', {}));
});

describe('port ranges', () => {
  test.each([
    [{ 'min-port': '3000', 'max-port': '2000' }, '--min-port 3000: above --max-port 2000'],
    [{ 'max-port': '80' }, '--max-port 80: below --min-port 1024'],
    [{ 'min-port': '0' }, '--min-port 0: not a valid port'],
    [{ 'max-port': '65536' }, '--max-port 65536: not a valid port'],
  ])('%j', (given, message) => {
    expect(refusal(() => server(given))).toBe(`usage: ${message}`);
  });

  test('one port is a range', () => {
    expect(server({ 'min-port': '80', 'max-port': '80' })).toMatchObject({ minPort: 80, maxPort: 80 });
  });
});

describe('heartbeats', () => {
  test('a timeout alone brings the interval along', () => {
    expect(local({ 'heartbeat-timeout': '1s' }).heartbeat).toEqual({ intervalMs: 250, timeoutMs: 1000 });
    expect(local({ 'heartbeat-timeout': '1m' }).heartbeat).toEqual({ intervalMs: 2000, timeoutMs: 60_000 });
  });

  test('an interval that was given has to fit', () => {
    const fitting = { 'heartbeat-interval': '125ms', 'heartbeat-timeout': '500ms' };
    expect(server(fitting).heartbeat).toEqual({ intervalMs: 125, timeoutMs: 500 });
    expect(refusal(() => server({ 'heartbeat-interval': '3s' }))).toBe(
      'usage: --heartbeat-interval 3s: that is more than a quarter of the heartbeat timeout, 8s',
    );
    expect(refusal(() => local({ ...fitting, 'heartbeat-interval': '126ms' }))).toContain('more than a quarter');
  });

  test('have a least timeout and interval', () => {
    expect(refusal(() => local({ 'heartbeat-timeout': '499ms' }))).toBe('usage: --heartbeat-timeout 499ms: too short');
    expect(refusal(() => local({ 'heartbeat-interval': '0' }))).toContain('too short');
  });
});

describe('targets and their ports', () => {
  test('in their order', () => {
    expect(local({ port: ['8001', '8002'] }, ['3000', 'db:5432', '[::1]:1']).tunnels).toMatchObject([
      { target: { host: 'localhost', port: 3000 }, port: 8001, localWaitMs: 0 },
      { target: { host: 'db', port: 5432 }, port: 8002, localWaitMs: 0 },
      { target: { host: '::1', port: 1 }, port: 0, localWaitMs: 0 },
    ]);
    expect(local({ 'local-host': '10.0.0.1' }).tunnels[0]?.target).toEqual({ host: '10.0.0.1', port: 3000 });
  });

  test.each([
    [{}, [], 'no target was given'],
    [{ port: ['1', '2'] }, ['3000'], '--port 2: there are more ports than targets (2 and 1)'],
    [{ port: ['1', '1'] }, ['3000', '3001'], '--port 1: two targets cannot have the same public port'],
    [{ 'local-host': 'a:b' }, ['3000'], '--local-host a:b: not a valid host'],
    [{}, ['http'], 'target http: not a valid port'],
  ])('%j %j', (given, targets, message) => {
    expect(refusal(() => local(given, targets))).toBe(`usage: ${message}`);
  });
});

describe('the server key of the file', () => {
  const KEY = 'A'.repeat(43);
  const fileWith = (to: string | undefined): FileTable => {
    const texts = Object.entries({ to, 'server-key': KEY });
    return new Map(
      texts.flatMap(([key, text]) => (text === undefined ? [] : [[key, [{ text, source: `file ${key}` }]]])),
    );
  };
  const sourceOf = (given: Arguments, file: FileTable, environment: Environment = base): string | undefined => {
    const flags = new GivenFlags(LOCAL_FLAGS, given, environment, [file]);
    const settings = readLinkSettings(flags, environment);
    expect(settings.serverKey === undefined).toBe(settings.serverKeySource === undefined);
    return settings.serverKeySource;
  };

  test('is for the server that the file names', () => {
    expect(sourceOf({}, fileWith('a'))).toBe('file server-key');
    expect(sourceOf({ to: 'a:7835' }, fileWith('a'))).toBe('file server-key');
    expect(sourceOf({ to: 'b' }, fileWith('a'))).toBeUndefined();
    expect(sourceOf({}, fileWith('a'), { ...base, TUNNEL_SERVER: 'b' })).toBeUndefined();
  });

  test('is for whatever server is named where the file names none', () => {
    expect(sourceOf({ to: 'b' }, fileWith(undefined))).toBe('file server-key');
    expect(sourceOf({}, fileWith(undefined))).toBe('file server-key');
  });

  test('is taken as variables and editors leave it', () => {
    const keyOf = (text: string): unknown => local({}, ['1'], { ...base, TUNNEL_SERVER_KEY: text }).serverKey;
    const key = local({ 'server-key': KEY }).serverKey;
    for (const text of [`${KEY}\n`, `\uFEFF${KEY}\r\n`, ` ${KEY} `]) expect(keyOf(text)).toEqual(key);
    expect(refusal(() => keyOf(`"${KEY}"`))).toBe(
      'key-unusable: TUNNEL_SERVER_KEY begins and ends with a quotation mark',
    );
  });

  test('comes behind another one', () => {
    const environment = { ...base, TUNNEL_SERVER_KEY: KEY };
    expect(sourceOf({ to: 'b' }, fileWith('a'), environment)).toBe('TUNNEL_SERVER_KEY');
    expect(sourceOf({ 'server-key': KEY }, fileWith('a'), environment)).toBe('--server-key');
  });
});

test.each([
  [{ 'max-reconnect-delay': '99ms' }, 'usage: --max-reconnect-delay 99ms: too short'],
  [{ 'connect-timeout': '8x' }, 'usage: --connect-timeout 8x: not a valid duration'],
  [{ 'local-wait': '-1s' }, 'usage: --local-wait -1s: not a valid duration'],
  [{ 'server-key': 'short' }, 'key-unusable: --server-key has 5 characters instead of 43'],
  [{ to: ['a', 'b'] }, 'usage: --to was given 2 times: a, b'],
  [{ to: '--port' }, 'usage: --to needs a value, but is followed by --port'],
  [{ to: '--secret=a secret of mine' }, 'usage: --to needs a value, but is followed by --secret'],
  [{ 'no-reconnect': [true, true] }, 'usage: --no-reconnect was given 2 times'],
  [{ secret: ['a', 'b'] }, 'usage: --secret was given 2 times'],
  [
    { proxy: 'ftp://me:word@proxy' },
    'usage: --proxy "ftp://***@proxy" is not a valid proxy: the scheme is none of http, https, socks5 and socks5h',
  ],
  [{ output: 'xml' }, 'usage: --output xml: not a known value'],
  [{ 'log-level': 'loud' }, 'usage: --log-level loud: not a known value'],
  [{ ca: 'ca.pem', to: 'ws://a' }, 'usage: --ca ca.pem: this connection does not use TLS'],
])('%j is refused', (given, message) => {
  expect(refusal(() => local(given))).toBe(message);
});

test('authorities are for the way to the proxy, too', () => {
  const given = { ca: 'ca.pem', to: 'ws://a', proxy: 'https://proxy' };
  expect(local(given).caFile?.text).toBe('ca.pem');
  expect(refusal(() => local({ ...given, proxy: 'http://proxy' }))).toContain('does not use TLS');
});

test('authorities of the file are for servers with TLS, and do not bar others', () => {
  const file: FileTable = new Map([['ca', [{ text: '/ca.pem', source: 'file ca' }]]]);
  const caFor = (given: Arguments): string | undefined =>
    readLinkSettings(new GivenFlags(LOCAL_FLAGS, given, base, [file]), base).caFile?.text;
  expect(caFor({ to: 'wss://a' })).toBe('/ca.pem');
  expect(caFor({ to: 'ws://a' })).toBeUndefined();
  expect(caFor({})).toBeUndefined();
});

describe('secrets', () => {
  const read = (given: Arguments, environment: Environment = {}): ReturnType<typeof readGivenSecret> =>
    readGivenSecret(new GivenFlags(LOCAL_FLAGS, given, environment), environment);

  test('come from the command line or the environment', async () => {
    expect(await read({})).toBeUndefined();
    expect(await read({ secret: 'a' }, { TUNNEL_SECRET: 'b' })).toMatchObject({ secret: 'a', isExposed: true });
    expect(await read({}, { TUNNEL_SECRET: 'b' })).toMatchObject({ secret: 'b', isExposed: false, file: undefined });
  });

  test('are a line: what variables and editors leave around it is no part of it', async () => {
    for (const text of ['b\n', 'b\r\n', '\uFEFFb', 'b\nc']) {
      expect(await read({}, { TUNNEL_SECRET: text })).toMatchObject({ secret: 'b' });
      expect(await read({ secret: text })).toMatchObject({ secret: 'b' });
    }
    // These may be part of it: they are warned of.
    for (const text of ['"b"', ' b ']) expect(await read({}, { TUNNEL_SECRET: text })).toMatchObject({ secret: text });
    await expect(read({}, { TUNNEL_SECRET: '\n' })).rejects.toMatchObject({ detail: 'TUNNEL_SECRET is empty' });
  });

  test('that are empty, or two, are refused', async () => {
    await expect(read({ secret: '' })).rejects.toMatchObject({ code: 'secret-unusable', detail: '--secret is empty' });
    await expect(read({}, { TUNNEL_SECRET: '' })).rejects.toMatchObject({ detail: 'TUNNEL_SECRET is empty' });
    await expect(read({ secret: 'a', 'secret-file': 'b' })).rejects.toMatchObject({
      code: 'usage',
      detail: 'both --secret and --secret-file b were given',
    });
    await expect(read({ 'secret-file': '/nowhere/secret' })).rejects.toMatchObject({
      code: 'secret-unusable',
      detail: '--secret-file /nowhere/secret: no such file or directory',
    });
  });
});
