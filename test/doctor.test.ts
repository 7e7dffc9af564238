// `tunnel doctor`: prepared faults, each for real, with the step that fails and the one sentence of the verdict.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { Responder } from '@tunnel/shared';
import { encodeKey, generateIdentity, nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { startTunnel, type TunnelEvent, type TunnelOptions, type TunnelProcess } from './support/command.ts';
import { HANDSHAKE_HEADER, Middleman } from './support/middleman.ts';
import { TEST_SECRET } from './support/pair.ts';
import { freePort } from './support/program.ts';
import { httpReply } from './support/relay.ts';
import { startEcho, startSilent, startWebSocketEcho } from './support/services.ts';
import { TcpService } from './support/tcp-service.ts';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startClientProcess, startServerProcess } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

/** A port of this machine where nobody listens, and that is given to nobody. */
const CLOSED_PORT = 1;
const PROXY_PASSWORD = 'hidden-in-a-url';
const WRONG_SECRET = 'barley-barley-barley-barley';

interface Diagnosis {
  readonly steps: readonly TunnelEvent[];
  readonly verdict: TunnelEvent;
  readonly exitCode: number | null;
}

let server: TunnelProcess;
let to = '';
/** Of a client that has never been anywhere. */
let home: TemporaryDirectory;

beforeAll(async () => {
  home = await temporaryDirectory();
  const started = await startServerProcess(['--port', '0']);
  server = started.server;
  to = `127.0.0.1:${started.port}`;
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

async function diagnose(args: readonly string[], options: TunnelOptions = {}): Promise<Diagnosis> {
  const env = { TUNNEL_SECRET: TEST_SECRET, ...options.env };
  await using doctor = await startTunnel(['doctor', ...args, '--output', 'json'], { home: home.path, ...options, env });
  const { code } = await doctor.waitForExit();
  for (const secret of [TEST_SECRET, WRONG_SECRET, PROXY_PASSWORD]) {
    expect(doctor.stdout + doctor.stderr).not.toContain(secret);
  }
  const steps = doctor.events.filter(({ event }) => event === 'step');
  const verdict = doctor.events.at(-1);
  if (verdict?.event !== 'verdict') throw new Error(`no verdict: ${doctor.stdout}${doctor.stderr}`);
  expect(verdict['exitCode']).toBe(code);
  return { steps, verdict, exitCode: code };
}

/** The one step that failed, and what the sentence of the verdict says to do about it. */
function failureOf({ steps, verdict, exitCode }: Diagnosis): object {
  const [failed, ...others] = steps.filter(({ state }) => state === 'failed');
  expect(others).toEqual([]);
  const [, advice = `no failure: ${String(verdict['text'])}`] =
    /^it fails at the step "[^"]+": (.*)$/.exec(String(verdict['text'])) ?? [];
  return { step: failed?.['step'], code: failed?.['code'], exitCode, advice };
}

function findingOf({ steps }: Diagnosis, step: string): string {
  return String(steps.find((each) => each['step'] === step)?.['finding']);
}

/** Answers the first bytes of each connection. */
function answering(serve: (socket: Socket) => void): Promise<TcpService> {
  return TcpService.listen({}, (socket) => void socket.once('data', () => serve(socket)));
}

/** An HTTP proxy that does what it is asked for. */
async function startProxy(): Promise<{ readonly port: number } & AsyncDisposable> {
  const http = createHttpServer();
  const sockets = new Set<Duplex>();
  http.on('connect', ({ url = '' }, socket) => {
    const { hostname, port } = new URL(`tcp://${url}`);
    const target = connect(Number(port), hostname, () => socket.write('HTTP/1.1 200 Connected\r\n\r\n'));
    for (const each of [target, socket]) sockets.add(each.on('error', () => {}));
    socket.pipe(target).pipe(socket);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      http.close();
      await once(http, 'close');
    },
  };
}

describe('where all is well', () => {
  test('every step passes, down to the round trip through a public port', async () => {
    await using service = await startEcho();
    const { steps, verdict, exitCode } = await diagnose([`127.0.0.1:${service.port}`, '--to', to]);
    expect(steps.map(({ step, state }) => `${String(step)} ${String(state)}`)).toEqual(
      ['settings', 'files', 'clock', 'name', 'tcp', 'proxy', 'websocket', 'handshake', 'secret']
        .concat(['port', 'latency', 'visitor', 'service'])
        .map((step) => `${step} ok`),
    );
    expect(verdict).toMatchObject({ state: 'ok', code: null, exitCode: 0 });
    expect(verdict['text']).toMatch(/^all is well: a visitor's bytes go there and back in [\d.]+m?s$/);
    expect(exitCode).toBe(0);
    const diagnosis = { steps, verdict, exitCode };
    expect(findingOf(diagnosis, 'handshake')).toMatch(/server key [\da-f-]{19}, not known yet/);
    expect(findingOf(diagnosis, 'secret')).toMatch(/^accepted by tunnel\/\d/);
    expect(findingOf(diagnosis, 'visitor')).toContain('128 KiB there and back');
  });

  test('text is plain without a terminal', async () => {
    await using doctor = await startTunnel(['doctor', '--to', to], { env: { TUNNEL_SECRET: TEST_SECRET } });
    expect(await doctor.waitForExit()).toMatchObject({ code: 0 });
    expect(doctor.stdout).toMatch(/^ok {7}handshake +[\d.]+m?s {2}protocol 1, /m);
    expect(doctor.stdout).toMatch(/\n\nverdict: all is well: .*\n$/);
    expect(doctor.stdout).not.toContain('\u001b');
  });

  test('it finds the server of this machine by itself', async () => {
    const { verdict, steps } = await diagnose([], { home: server.home });
    expect(verdict).toMatchObject({ state: 'ok' });
    expect(steps[0]?.['finding']).toContain('found on this machine');
  });

  test('TLS and a proxy have steps of their own', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path);
    const ca = join(directory.path, 'ca.pem');
    await writeFile(ca, readCertificates().get('TEST_AUTHORITY') ?? '');
    const secure = await startServerProcess(['--port', '0', '--tls-cert', certFile, '--tls-key', keyFile]);
    await using _server = secure.server;
    await using proxy = await startProxy();
    const url = `http://me:${PROXY_PASSWORD}@127.0.0.1:${proxy.port}`;
    const diagnosis = await diagnose(['--to', `wss://localhost:${secure.port}`, '--ca', ca, '--proxy', url]);
    expect(diagnosis.verdict).toMatchObject({ state: 'ok' });
    expect(findingOf(diagnosis, 'proxy')).toBe(`http://127.0.0.1:${proxy.port} (--proxy) opened the way`);
    expect(findingOf(diagnosis, 'tls')).toMatch(
      /^TLSv1\.3, .*the certificate is for localhost, by tunnel test CA, until 2120/,
    );
  });

  test('a running tunnel of the same identity keeps its session, its visitor and its port', async () => {
    await using service = await startEcho();
    await using directory = await temporaryDirectory();
    const port = Number(to.split(':')[1]);
    const asOne = { home: directory.path };
    const client = await startClientProcess(port, service.port, [], asOne);
    await using _client = client;
    const publicPort = publicPortOf(await client.waitForEvent('ready'));
    await using visitor = await visit(publicPort);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);

    const { verdict } = await diagnose(['--to', to], asOne);
    expect(verdict).toMatchObject({ state: 'ok' });
    visitor.socket.write('again');
    await visitor.waitForBytes(10);
    expect(client.events.map(({ event }) => event)).toEqual(['ready']);
    client.kill();
    await client.waitForExit();
    expect((await diagnose(['--to', to], asOne)).verdict).toMatchObject({ state: 'ok' });
    await using next = await startClientProcess(port, service.port, [], asOne);
    expect(publicPortOf(await next.waitForEvent('ready'))).toBe(publicPort);
  });
});

describe('on this machine', () => {
  test('the local service is down', async () => {
    expect(failureOf(await diagnose([`127.0.0.1:${CLOSED_PORT}`, '--to', to]))).toEqual({
      step: 'service',
      code: 'service-unavailable',
      exitCode: 4,
      advice: 'start the service, or correct the target of the tunnel',
    });
  });

  test('cannot use the state directory', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'file'), '');
    expect(failureOf(await diagnose(['--to', to, '--state-dir', join(directory.path, 'file')]))).toEqual({
      step: 'files',
      code: 'state-unusable',
      exitCode: 2,
      advice: 'move away what is in its place, or give another directory with --state-dir',
    });
  });

  test('no server runs here and none was named', async () => {
    expect(failureOf(await diagnose([]))).toEqual({
      step: 'settings',
      code: 'server-not-found',
      exitCode: 2,
      advice: 'name the server with --to HOST, or start one here with `tunnel server`',
    });
  });

  test('others can read the key', async () => {
    await using directory = await temporaryDirectory();
    const identity = join(directory.path, 'key');
    await using keygen = await startTunnel(['keygen', identity]);
    await keygen.waitForExit();
    await chmod(identity, 0o644);
    const { verdict, exitCode } = await diagnose(['--to', to, '--identity', identity]);
    expect(exitCode).toBe(0);
    expect(verdict).toMatchObject({ state: 'warning' });
    expect(verdict['text']).toMatch(/^the tunnel works, and .*; a warning at "files": chmod 600 \S+\/key$/);
  });

  test('wrong usage is told as by every other command', async () => {
    await using doctor = await startTunnel(['doctor', '--to', 'http://tunnel.example.org']);
    expect(await doctor.waitForExit()).toMatchObject({ code: 2 });
    expect(doctor.stderr).toMatch(/^error: --to .*\nhint: /);
  });
});

describe('the way to the server', () => {
  test('an unknown host name', async () => {
    expect(failureOf(await diagnose(['--to', 'tunnel.example.invalid']))).toEqual({
      step: 'name',
      code: 'dns-failed',
      exitCode: 4,
      advice: 'correct the host name, or use an IP address instead',
    });
  });

  test('a port that refuses', async () => {
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${CLOSED_PORT}`]))).toEqual({
      step: 'tcp',
      code: 'tcp-refused',
      exitCode: 4,
      advice: 'check that `tunnel server` is running there, and that this is its port (default 7835)',
    });
  });

  test('a port that drops what comes, as behind a firewall', async () => {
    const listen = `const server = require('net').createServer();
      server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port))`;
    const child = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    const fillers: Socket[] = [];
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const port = Number(line.toString());
      child.kill('SIGSTOP');
      // The kernel accepts as many as the queue holds, and answers nobody after that.
      for (let count = 0; count < 8; count += 1) fillers.push(connect(port, '127.0.0.1').on('error', () => {}));
      expect(failureOf(await diagnose(['--to', `127.0.0.1:${port}`, '--connect-timeout', '1s']))).toEqual({
        step: 'tcp',
        code: 'tcp-timeout',
        exitCode: 4,
        advice:
          "check that this is the server's address, and that no firewall drops packets to its control port (default 7835)",
      });
    } finally {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  test('a web server that is no tunnel server', async () => {
    await using web = await answering((socket) => socket.end(httpReply(404)));
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${web.port}`]))).toEqual({
      step: 'websocket',
      code: 'upgrade-refused',
      exitCode: 4,
      advice: 'correct the path of the address, or have the reverse proxy pass it to the tunnel server',
    });
  });

  test('a redirection', async () => {
    const location = 'https://tunnel.example.org/login';
    await using web = await answering((socket) => socket.end(httpReply(301, { location })));
    const diagnosis = await diagnose(['--to', `127.0.0.1:${web.port}`]);
    expect(failureOf(diagnosis)).toEqual({
      step: 'websocket',
      code: 'upgrade-refused',
      exitCode: 4,
      advice: 'redirects are not followed: give the address it points to, as wss://host/path',
    });
    expect(findingOf(diagnosis, 'websocket')).toContain(location);
  });

  test('something that accepts and says nothing', async () => {
    await using silent = await startSilent();
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${silent.port}`, '--connect-timeout', '1s']))).toEqual({
      step: 'websocket',
      code: 'attempt-timeout',
      exitCode: 4,
      advice:
        'what accepts connections there does not answer: check address and port, and whether a proxy in between waits for a server that is down',
    });
  });

  test('no proxy where one should be', async () => {
    const url = `http://me:${PROXY_PASSWORD}@127.0.0.1:${CLOSED_PORT}`;
    expect(failureOf(await diagnose(['--to', 'tunnel.example.org', '--proxy', url]))).toEqual({
      step: 'proxy',
      code: 'proxy-unreachable',
      exitCode: 4,
      advice:
        "correct the proxy's address in --proxy or in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; or list the server in NO_PROXY to connect directly",
    });
  });

  test('a proxy that the environment has for TLS only, where the server is named without it', async () => {
    const env = { HTTPS_PROXY: 'http://proxy.lan:3128' };
    const diagnosis = await diagnose(['--to', 'tunnel.example.invalid'], { env });
    const advice = expect.stringMatching(/HTTPS_PROXY .*wss:\/\/.*--proxy.*NO_PROXY$/) as string;
    expect(failureOf(diagnosis)).toEqual({ step: 'name', code: 'dns-failed', exitCode: 4, advice });
    expect(findingOf(diagnosis, 'proxy')).toBe('none: HTTPS_PROXY is set, but that is for wss:// only');
  });

  test('a proxy that wants credentials', async () => {
    await using proxy = await answering((socket) => socket.end(httpReply(407)));
    const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` };
    expect(failureOf(await diagnose(['--to', 'tunnel.example.org'], { env }))).toEqual({
      step: 'proxy',
      code: 'proxy-auth-required',
      exitCode: 3,
      advice: "put the user name and password before the host in the proxy's URL: user:password@host:port",
    });
  });

  test.for([
    [
      'EXPIRED_CERTIFICATE',
      true,
      "renew the server's certificate; if it is a new one, set this machine's clock (`date` shows it)",
    ],
    [
      'TEST_CERTIFICATE',
      false,
      "give the issuer's certificate with --ca FILE, or have the server send its whole chain",
    ],
    [
      'OTHER_NAME_CERTIFICATE',
      true,
      "use the certificate's name for the server in --to, or get the server a certificate for this name",
    ],
  ] as const)('TLS: %s, its issuer known: %s', async ([name, isIssuerKnown, advice]) => {
    await using directory = await temporaryDirectory();
    const certificates = readCertificates();
    const [cert = '', key = ''] = [certificates.get(name), certificates.get('TEST_KEY')];
    await using secure = await TcpService.start(createTlsServer({ cert, key }), {});
    const ca = join(directory.path, 'ca.pem');
    await writeFile(ca, certificates.get('TEST_AUTHORITY') ?? '');
    const args = ['--to', `wss://127.0.0.1:${secure.port}`, ...(isIssuerKnown ? ['--ca', ca] : [])];
    expect(failureOf(await diagnose(args))).toEqual({ step: 'tls', code: 'tls-failed', exitCode: 4, advice });
  });

  test('ws to a port with TLS', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path);
    const secure = await startServerProcess(['--port', '0', '--tls-cert', certFile, '--tls-key', keyFile]);
    await using _server = secure.server;
    const { verdict } = await diagnose(['--to', `ws://127.0.0.1:${secure.port}`]);
    expect(verdict['text']).toMatch(/^it fails at the step "WebSocket": .*wss:\/\//);
    expect(verdict).toMatchObject({ exitCode: 4 });
  });

  test('wss to a port without TLS', async () => {
    expect(failureOf(await diagnose(['--to', `wss://${to}`]))).toEqual({
      step: 'tls',
      code: 'tls-failed',
      exitCode: 4,
      advice: 'use ws:// if the server has no TLS',
    });
  });
});

describe('the server', () => {
  test('another WebSocket server', async () => {
    await using other = await startWebSocketEcho();
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${other.port}`]))).toEqual({
      step: 'handshake',
      code: 'handshake-failed',
      exitCode: 4,
      advice:
        'correct the address if this is not a tunnel server; if it is, something in between changes the traffic: bypass it, or use wss://',
    });
  });

  test('a server that speaks no version in common', async () => {
    const { privateKey: s, publicKey } = generateIdentity();
    const http = createHttpServer();
    http.on('upgrade', ({ headers }, socket) => {
      const responder = new Responder({ crypto: nodeCrypto, s, e: randomBytes(32) });
      responder.readMessage1(Buffer.from(String(headers[HANDSHAKE_HEADER]), 'base64url'));
      const message2 = Buffer.from(responder.message2({ version: 0, features: 0 })).toString('base64url');
      socket.write(upgradeReply(String(headers['sec-websocket-key']), message2));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    try {
      const { port } = http.address() as AddressInfo;
      expect(failureOf(await diagnose(['--to', `127.0.0.1:${port}`, '--server-key', encodeKey(publicKey)]))).toEqual({
        step: 'handshake',
        code: 'version-unsupported',
        exitCode: 5,
        advice: 'install the same version on both sides',
      });
    } finally {
      http.closeAllConnections();
      http.close();
    }
  });

  test('a wrong secret', async () => {
    expect(failureOf(await diagnose(['--to', to], { env: { TUNNEL_SECRET: WRONG_SECRET } }))).toEqual({
      step: 'secret',
      code: 'secret-refused',
      exitCode: 3,
      advice:
        'use the secret of that server: it prints the client command when it starts on a terminal, and keeps the secret in `server/secret` in its state directory',
    });
  });

  test('a secret in quotation marks', async () => {
    const diagnosis = await diagnose(['--to', to], { env: { TUNNEL_SECRET: `"${WRONG_SECRET}"` } });
    expect(diagnosis.steps[0]).toMatchObject({
      step: 'settings',
      state: 'warning',
      finding: expect.stringContaining('the secret begins and ends with a quotation mark, which counts as part of it'),
    });
    expect(failureOf(diagnosis)).toMatchObject({
      code: 'secret-refused',
      advice: expect.stringMatching(/^the secret given here begins and ends with a quotation mark: /),
    });
  });

  test('a key that is not listed', async () => {
    await using directory = await temporaryDirectory();
    const keys = join(directory.path, 'keys');
    await writeFile(keys, `${encodeKey(generateIdentity().publicKey)}\n`);
    const { server: strict, port } = await startServerProcess([
      '--port',
      '0',
      '--authorized-keys',
      keys,
      '--require',
      'both',
    ]);
    await using _strict = strict;
    const { steps, verdict, exitCode } = await diagnose(['--to', `127.0.0.1:${port}`]);
    expect(steps.at(-1)).toMatchObject({ step: 'secret', state: 'failed', code: 'key-refused' });
    const [, publicKey = ''] = /public key is ([\w-]{43})/.exec(String(steps[0]?.['finding'])) ?? [];
    expect(verdict['text']).toBe(
      `it fails at the step "secret": check the secret; or leave it out if the server admits this client by its key: its admin then adds this line to the authorized keys: ${publicKey}`,
    );
    expect(exitCode).toBe(3);
  });

  test('a server with another key than the pinned one', async () => {
    const { server: first, port } = await startServerProcess(['--port', '0']);
    const args = ['--to', `127.0.0.1:${port}`];
    await using directory = await temporaryDirectory();
    const asOne = { home: directory.path };
    await using client = await startClientProcess(port, 3000, [], asOne);
    await client.waitForEvent('ready');
    client.kill();
    await client.waitForExit();
    await first[Symbol.asyncDispose]();
    const { server: second } = await startServerProcess(['--port', String(port)]);
    await using _second = second;
    const diagnosis = await diagnose(args, asOne);
    expect(failureOf(diagnosis)).toEqual({
      step: 'handshake',
      code: 'server-key-changed',
      exitCode: 3,
      advice:
        'if the server was really set up again, remove the pin file named above and start this client again, or give the new key with --server-key',
    });
    expect(findingOf(diagnosis, 'handshake')).toContain('client/pins/');
  });

  test('a link that is silent after the handshake', async () => {
    await using middleman = await Middleman.start(Number(to.split(':')[1]));
    middleman.toClient = () => undefined;
    const advice =
      'something in between lets the handshake through and holds back what follows: have it pass WebSocket messages on at once, or go around it with wss://';
    const args = ['--to', `127.0.0.1:${middleman.port}`];
    expect(failureOf(await diagnose([...args, '--connect-timeout', '3s']))).toEqual({
      step: 'secret',
      code: 'attempt-timeout',
      exitCode: 4,
      advice,
    });
    middleman.toClient = (message, index) => (index === 0 ? message : undefined);
    const { verdict, exitCode } = await diagnose([...args, '--heartbeat-timeout', '1s']);
    expect(verdict['text']).toMatch(/^it fails at the step "(?:public port|latency)": /);
    expect(String(verdict['text']).endsWith(advice)).toBe(true);
    expect([verdict['code'], exitCode]).toEqual(['heartbeat-timeout', 4]);
  });
});

describe('the way back', () => {
  test('a public port that is blocked is a warning: the network here may not lead back to its own address', async () => {
    const args = ['--port', '0', '--tunnel-host', '127.0.0.1', '--public-host', '127.0.0.2'];
    const { server: hidden, port } = await startServerProcess(args);
    await using _hidden = hidden;
    const { steps, verdict, exitCode } = await diagnose(['--to', `127.0.0.1:${port}`]);
    expect(steps.at(-1)).toMatchObject({ step: 'visitor', state: 'warning', code: 'public-port-unreachable' });
    expect(verdict).toMatchObject({ state: 'warning', code: 'public-port-unreachable' });
    expect(verdict['text']).toBe(
      'the tunnel works; a warning at "way back": open the public ports (--min-port to --max-port) in the server\'s firewall, and try from another network: some do not route back to their own address',
    );
    expect(exitCode).toBe(0);
  });

  test('something else that answers at the public address', async () => {
    const range = String(await freePort());
    await using _other = await TcpService.listen({ host: '127.0.0.2', port: Number(range) }, (socket) => {
      socket.once('data', () => socket.end(httpReply(400)));
    });
    const args = ['--tunnel-host', '127.0.0.1', '--public-host', '127.0.0.2', '--min-port', range, '--max-port', range];
    const { server: hidden, port } = await startServerProcess(['--port', '0', ...args]);
    await using _hidden = hidden;
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${port}`]))).toEqual({
      step: 'visitor',
      code: 'public-way-failed',
      exitCode: 4,
      advice: 'check that the public address leads to this server, and that nothing else answers there',
    });
  });

  test('a server without a free public port', async () => {
    await using other = await startEcho();
    const range = ['--min-port', String(other.port), '--max-port', String(other.port)];
    const { server: full, port } = await startServerProcess(['--port', '0', ...range]);
    await using _full = full;
    expect(failureOf(await diagnose(['--to', `127.0.0.1:${port}`]))).toEqual({
      step: 'port',
      code: 'port-unavailable',
      exitCode: 5,
      advice: 'fix the cause at the server; if no port is free, widen the range there (--min-port, --max-port)',
    });
  });
});

/** RFC 6455, section 4.2.2. */
function upgradeReply(key: string, message2: string): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `${HANDSHAKE_HEADER}: ${message2}`,
    '\r\n',
  ].join('\r\n');
}
