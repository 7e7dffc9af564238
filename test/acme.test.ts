// Certificates that a server gets by itself, from a real authority.
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as tlsConnect } from 'node:tls';
import { type ClientEvents, parseServerAddress } from '@tunnel/client';
import type { ServerOptions } from '@tunnel/server';
import { randomBytes } from '@tunnel/shared/node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Authority, startAuthority } from './support/authority.ts';
import { readCertificates } from './support/certificates.ts';
import { startTunnel } from './support/command.ts';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { type RunningClient, type RunningServer, startClient, startServer, TEST_SECRET } from './support/pair.ts';
import { freePort, requirePrograms } from './support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from './support/temporary-directory.ts';

const DOMAIN = 'tunnel.example.org';
const SLOW = { timeout: 60_000 };

let directory: TemporaryDirectory;
let service: { readonly port: number } & AsyncDisposable;

beforeEach(async (context) => {
  requirePrograms(context, 'pebble', 'pebble-challtestsrv');
  directory = await temporaryDirectory();
  const http = createHttpServer((request, answer) => answer.end(`${request.method} ${request.url}`));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  service = {
    port: (http.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
    },
  };
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

interface AcmeServer extends RunningServer {
  readonly httpPort: number;
  readonly httpsPort: number;
}

/** A server whose ports the authority finds. */
async function startAcmeServer(
  authority: Authority,
  { acme, ...options }: Partial<Omit<ServerOptions, 'acme'>> & { readonly acme?: object } = {},
): Promise<AcmeServer> {
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  authority.http.leadTo(httpPort);
  authority.tls.leadTo(httpsPort);
  const { directoryUrl, ca } = authority;
  const server = await startServer({
    domain: DOMAIN,
    http: { port: httpPort },
    https: { port: httpsPort },
    acme: { email: 'me@example.org', directory: join(directory.path, 'acme'), directoryUrl, ca, ...acme },
    ...options,
  });
  return { ...server, httpPort, httpsPort, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function startHttpClient(
  server: RunningServer,
  hosts: readonly string[],
  options: Parameters<typeof startClient>[2] = {},
): Promise<RunningClient> {
  return startClient(server.port, [], {
    tunnels: hosts.map((host) => ({ name: host, target: { host: '127.0.0.1', port: service.port }, http: { host } })),
    ...options,
  });
}

/** What a visitor of a host gets over TLS. */
async function visitSecurely(port: number, host: string, ca: string, path = '/'): Promise<string> {
  const sent = httpsRequest({
    host: '127.0.0.1',
    port,
    path,
    servername: host,
    headers: { Host: host },
    ca,
    agent: false,
  });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return text(answer);
}

async function visitPlainly(port: number, host: string, path = '/', method = 'GET'): Promise<IncomingMessage> {
  const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers: { Host: host }, agent: false });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer;
}

/** The names of the certificate for a hello, or what became of it. */
async function hello(port: number, servername: string, protocols: string[] = ['http/1.1']): Promise<string> {
  const socket = tlsConnect({
    host: '127.0.0.1',
    port,
    servername,
    rejectUnauthorized: false,
    ALPNProtocols: protocols,
  });
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subjectaltname);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

const isSecure = ({ tunnels }: ClientEvents['ready']): boolean => tunnels.every(({ url }) => url.startsWith('https:'));

const issuedTo = (host: string) => (event: { readonly host: string }) => event.host === host;

test('one for the own name at the start, one for each granted host, and a restart asks for nothing', SLOW, async () => {
  await using authority = await startAuthority();
  const identity = randomBytes(32);
  const began = Date.now();
  {
    await using server = await startAcmeServer(authority, { identity });
    await using client = await startHttpClient(server, ['shop']);
    // Up at once, without TLS.
    const [first] = client.log.all('ready');
    expect(first?.event.tunnels[0]?.urls?.map((url) => new URL(url).protocol)).toEqual(['http:', 'http:']);
    const { event } = await client.log.waitFor('ready', isSecure);
    expect(event.tunnels[0]?.urls?.[0]).toBe(`https://shop.${DOMAIN}:${server.httpsPort}`);
    expect(event.resumed).toBe(false);
    const root = await authority.root();
    expect(await visitSecurely(server.httpsPort, `shop.${DOMAIN}`, root, '/a')).toBe('GET /a');
    expect(Date.now() - began).toBeLessThan(10_000);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
    // The own name's is for links, and for names without one.
    await using link = await startClient(server.httpsPort, [service.port], {
      server: parseServerAddress(`wss://localhost:${server.httpsPort}`),
      verifyCertificate: false,
      serverKey: Buffer.from(server.server.serverKey, 'base64url'),
    });
    expect(link.ports).toHaveLength(1);
    expect(await hello(server.httpsPort, DOMAIN)).toBe(`DNS:${DOMAIN}`);
    expect(client.log.names.filter((name) => name !== 'ready')).toEqual([]);
  }
  expect(authority.issuedCount).toBe(2);
  const files = join(directory.path, 'acme');
  const found = (await readdir(files, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const modes = await Promise.all(found.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mode));
  // The account, the records and two certificates.
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o600, 0o600, 0o600, 0o600]);
  const orders = authority.orderCount;
  await using again = await startAcmeServer(authority, { identity });
  await using client = await startHttpClient(again, ['shop']);
  const [ready] = client.log.all('ready');
  expect(ready?.event.tunnels[0]?.url).toBe(`https://shop.${DOMAIN}:${again.httpsPort}`);
  expect(await visitSecurely(again.httpsPort, `shop.${DOMAIN}`, await authority.root())).toBe('GET /');
  expect(authority.orderCount).toBe(orders);
});

describe('where only one way leads here', () => {
  test.each(['http', 'tls'] as const)('it is proven by %s alone', SLOW, async (way) => {
    await using authority = await startAuthority();
    await using server = await startAcmeServer(authority, way === 'tls' ? { http: undefined } : {});
    // The own name was asked for at once, perhaps before this.
    authority[way === 'http' ? 'tls' : 'http'].leadTo(undefined);
    await using client = await startHttpClient(server, ['shop']);
    await client.log.waitFor('ready', isSecure);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
    expect(authority[way].count).toBeGreaterThan(0);
    expect(server.log.all('warning')).toEqual([]);
    expect(await visitSecurely(server.httpsPort, `shop.${DOMAIN}`, await authority.root())).toBe('GET /');
  });
});

test('names that nobody was granted get the own certificate, and are never asked for', SLOW, async () => {
  await using authority = await startAuthority();
  await using server = await startAcmeServer(authority);
  await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
  const orders = authority.orderCount;
  const shown = new Set<string>();
  for (let batch = 0; batch < 20; batch += 1) {
    const names = Array.from({ length: 50 }, (_, index) => `a${batch * 50 + index}.${DOMAIN}`);
    for (const names_ of await Promise.all(names.map((name) => hello(server.httpsPort, name)))) shown.add(names_);
  }
  expect([...shown]).toEqual([`DNS:${DOMAIN}`]);
  expect(await hello(server.httpsPort, DOMAIN, ['acme-tls/1'])).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  // One that is granted after them is the next that is asked for.
  await using client = await startHttpClient(server, ['shop']);
  await client.log.waitFor('ready', isSecure);
  expect(authority.orderCount).toBe(orders + 1);
});

test('a certificate is renewed in time, and nobody notices', SLOW, async () => {
  await using authority = await startAuthority({ lifeSeconds: 9 });
  await using server = await startAcmeServer(authority);
  await using client = await startHttpClient(server, ['shop']);
  await client.log.waitFor('ready', isSecure);
  const host = `shop.${DOMAIN}`;
  const { event } = await server.log.waitFor('certificate-issued', (each) => each.host === host && each.isRenewal);
  expect(Date.parse(event.validUntil)).toBeGreaterThan(Date.now());
  expect(client.log.names.filter((name) => name !== 'ready')).toEqual([]);
  expect(client.log.all('ready')).toHaveLength(2);
});

test('and at once where the clock says that it is due', SLOW, async () => {
  await using authority = await startAuthority();
  const identity = randomBytes(32);
  {
    await using server = await startAcmeServer(authority, { identity });
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
  }
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 61 * 86_400_000);
  try {
    await using server = await startAcmeServer(authority, { identity });
    const { event } = await server.log.waitFor('certificate-issued');
    expect(event).toMatchObject({ host: DOMAIN, isRenewal: true });
    // The authority's clock did not move: what it gives is as old, but is not asked for again.
    await using client = await startHttpClient(server, ['shop']);
    await client.log.waitFor('ready', isSecure);
    expect(authority.issuedCount).toBe(3);
  } finally {
    vi.restoreAllMocks();
  }
});

test('one client does not use up what others may have', SLOW, async () => {
  await using authority = await startAuthority();
  await using server = await startAcmeServer(authority);
  await using greedy = await startHttpClient(
    server,
    Array.from({ length: 8 }, (_, index) => `a${index}`),
  );
  const isOver = ({ code }: { readonly code: string }): boolean => code === 'certificate-limit';
  await server.log.waitFor('warning', isOver);
  await greedy.log.waitFor(
    'ready',
    ({ tunnels }) => tunnels.filter(({ url }) => url.startsWith('https:')).length === 5,
  );
  expect(server.log.all('warning').filter(({ event }) => isOver(event))).toHaveLength(3);
});

describe('an authority', () => {
  test('that refuses is told in its own words, and the tunnel stays', SLOW, async () => {
    await using authority = await startAuthority({ blocked: ['bad.example'] });
    await using server = await startAcmeServer(authority, { allowHosts: ['bad.example'] });
    await using client = await startHttpClient(server, ['bad.example']);
    const { event } = await server.log.waitFor('warning');
    expect(event.code).toBe('certificate-failed');
    expect(event.reason).toMatch(
      /^no certificate was issued: bad\.example: .*forbidden by policy.*; next attempt in [12] min$/i,
    );
    expect((await visitPlainly(server.httpPort, 'bad.example')).statusCode).toBe(200);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
    expect(client.log.names).toEqual(['ready']);
  });

  test('that does not find this server says so, and others are not kept waiting', SLOW, async () => {
    await using authority = await startAuthority();
    await using server = await startAcmeServer(authority);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
    authority.http.leadTo(undefined);
    await using lost = await startHttpClient(server, ['lost']);
    const { event } = await server.log.waitFor('warning');
    expect(event.reason).toMatch(/lost\.tunnel\.example\.org: .*(connection|reset|EOF|refused)/i);
    authority.http.leadTo(server.httpPort);
    await using client = await startHttpClient(server, ['shop']);
    await client.log.waitFor('ready', isSecure);
    expect(lost.log.names).toEqual(['ready']);
  });

  test('that is away, or answers nonsense, is told once, and asked again much later', SLOW, async () => {
    await using authority = await startAuthority();
    const certificates = readCertificates();
    const [cert, key] = [certificates.get('TEST_CERTIFICATE'), certificates.get('TEST_KEY')];
    let requests = 0;
    const nonsense = createHttpsServer({ cert, key }, (request, answer) => {
      requests += 1;
      request.resume();
      answer.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>Welcome</p>');
    });
    nonsense.listen(0, '127.0.0.1');
    await once(nonsense, 'listening');
    const { port } = nonsense.address() as AddressInfo;
    try {
      const acme = { directoryUrl: `https://localhost:${port}/dir` };
      await using server = await startAcmeServer(authority, { acme });
      await using client = await startHttpClient(server, ['shop']);
      const { event } = await server.log.waitFor('warning');
      expect(event).toMatchObject({ code: 'certificate-failed' });
      expect(event.reason).toContain('next attempt in');
      expect((await visitPlainly(server.httpPort, `shop.${DOMAIN}`)).statusCode).toBe(200);
      expect(client.log.names).toEqual(['ready']);
      expect(requests).toBeLessThan(5);
    } finally {
      nonsense.close();
      nonsense.closeAllConnections();
    }
    const closed = await freePort();
    await using server = await startAcmeServer(authority, {
      acme: { directoryUrl: `https://localhost:${closed}/dir`, directory: join(directory.path, 'other') },
    });
    const { event } = await server.log.waitFor('warning');
    expect(event.reason).toMatch(/the account: .*refused.*; next attempt in [12] min$/);
  });

  test('that limits rates is not asked before the time that it says', SLOW, async () => {
    await using authority = await startAuthority();
    await using limited = await startLimitedAuthority();
    await using server = await startAcmeServer(authority, { acme: { directoryUrl: limited.directoryUrl } });
    const { event } = await server.log.waitFor('warning');
    expect(event.reason).toContain('too many new accounts from this address; next attempt in 120 min');
    expect(limited.refusedCount).toBe(1);
  });

  test('that lost its accounts gets this one again', SLOW, async () => {
    await using authority = await startAuthority();
    await using server = await startAcmeServer(authority);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
    await authority.restart();
    await using client = await startHttpClient(server, ['shop']);
    const { event } = await server.log.waitFor('warning');
    expect(event.reason).toMatch(/account/i);
    await client.log.waitFor('ready');
  });
});

describe('visitors without TLS', () => {
  test('are sent to https once there is a certificate, with path and method', SLOW, async () => {
    await using authority = await startAuthority();
    await using server = await startAcmeServer(authority);
    await using client = await startHttpClient(server, ['shop']);
    await client.log.waitFor('ready', isSecure);
    const host = `shop.${DOMAIN}`;
    const answer = await visitPlainly(server.httpPort, host, '/a?b=c', 'POST');
    expect(answer.statusCode).toBe(308);
    expect(answer.headers.location).toBe(`https://${host}:${server.httpsPort}/a?b=c`);
    // The control port speaks what it spoke; names without a tunnel have nowhere to go.
    expect((await visitPlainly(server.port, host)).statusCode).toBe(200);
    expect((await visitPlainly(server.httpPort, `none.${DOMAIN}`)).statusCode).toBe(404);
    // Challenges of others are the service's.
    const path = '/.well-known/acme-challenge/token';
    expect((await visitPlainly(server.port, host, path)).statusCode).toBe(200);
  });

  test('stay where they are with redirect off, and behind a proxy that took TLS off', SLOW, async () => {
    await using authority = await startAuthority();
    const identity = randomBytes(32);
    for (const options of [{ redirect: false }, { trustedProxies: ['127.0.0.1'] }]) {
      await using server = await startAcmeServer(authority, { identity, ...options });
      await using client = await startHttpClient(server, ['shop']);
      await client.log.waitFor('ready', isSecure);
      expect((await visitPlainly(server.httpPort, `shop.${DOMAIN}`)).statusCode).toBe(200);
    }
  });
});

test('a damaged certificate on disk is set aside, and another one asked for', SLOW, async () => {
  await using authority = await startAuthority();
  {
    await using server = await startAcmeServer(authority);
    await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
  }
  const root = join(directory.path, 'acme');
  const files = await readdir(root, { recursive: true });
  const file = files.find((each) => each.endsWith(`${DOMAIN}.pem`)) ?? '';
  await writeFile(join(root, file), (await readFile(join(root, file), 'utf8')).slice(0, 400));
  await using server = await startAcmeServer(authority);
  const { event } = await server.log.waitFor('warning');
  expect(event.code).toBe('cache-damaged');
  expect(event.reason).toContain(`${file}.damaged`);
  await server.log.waitFor('certificate-issued', issuedTo(DOMAIN));
});

test('a server that stops in the middle of an order leaves nothing open', SLOW, async () => {
  await using authority = await startAuthority();
  await expectNothingLeftOpen(async () => {
    await using server = await startAcmeServer(authority);
    expect(server.log.all('certificate-issued')).toEqual([]);
  });
});

test('the command does all that, and says it', SLOW, async () => {
  await using authority = await startAuthority();
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  authority.http.leadTo(httpPort);
  authority.tls.leadTo(httpsPort);
  const env = { TUNNEL_SECRET: TEST_SECRET };
  const args = ['server', '--host', '127.0.0.1', '--port', '0', '--output', 'json', '--domain', DOMAIN];
  const ports = ['--http', String(httpPort), '--https', String(httpsPort)];
  const acme = ['--acme', 'me@example.org', '--acme-directory', authority.directoryUrl, '--acme-ca', authority.caFile];
  await using server = await startTunnel([...args, ...ports, ...acme], { env, home: directory.path });
  const { port } = await server.waitForEvent('listening');
  const to = ['--to', `127.0.0.1:${String(port)}`, '--output', 'json'];
  await using client = await startTunnel(['http', String(service.port), '--host', 'shop', ...to], { env });
  await server.waitForEvent('certificate-issued', ({ host }) => host === `shop.${DOMAIN}`);
  const ready = await client.waitForEvent('ready', (event) => JSON.stringify(event).includes('"url":"https:'));
  expect(ready).toMatchObject({ tunnels: [{ url: `https://shop.${DOMAIN}:${httpsPort}` }] });
  expect(await visitSecurely(httpsPort, `shop.${DOMAIN}`, await authority.root())).toBe('GET /');
});

/** An authority that has enough of new accounts. */
async function startLimitedAuthority(): Promise<
  { readonly directoryUrl: string; readonly refusedCount: number } & AsyncDisposable
> {
  const certificates = readCertificates();
  let refusedCount = 0;
  const server = createHttpsServer(
    { cert: certificates.get('TEST_CERTIFICATE'), key: certificates.get('TEST_KEY') },
    (request, answer) => {
      request.resume();
      const base = `https://localhost:${(server.address() as AddressInfo).port}`;
      answer.setHeader('Replay-Nonce', 'bm9uY2U');
      if (request.url === '/new-account') {
        refusedCount += 1;
        answer.writeHead(429, { 'Content-Type': 'application/problem+json', 'Retry-After': '7200' });
        const detail = 'too many new accounts from this address';
        answer.end(JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail }));
        return;
      }
      answer.writeHead(200, { 'Content-Type': 'application/json' });
      const [newNonce, newAccount, newOrder] = ['nonce', 'new-account', 'new-order'].map((name) => `${base}/${name}`);
      answer.end(request.method === 'HEAD' ? '' : JSON.stringify({ newNonce, newAccount, newOrder }));
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    directoryUrl: `https://localhost:${(server.address() as AddressInfo).port}/dir`,
    get refusedCount() {
      return refusedCount;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
