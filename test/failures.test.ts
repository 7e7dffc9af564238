// Produces every failure of failure-transcripts.md with the built command, and compares what it prints.
// After a change of a text: npx vitest run test/failures --update
import { generateKeyPairSync } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { ADVICE_BY_CODE } from '@tunnel/cli';
import { ERRORS } from '@tunnel/shared';
import { encodeKey, formatIdentity, generateIdentity } from '@tunnel/shared/node';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import type { TunnelOptions, TunnelProcess } from './support/command.ts';
import { failureSections, withLines } from './support/failure-document.ts';
import { FailureScene, type Seen } from './support/failure-scene.ts';
import { Middleman } from './support/middleman.ts';
import { requireLauncher } from './support/program.ts';
import { httpReply, type Relay, startRelay } from './support/relay.ts';
import { startEcho, startSilent, startWebSocketEcho } from './support/services.ts';
import { TcpService } from './support/tcp-service.ts';
import { publicPortOf } from './support/tunnel-processes.ts';
import { answerTo, visit } from './support/visitor.ts';

const TRANSCRIPTS = join(import.meta.dirname, 'failure-transcripts.md');

const SECRET = 'sesame-sesame-sesame-sesame';
const WRONG_SECRET = 'barley-barley-barley-barley';
const withSecret: TunnelOptions = { env: { TUNNEL_SECRET: SECRET } };

/** A first failed attempt, with what to do. */
const FIRST_RETRY = /^.* attempt 1 failed.*\n +hint: .*$/m;
const TRIES_AGAIN = 'It tries again.';
const GOES_ON = 'It goes on.';

/** A port of this machine where nobody listens, and that is given to nobody. */
const CLOSED_PORT = 1;

/** For all scenes: what must be printed nowhere. */
const secrets = new Set<string>([SECRET, WRONG_SECRET, 'me:hidden']);
const outputs = new Map<string, string>();
const seen = new Map<string, Seen>();

/** A server that many scenes share; each client has a key of its own. */
let shared: FailureScene;
let sharedPort = 0;

beforeAll(async () => {
  shared = await FailureScene.create();
  ({ port: sharedPort } = await startServer(shared, ['--min-port', '20000']));
});

afterAll(async () => {
  await shared[Symbol.asyncDispose]();
});

type Act = (scene: FailureScene, context: TestContext) => Promise<Seen>;

/** What a person did or met, by the name of its section in failure-transcripts.md. */
const FAILURES: Readonly<Record<string, Act>> = {
  // ── the command line ──
  'unknown-flag': (scene) => scene.ends(['local', '3000', '--prot', '8001']),
  'bad-address': (scene) => scene.ends(['local', '3000', '--to', 'http://tunnel.example.org']),
  'bad-value': (scene) => scene.ends(['local', '3000', '--connect-timeout', '10x']),
  'bad-variable': (scene) => scene.ends(['server'], { env: { TUNNEL_PORT: '78355' } }),
  'mistyped-key': (scene) => scene.ends(['local', '3000', '--to', '127.0.0.1', '--server-key', 'abc']),
  'no-secret': (scene) => scene.ends(['local', '3000', '--to', '127.0.0.1:1']),
  'secret-file-missing': (scene) => scene.ends(['server', '--secret-file', '/nowhere/secret']),
  'secret-file-empty': async (scene) => {
    const file = join(scene.home, 'empty');
    await writeFile(file, '\n');
    return scene.ends(['local', '3000', '--to', '127.0.0.1', '--secret-file', file]);
  },
  'secret-file-utf16': async (scene) => {
    const file = join(scene.home, 'secret');
    await writeFile(file, `\uFEFF${SECRET}\r\n`, 'utf16le');
    return scene.ends(['local', '3000', '--to', '127.0.0.1', '--secret-file', file]);
  },
  'ca-file-useless': async (scene) => {
    const file = join(scene.home, 'ca.pem');
    await writeFile(file, 'no certificate\n');
    return scene.ends(['local', '3000', '--to', 'wss://127.0.0.1', '--ca', file], withSecret);
  },
  'bad-proxy': (scene) => scene.ends(['local', '3000', '--to', '127.0.0.1', '--proxy', 'ftp://me:hidden@proxy.lan']),
  'tls-key-not-given': (scene) => scene.ends(['server', '--tls-cert', '/etc/tunnel/fullchain.pem']),
  'tls-cert-missing': (scene) =>
    scene.ends(['server', '--port', '0', '--tls-cert', '/nowhere/cert.pem', '--tls-key', '/nowhere/key.pem']),
  'tls-key-of-another': async (scene) => {
    const { certFile, keyFile } = await certificateFiles(scene.home);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return scene.ends(['server', '--port', '0', '--tls-cert', certFile, '--tls-key', keyFile]);
  },
  'tls-cert-spoiled': async (scene) => {
    const { certFile, keyFile } = await certificateFiles(scene.home);
    const args = ['server', '--host', '127.0.0.1', '--port', '0', '--tls-cert', certFile, '--tls-key', keyFile];
    const server = await scene.startOnTerminal(args, withSecret);
    await server.waitForStdout(/Ctrl-C ends/);
    await writeFile(certFile, 'half a certi');
    const [told] = await server.waitForStdout(/^.* warning: .*$/m);
    return scene.excerpt(told, GOES_ON);
  },
  'no-server-here': (scene) => scene.ends(['local', '3000']),
  'config-mistyped': async (scene) => {
    const file = join(scene.home, '.config/tunnel/config.toml');
    await put(
      file,
      `[client]\nto = "tunnel.example.org"\nsecrt = "${SECRET}"\n[tunnels.web]\ntarget = 3000\nport = "http"\n`,
    );
    return scene.ends(['run']);
  },
  'config-no-toml': async (scene) => {
    await put(join(scene.home, '.config/tunnel/config.toml'), `[client]\nsecret = ${SECRET}\n`);
    return scene.ends(['local', '3000']);
  },
  'config-of-another-program': async (scene) => {
    await put(join(scene.home, 'frpc.toml'), 'serverAddr = "tunnel.example.org"\n[[proxies]]\nname = "ssh"\n');
    return scene.ends(['run', '--config', 'frpc.toml']);
  },
  'config-list-of-tunnels': async (scene) => {
    await put(join(scene.home, 'tunnel.toml'), '[[tunnels]]\nname = "web"\ntarget = 3000\n');
    return scene.ends(['run', '--config', 'tunnel.toml']);
  },
  'config-missing': (scene) => scene.ends(['run']),
  'config-not-named': async (scene) => {
    await put(join(scene.home, 'tunnel.toml'), '[tunnels.web]\ntarget = 3000\n');
    return scene.ends(['run', 'wep', '--config', 'tunnel.toml']);
  },
  'key-file-exists': async (scene) => {
    await writeFile(join(scene.home, 'laptop.key'), 'something');
    return scene.ends(['keygen', 'laptop.key']);
  },

  // ── files ──
  'state-is-a-file': async (scene) => {
    const file = join(scene.home, 'state');
    await writeFile(file, '');
    return scene.ends(['server', '--port', '0', '--state-dir', file]);
  },
  'state-not-permitted': async (scene, context) => {
    const launcher = withoutPrivileges(context);
    const directory = join(scene.home, 'state');
    await mkdir(directory);
    await chmod(directory, 0o555);
    return scene.ends(['server', '--port', '0', '--state-dir', directory], { launcher });
  },
  'state-foreign': async (scene, context) => {
    if (process.getuid?.() !== 0) context.skip('only root can give files away');
    const directory = join(scene.home, 'state');
    await mkdir(directory);
    await chown(directory, 54_321, 54_321);
    return scene.ends(['server', '--port', '0', '--state-dir', directory]);
  },
  'secret-readable': async (scene) => {
    const file = join(scene.home, 'secret');
    await writeFile(file, `${SECRET}\n`);
    await chmod(file, 0o644);
    const server = await scene.startOnTerminal(['server', '--port', '0', '--secret-file', file]);
    const [told] = await server.waitForStderr(/^warning: .*\nhint: .*$/m);
    return scene.excerpt(told, GOES_ON);
  },
  'disk-full': async (scene, context) => {
    const launcher = await onFullDisk(context, scene.state());
    return scene.ends(['server', '--port', '0'], { launcher });
  },
  'file-too-large': (scene) => {
    const launcher = ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh'];
    return scene.ends(['server', '--port', '0'], { launcher });
  },
  'state-read-only': async (scene, context) => {
    const launcher = await onReadOnlyHome(context, scene.home);
    return scene.ends(['server', '--port', '0'], { launcher });
  },
  'server-twice': async (scene) => {
    const { port } = await startServer(scene);
    return scene.ends(['server', '--host', '127.0.0.1', '--port', String(scene.call('port', port))]);
  },
  'state-locked': async (scene) => {
    await startServer(scene);
    return scene.ends(['server', '--port', '0']);
  },
  'identity-damaged': async (scene) => {
    // As long as a key, and no key.
    await put(scene.state('server/identity'), `# a comment\n${'x'.repeat(42)}!\n`);
    secrets.add(`${'x'.repeat(42)}!`);
    return scene.ends(['server', '--port', '0']);
  },
  'secret-damaged': async (scene) => {
    await put(scene.state('server/secret'), '\n');
    return scene.ends(['server', '--port', '0']);
  },
  'pin-damaged': async (scene) => {
    scene.call('port', sharedPort);
    const args = ['local', '3000', '--to', `127.0.0.1:${sharedPort}`];
    const file = await pinnedBy(scene, args);
    const pin = await readFile(file, 'utf8');
    await writeFile(file, pin.replace(/^key ./m, 'key '));
    const result = await scene.ends(args, withSecret);
    expect(await readFile(file, 'utf8')).toBe(pin.replace(/^key ./m, 'key '));
    return result;
  },
  'leases-damaged': async (scene) => {
    const file = scene.state('server/leases.json');
    await put(file, '[{"port": 80');
    const result = await scene.tells(['server', '--port', '0'], /^.* warning: .*$/m, GOES_ON, {
      env: { TUNNEL_SECRET: SECRET },
    });
    expect(await readFile(`${file}.damaged`, 'utf8')).toBe('[{"port": 80');
    return result;
  },
  'ports-damaged': async (scene) => {
    const file = scene.state('client/ports.json');
    await put(file, '{}');
    const args = ['local', '3000', '3001', '--to', `127.0.0.1:${scene.call('port', sharedPort)}`];
    const client = await scene.startOnTerminal(args, withSecret);
    await client.waitForStdout(/ connected; .*\n/);
    const warnings = client.stdout.split('\n').filter((line) => line.includes('warning: '));
    expect(warnings).toHaveLength(1);
    expect(await readFile(`${file}.damaged`, 'utf8')).toBe('{}');
    client.kill('SIGINT');
    await client.waitForExit();
    expect(JSON.parse(await readFile(file, 'utf8'))).toHaveLength(2);
    return { lines: scene.excerpt(warnings.join('\n'), '').lines, outcome: GOES_ON };
  },
  'running-file-damaged': async (scene) => {
    await put(scene.state('server/running.json'), '{"port":');
    return scene.ends(['local', '3000']);
  },
  'status-not-shown': async (scene) => {
    await put(scene.state('client/control'), '');
    const args = ['local', '3000', '--to', `127.0.0.1:${scene.call('port', sharedPort)}`];
    const client = await scene.startOnTerminal(args, withSecret);
    const [told] = await client.waitForStderr(/^warning: .*\nhint: .*$/m);
    await client.waitForStdout(/ connected; /);
    return scene.excerpt(told, GOES_ON);
  },

  'keys-line-wrong': async (scene) => {
    await put(join(scene.home, 'keys'), '# ours\nprots="8000-8010" nonsense laptop\n');
    return scene.ends(['server', '--port', '0', '--authorized-keys', 'keys']);
  },
  'keys-line-wrong-later': async (scene) => {
    const { list } = await keyScene(scene, '');
    const words = ['server', '--host', '127.0.0.1', '--port', '0', '--authorized-keys', 'keys'];
    const server = await scene.startOnTerminal([...words, '--state-dir', join(scene.home, 'other')]);
    await server.waitForStdout(/Ctrl-C ends/);
    await list('tunnels=many nonsense');
    const [told] = await server.waitForStdout(/^.* warning: .*$/m);
    return scene.excerpt(told, GOES_ON);
  },
  'keys-missing': (scene) => scene.ends(['server', '--require', 'key']),

  // ── the server cannot listen ──
  'listen-in-use': async (scene) => {
    const other = scene.own(await startEcho());
    return scene.ends(['server', '--host', '127.0.0.1', '--port', String(scene.call('port', other.port))]);
  },
  'listen-denied': async (scene, context) => {
    const launcher = withoutPrivileges(context);
    await requirePrivilegedPorts(context);
    return scene.ends(['server', '--host', '127.0.0.1', '--port', '80'], { launcher });
  },
  'listen-failed': (scene) => scene.ends(['server', '--host', '192.0.2.1', '--port', '7835']),

  // ── the way to the server ──
  'name-not-found': async (scene, context) => {
    const result = await retries(scene, ['--to', 'tunnel.example.invalid']);
    if (scene.output.includes('EAI_AGAIN')) context.skip('no name server answers here');
    return result;
  },
  'connection-refused': (scene) => retries(scene, ['--to', `127.0.0.1:${CLOSED_PORT}`]),
  'still-refused': async (scene) => {
    const args = ['local', '3000', '--to', `127.0.0.1:${CLOSED_PORT}`];
    const client = await scene.startOnTerminal(args, withSecret);
    const [told] = await client.waitForStdout(/^.* attempt \d+ failed: .* \(no link for .*$/m, 20_000);
    return { lines: scene.excerpt(told.replace(/attempt \d+/, 'attempt <number>'), '').lines, outcome: TRIES_AGAIN };
  },
  'status-while-down': async (scene) => {
    const args = ['local', '3000', '--to', `127.0.0.1:${CLOSED_PORT}`];
    const client = await scene.startOnTerminal(args, withSecret);
    // A wait that is longer than it takes to ask.
    await client.waitForStdout(/next in (?:[3-9]|\d\d)[\d.]*s/, 25_000);
    const { lines } = await scene.ends(['status']);
    return { lines: lines.map((line) => line.replace(/\(attempt \d+\)/, '(attempt <number>)')), outcome: TRIES_AGAIN };
  },
  'connection-refused-once': (scene) =>
    scene.ends(['local', '3000', '--no-reconnect', '--to', `127.0.0.1:${CLOSED_PORT}`], withSecret),
  'network-down': (scene, context) => {
    const launcher = ['unshare', '--user', '--map-root-user', '--net'];
    requireLauncher(context, launcher);
    return retries(scene, ['--to', '192.0.2.1'], { launcher });
  },
  'no-answer': async (scene) => {
    const { port } = scene.own(await startSilent());
    return retries(scene, ['--to', `127.0.0.1:${scene.call('port', port)}`, '--connect-timeout', '500ms']);
  },
  'not-http': (scene) => answered(scene, (socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')),
  'closed-at-once': (scene) => answered(scene, (socket) => socket.resume().end()),
  'wrong-path': (scene) => answered(scene, (socket) => socket.end(httpReply(404))),
  'server-behind-proxy-down': (scene) => answered(scene, (socket) => socket.end(httpReply(502))),
  'access-denied': (scene) => answered(scene, (socket) => socket.end(httpReply(403))),
  redirected: (scene) =>
    answered(scene, (socket) => socket.end(httpReply(301, { location: 'https://tunnel.example.org/login' }))),
  'another-websocket': async (scene) => {
    const { port } = scene.own(await startWebSocketEcho());
    return retries(scene, ['--to', `127.0.0.1:${scene.call('port', port)}`]);
  },
  'changed-on-the-way': async (scene) => {
    const middleman = scene.own(await Middleman.start(sharedPort));
    middleman.toClient = flipped;
    return retries(scene, ['--to', `127.0.0.1:${scene.call('port', middleman.port)}`]);
  },
  'tls-unknown-issuer': (scene) => overTls(scene, 'TEST_CERTIFICATE', false),
  'tls-self-signed': (scene) => overTls(scene, 'SELF_SIGNED_CERTIFICATE', false),
  'tls-not-yet-valid': (scene) => overTls(scene, 'NOT_YET_VALID_CERTIFICATE', true, 'NOT_YET_VALID_CERTIFICATE'),
  'tls-expired': (scene) => overTls(scene, 'EXPIRED_CERTIFICATE', true),
  'tls-other-name': (scene) => overTls(scene, 'OTHER_NAME_CERTIFICATE', true),
  'no-tls-there': (scene) => retries(scene, ['--to', `wss://127.0.0.1:${scene.call('port', sharedPort)}`]),

  'tls-there': async (scene) => {
    const { certFile, keyFile } = await certificateFiles(scene.home);
    const { port } = await startServer(scene, ['--tls-cert', certFile, '--tls-key', keyFile]);
    return retries(scene, ['--to', `ws://127.0.0.1:${scene.call('port', port)}`]);
  },

  // ── through a proxy ──
  'proxy-not-there': (scene) => retries(scene, ['--to', '192.0.2.1', '--proxy', `http://127.0.0.1:${CLOSED_PORT}`]),
  'proxy-for-tls-only': (scene, context) => {
    const launcher = ['unshare', '--user', '--map-root-user', '--net'];
    requireLauncher(context, launcher);
    return retries(scene, ['--to', '192.0.2.1'], { launcher, env: { HTTPS_PROXY: 'http://proxy.lan:3128' } });
  },
  'proxy-wants-credentials': (scene) => proxied(scene, 'http', (socket) => socket.end(httpReply(407)), ''),
  'proxy-refuses-credentials': (scene) => proxied(scene, 'http', (socket) => socket.end(httpReply(407)), 'me:hidden@'),
  'proxy-knows-no-basic': (scene) =>
    proxied(scene, 'http', (socket) => socket.end(httpReply(407, { 'proxy-authenticate': 'NTLM' })), ''),
  'proxy-refuses': (scene) => proxied(scene, 'http', (socket) => socket.end(httpReply(403))),
  'proxy-does-not-reach': (scene) => proxied(scene, 'http', (socket) => socket.end(httpReply(502))),
  'no-proxy-there': (scene) => proxied(scene, 'http', (socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')),
  'socks-wants-credentials': (scene) => proxied(scene, 'socks5h', (socket) => socket.end(Buffer.of(5, 255)), ''),
  'socks-is-http': (scene) => proxied(scene, 'socks5h', (socket) => socket.end(httpReply(400))),
  'socks-does-not-reach': (scene) =>
    proxied(scene, 'socks5h', (socket) => {
      socket.write(Buffer.of(5, 0));
      socket.once('data', () => socket.end(Buffer.of(5, 4, 0, 1, 0, 0, 0, 0, 0, 0)));
    }),

  // ── who is who ──
  'wrong-secret': (scene) =>
    scene.ends(['local', '3000', '--to', `127.0.0.1:${scene.call('port', sharedPort)}`], {
      env: { TUNNEL_SECRET: WRONG_SECRET },
    }),
  'secret-in-quotes': async (scene) => {
    const file = join(scene.home, 'secret');
    await writeFile(file, `"${SECRET}"\n`, { mode: 0o600 });
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    return scene.ends(['local', '3000', '--to', to, '--secret-file', file]);
  },
  'wrong-secret-at-the-server': async (scene) => {
    scene.call('port', sharedPort);
    const server = await scene.startOnTerminal(['server', '--host', '127.0.0.1', '--port', '0'], withSecret);
    const [, port = ''] = await server.waitForStdout(/listens on 127\.0\.0\.1:(\d+)/);
    const args = ['local', '3000', '--to', `127.0.0.1:${port}`, '--state-dir', join(scene.home, 'other')];
    await (await scene.start(args, { env: { TUNNEL_SECRET: WRONG_SECRET } })).waitForExit();
    const [told, peer = ''] = await server.waitForStdout(/^.* refused 127\.0\.0\.1:(\d+).*$/m);
    scene.call('port', peer);
    return scene.excerpt(told, GOES_ON);
  },
  'key-not-listed': async (scene) => {
    const { local } = await keyScene(scene, '');
    return scene.ends(local);
  },
  'neither-key-nor-secret': async (scene) => {
    const { local } = await keyScene(scene, '', withSecret);
    return scene.ends(local, { env: { TUNNEL_SECRET: WRONG_SECRET } });
  },
  'key-taken-out': async (scene) => {
    const { local, list, publicKey } = await keyScene(scene, '<key>');
    const client = await scene.startOnTerminal(local);
    await client.waitForStdout(/ connected; /);
    await list(`# ${publicKey}`);
    const { code } = await client.waitForExit();
    return scene.excerpt(client.stdout.replace(/^[^]*connected; .*\n/, '') + client.stderr, `Exit code ${code}.`);
  },
  'server-key-changed': async (scene) => {
    const { server, port } = await startServer(scene);
    scene.call('port', port);
    const args = ['local', '3000', '--to', `127.0.0.1:${port}`];
    const state = ['--state-dir', join(scene.home, 'client')];
    await pinnedBy(scene, [...args, ...state]);
    await replaceServer(scene, server, port);
    return scene.ends([...args, ...state], withSecret);
  },
  'server-key-changed-later': async (scene) => {
    const { server, port } = await startServer(scene);
    scene.call('port', port);
    const args = ['local', '3000', '--to', `127.0.0.1:${port}`, '--max-reconnect-delay', '300ms'];
    const client = await scene.startOnTerminal([...args, '--state-dir', join(scene.home, 'client')], withSecret);
    await client.waitForStdout(/ connected; /);
    await replaceServer(scene, server, port);
    const [told] = await client.waitForStdout(
      /^.* attempt \d+ failed: the server's identity key has changed.*\n +hint: .*$/m,
    );
    return briefly(scene.excerpt(told.replace(/attempt \d+/, 'attempt <number>'), TRIES_AGAIN));
  },
  'other-server-key': (scene) => {
    const key = scene.call('public key', encodeKey(generateIdentity().publicKey));
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    return scene.ends(['local', '3000', '--to', to, '--server-key', key], withSecret);
  },
  'secret-exposed': async (scene) => {
    const secret = 'short';
    const client = await scene.startOnTerminal(['local', '3000', '--to', '127.0.0.1:1', '--secret', secret]);
    const [told] = await client.waitForStderr(/(?:warning: .*\nhint: .*\n){2}/);
    return scene.excerpt(told, GOES_ON);
  },

  // ── what was asked for ──
  'port-not-allowed': (scene) =>
    scene.ends(['local', '3000', '--port', '80', '--to', `127.0.0.1:${scene.call('port', sharedPort)}`], withSecret),
  'port-not-for-this-key': async (scene) => {
    const { local } = await keyScene(scene, 'ports="20000-20009,20080" <key>');
    return scene.ends([...local, '--port', '8080']);
  },
  'tunnels-of-this-key': async (scene) => {
    const { local } = await keyScene(scene, 'tunnels=1 <key>');
    return scene.ends([...local, '3001']);
  },
  'port-of-another-client': async (scene) => {
    const publicPort = await openTunnel(shared, sharedPort);
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    return scene.ends(
      ['local', '3000', '--port', String(scene.call('public port', publicPort)), '--to', to],
      withSecret,
    );
  },
  'second-terminal': async (scene) => {
    const publicPort = await openTunnel(scene, sharedPort);
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    return scene.ends(
      ['local', '3000', '--port', String(scene.call('public port', publicPort)), '--to', to],
      withSecret,
    );
  },
  'port-of-another-program': async (scene) => {
    const other = scene.own(await listenAbove(20_000));
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    const asked = scene.call('public port', other.port);
    return scene.ends(['local', '3000', '--port', String(asked), '--to', to], withSecret);
  },
  'no-free-port': async (scene) => {
    const other = scene.own(await listenAbove(20_000));
    const range = String(scene.call('public port', other.port));
    const { port } = await startServer(scene, ['--min-port', range, '--max-port', range]);
    return retries(scene, ['--to', `127.0.0.1:${scene.call('port', port)}`]);
  },
  'too-many-tunnels': async (scene) => {
    const targets = Array.from({ length: 1025 }, (_, index) => String(10_000 + index));
    const to = `127.0.0.1:${scene.call('port', sharedPort)}`;
    const { lines, outcome } = await scene.ends(['local', ...targets, '--to', to], withSecret);
    return { lines: lines.map((line) => line.replace(/10001 .* 11024/, '10001 … 11024')), outcome };
  },

  // ── links that break ──
  'server-stopped': async (scene) => {
    const { client, server } = await connected(scene);
    server.kill('SIGTERM');
    return broken(scene, client, false);
  },
  'server-killed': async (scene) => {
    const { client, server } = await connected(scene);
    server.kill('SIGKILL');
    return broken(scene, client);
  },
  silence: async (scene) => {
    const { client, relay } = await connected(scene, ['--heartbeat-timeout', '500ms', '--connect-timeout', '500ms']);
    relay.silence({ future: true });
    return broken(scene, client);
  },
  'server-restarted': async (scene) => {
    const echo = scene.own(await startEcho());
    const { client, server, port, relay } = await connected(scene, ['--max-reconnect-delay', '300ms'], echo.port);
    const visitor = scene.own(await visit(port));
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    server.kill('SIGKILL');
    await server.exit;
    const { port: nextPort } = await startServer(scene);
    relay.retarget(nextPort);
    const [told] = await client.waitForStdout(/^.* connected again.*$/m);
    return scene.excerpt(told, GOES_ON);
  },

  // ── the local service ──
  'service-down': async (scene) => {
    const client = await scene.startOnTerminal(
      ['local', String(CLOSED_PORT), '--local-host', '127.0.0.1', '--to', `127.0.0.1:${sharedPort}`],
      withSecret,
    );
    const [, port] = await client.waitForStdout(/^tcp:\/\/127\.0\.0\.1:(\d+)/m);
    await client.waitForStdout(/ connected; /);
    scene.own(await visit(Number(port)));
    const [told] = await client.waitForStdout(/^.* does not accept connections.*\n +hint: .*$/m);
    return scene.excerpt(told, GOES_ON);
  },
  'visitors-kept-out': async (scene) => {
    const args = ['local', '3000', '--deny', '127.0.0.1', '--to', `127.0.0.1:${sharedPort}`];
    const client = await scene.startOnTerminal(args, withSecret);
    const [, port] = await client.waitForStdout(/^tcp:\/\/127\.0\.0\.1:(\d+)/m);
    await client.waitForStdout(/ connected; /);
    expect(await answerTo(Number(port), 'hello')).toBe('ECONNRESET');
    const [told] = await client.waitForStdout(/^.* kept out .*$/m);
    return scene.excerpt(told, GOES_ON);
  },

  // ── asking ──
  'nothing-runs': (scene) => scene.ends(['status']),
  'client-hangs': async (scene) => {
    const client = await scene.start(
      ['local', '3000', '--to', `127.0.0.1:${sharedPort}`, '--output', 'json'],
      withSecret,
    );
    await client.waitForEvent('ready');
    client.kill('SIGSTOP');
    return scene.ends(['status']);
  },
};

describe.concurrent('a failure is reported as failure-transcripts.md says', { timeout: 60_000 }, () => {
  test.for(Object.entries(FAILURES))('%s', async ([id, act], context) => {
    await using scene = await FailureScene.create();
    try {
      const told = await act(scene, context);
      expect(told.lines.join('')).not.toBe('');
      seen.set(id, told);
    } finally {
      outputs.set(id, scene.output);
      for (const secret of scene.secretsOnDisk) secrets.add(secret);
    }
  });
});

test('failure-transcripts.md has every failure, with the lines that the program printed just now', async () => {
  const document = await readFile(TRANSCRIPTS, 'utf8');
  const sections = failureSections(document);
  expect(sections.map(({ id }) => id).toSorted()).toEqual(Object.keys(FAILURES).toSorted());
  for (const { id, prose } of sections) {
    expect(prose, `the section "${id}" says how it ends`).toMatch(/(?:Exit code \d\.|It tries again\.|It goes on\.)$/);
    // If the scene was skipped, the transcript is taken for granted.
    expect(prose).toMatch(new RegExp(`${seen.get(id)?.outcome ?? ''}$`));
  }
  const lines = new Map([...seen].map(([id, { lines: printed }]) => [id, printed]));
  await expect(withLines(document, lines)).toMatchFileSnapshot(TRANSCRIPTS);
});

test('no secret and no private key was printed', () => {
  for (const secret of [...secrets, ...shared.secretsOnDisk]) {
    for (const [id, output] of outputs) {
      // Whoever starts a server on a terminal is told how clients get in.
      const rest = output.replaceAll(/^ {2}TUNNEL_SECRET=.* tunnel local 3000(?: --to .*)?$/gm, '');
      expect(rest.includes(secret), `${id} prints a secret`).toBe(false);
    }
  }
});

test('the events and `tunnel status --json` tell cause, since when, attempt, next attempt and what to do', async () => {
  await using scene = await FailureScene.create();
  const args = ['local', '3000', '--to', `127.0.0.1:${CLOSED_PORT}`, '--output', 'json'];
  const client = await scene.start(args, withSecret);
  const [first, second] = [
    await client.waitForEvent('retrying'),
    await client.waitForEvent('retrying', ({ attempt }) => attempt === 2),
  ];
  const code = 'tcp-refused';
  const { summary } = ERRORS[code];
  const { text: hint } = ADVICE_BY_CODE[code];
  const reason = expect.stringContaining(summary) as string;
  const since = expect.stringMatching(/Z$/) as string;
  expect(first).toMatchObject({ attempt: 1, code, reason, hint, since, delayMs: expect.any(Number) as number });
  const nextInMs = Date.parse(String(first['nextAt'])) - Date.parse(first.time);
  expect(Math.abs(nextInMs - Number(first['delayMs']))).toBeLessThan(50);
  // The outage began with the first failure, and is still the same one.
  expect(second['since']).toBe(first['since']);

  await client.waitForEvent('retrying', ({ delayMs }) => Number(delayMs) > 2_500, 25_000);
  const status = await scene.start(['status', '--json']);
  await status.waitForExit();
  expect(JSON.parse(status.stdout)).toMatchObject([
    {
      state: 'waiting',
      since: first['since'],
      lastError: { code, reason, hint, at: since },
      nextAttempt: { at: since },
    },
  ]);
});

// ── what several scenes do ──

/** A client whose first attempt fails. */
async function retries(scene: FailureScene, args: readonly string[], options: TunnelOptions = {}): Promise<Seen> {
  const env = { ...withSecret.env, ...options.env };
  return briefly(await scene.tells(['local', '3000', ...args], FIRST_RETRY, TRIES_AGAIN, { ...options, env }));
}

/** Without what only slow machines tell of a first failure: that there is no link for a second already. */
function briefly({ lines, outcome }: Seen): Seen {
  return { lines: lines.map((line) => line.replace(' (no link for <duration>)', '')), outcome };
}

/** A client of something that is no tunnel server. */
async function answered(scene: FailureScene, serve: (socket: Socket) => void): Promise<Seen> {
  const service = scene.own(
    await TcpService.listen({}, (socket) => {
      // What the client sends has come, and is read: the end is not a reset.
      socket.once('data', () => serve(socket));
    }),
  );
  return retries(scene, ['--to', `127.0.0.1:${scene.call('port', service.port)}`]);
}

/** A client that goes through something that may be a proxy. Without credentials given, or with refused ones, it ends. */
async function proxied(
  scene: FailureScene,
  scheme: string,
  serve: (socket: Socket) => void,
  credentials?: string,
): Promise<Seen> {
  const service = scene.own(await TcpService.listen({}, (socket) => void socket.once('data', () => serve(socket))));
  const url = `${scheme}://${credentials ?? ''}127.0.0.1:${scene.call('proxy port', service.port)}`;
  const args = ['--to', 'tunnel.example.org', '--proxy', url];
  if (credentials === undefined) return retries(scene, args);
  return scene.ends(['local', '3000', ...args], withSecret);
}

async function overTls(
  scene: FailureScene,
  name: string,
  isIssuerKnown: boolean,
  authority = 'TEST_AUTHORITY',
): Promise<Seen> {
  const certificates = readCertificates();
  const [cert = '', key = ''] = [certificates.get(name), certificates.get('TEST_KEY')];
  const server = scene.own(await TcpService.start(createTlsServer({ cert, key }), {}));
  const file = join(scene.home, 'ca.pem');
  await writeFile(file, certificates.get(authority) ?? '');
  const to = `wss://127.0.0.1:${scene.call('port', server.port)}`;
  return retries(scene, ['--to', to, ...(isIssuerKnown ? ['--ca', file] : [])]);
}

/** A server with the state of the scene. */
async function startServer(
  scene: FailureScene,
  args: readonly string[] = [],
): Promise<{ readonly server: TunnelProcess; readonly port: number }> {
  const words = ['server', '--host', '127.0.0.1', '--port', '0', '--output', 'json', ...args];
  const server = await scene.start(words, withSecret);
  const { port } = await server.waitForEvent('listening');
  return { server, port: Number(port) };
}

/** A server with a file of keys, and the command of a client whose key is `<key>` in it. */
async function keyScene(
  scene: FailureScene,
  line: string,
  options: TunnelOptions = {},
): Promise<{
  readonly local: readonly string[];
  readonly publicKey: string;
  readonly list: (text: string) => Promise<void>;
}> {
  const identity = generateIdentity();
  const publicKey = scene.call('public key', encodeKey(identity.publicKey));
  secrets.add(encodeKey(identity.privateKey));
  await writeFile(join(scene.home, 'laptop.key'), formatIdentity(identity), { mode: 0o600 });
  const list = (text: string): Promise<void> => writeFile(join(scene.home, 'keys'), `${text}\n`);
  await list(line.replace('<key>', publicKey));
  const words = ['server', '--host', '127.0.0.1', '--port', '0', '--authorized-keys', 'keys', '--output', 'json'];
  const server = await scene.start(words, options);
  const { port, serverKey } = await server.waitForEvent('listening');
  const serverKeyText = scene.call("server's key", String(serverKey));
  const to = ['--to', `127.0.0.1:${scene.call('port', Number(port))}`, `--server-key=${serverKeyText}`];
  return { local: ['local', '3000', ...to, '--identity', 'laptop.key'], publicKey, list };
}

/** Another server, with another key, in the place of one that ends. */
async function replaceServer(scene: FailureScene, server: TunnelProcess, port: number): Promise<void> {
  server.kill('SIGKILL');
  await server.exit;
  const state = ['--state-dir', join(scene.home, 'stranger')];
  const words = ['server', '--host', '127.0.0.1', '--port', String(port), '--output', 'json', ...state];
  const stranger = await scene.start(words, withSecret);
  await stranger.waitForEvent('listening');
}

/** Has a client meet its server for the first time. Returns the file with the pin. */
async function pinnedBy(scene: FailureScene, args: readonly string[]): Promise<string> {
  const client = await scene.startOnTerminal(args, withSecret);
  const [, file = ''] = await client.waitForStdout(/first contact: remembered in (.*)\)/);
  client.kill('SIGINT');
  await client.waitForExit();
  return file;
}

/** Opens a tunnel with the scene's identity. Returns its public port. */
async function openTunnel(scene: FailureScene, serverPort: number): Promise<number> {
  const client = await scene.start(
    ['local', '3000', '--to', `127.0.0.1:${serverPort}`, '--output', 'json'],
    withSecret,
  );
  return publicPortOf(await client.waitForEvent('ready'));
}

/** A client on a terminal that is connected through a relay. */
async function connected(
  scene: FailureScene,
  args: readonly string[] = [],
  targetPort = 3000,
): Promise<{
  readonly client: TunnelProcess;
  readonly server: TunnelProcess;
  readonly relay: Relay;
  readonly port: number;
}> {
  const { server, port: serverPort } = await startServer(scene);
  const relay = scene.own(await startRelay({ targetPort: serverPort }));
  const to = ['--to', `127.0.0.1:${scene.call('port', relay.port)}`];
  const client = await scene.startOnTerminal(
    ['local', String(targetPort), '--local-host', '127.0.0.1', ...to, ...args],
    withSecret,
  );
  const [, port] = await client.waitForStdout(/^tcp:\/\/127\.0\.0\.1:(\d+)/m);
  await client.waitForStdout(/ connected; /);
  return { client, server, relay, port: Number(port) };
}

/** What a client says first of a link that it had. */
async function broken(scene: FailureScene, client: TunnelProcess, hasHint = true): Promise<Seen> {
  const withoutHint = /^.* link lost: .*\n.* trying again in .*\n/m;
  const [told] = await client.waitForStdout(
    hasHint ? /^.* link lost: .*\n.* trying again in .*\n +hint: .*\n/m : withoutHint,
  );
  return scene.excerpt(told, TRIES_AGAIN);
}

function flipped(message: Buffer): Buffer {
  const changed = Buffer.from(message);
  changed[0] = (changed[0] ?? 0) ^ 1;
  return changed;
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o600 });
}

/** A service on a public port that the shared server may open. */
async function listenAbove(minPort: number): Promise<TcpService> {
  for (;;) {
    const service = await startEcho();
    if (service.port >= minPort) return service as TcpService;
    await service[Symbol.asyncDispose]();
  }
}

// ── what not every machine allows ──

/** Words in front of a command that take root's powers away; nothing where the tests do not run as root. */
function withoutPrivileges(context: TestContext): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  // As root of nothing: the files' owner still, and without the right to pass over permissions.
  const launcher = ['unshare', '--user'];
  requireLauncher(context, launcher);
  return launcher;
}

/** Words in front of a command for which this directory is a full disk. */
async function onFullDisk(context: TestContext, directory: string): Promise<readonly string[]> {
  const unshare = ['unshare', '--user', '--map-root-user', '--mount'];
  requireLauncher(context, [...unshare, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt && exec "$0"']);
  await mkdir(directory, { recursive: true });
  const fill =
    'mount -t tmpfs -o size=4k tmpfs "$0" && mkdir "$0/server" && head -c 4096 /dev/zero > "$0/full"; exec "$@"';
  return [...unshare, 'sh', '-c', fill, directory];
}

/** Words in front of a command for which this home directory is empty, and on a read-only file system. */
async function onReadOnlyHome(context: TestContext, directory: string): Promise<readonly string[]> {
  const unshare = ['unshare', '--user', '--map-root-user', '--mount'];
  requireLauncher(context, [...unshare, 'sh', '-c', 'mount -t tmpfs -o ro tmpfs /mnt && exec "$0"']);
  return [...unshare, 'sh', '-c', 'mount -t tmpfs -o ro tmpfs "$0"; exec "$@"', directory];
}

async function requirePrivilegedPorts(context: TestContext): Promise<void> {
  const first = await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').catch(() => '1024');
  if (Number(first) <= 80) context.skip('everybody may listen on port 80 here');
}
