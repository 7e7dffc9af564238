import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import type { TlsOptions as ServerOptions } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';

import { TunnelError } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';

import { parseServerAddress } from './address.ts';
import {
  EXPIRED_CERTIFICATE,
  NOT_YET_VALID_CERTIFICATE,
  OTHER_NAME_CERTIFICATE,
  SELF_SIGNED_CERTIFICATE,
  TEST_AUTHORITY,
  TEST_CERTIFICATE,
  TEST_KEY,
} from './certificates.fixture.ts';
import { closeOf, connected, failureOf, listen, listenRaw } from './loopback.fixture.ts';
import { wrapInTls } from './tls.ts';

const { signal } = new AbortController();

interface Seen {
  servername?: string | false | null;
}

async function listenTls(cert: string, options: ServerOptions = {}, seen: Seen = {}): Promise<number> {
  const server = createTlsServer({ cert, key: TEST_KEY, ...options }, (socket) => {
    seen.servername = socket.servername;
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.on('tlsClientError', () => {});
  return listen(server);
}

async function wrap(host: string, port: number, ca: string | undefined = TEST_AUTHORITY): Promise<Socket> {
  const socket = await connected(port);
  return wrapInTls(socket, parseServerAddress(`wss://${host}:${port}`), { signal, ca });
}

describe('connects', () => {
  test.each([
    ['localhost', 'localhost'],
    ['localhost.', 'localhost'],
    ['127.0.0.1', false],
  ])('to %s, with server name %s', async (host, servername) => {
    const seen: Seen = {};
    const socket = await wrap(host, await listenTls(TEST_CERTIFICATE, { ALPNProtocols: ['h2', 'http/1.1'] }, seen));
    expect(socket).toMatchObject({ alpnProtocol: 'http/1.1', authorized: true });
    socket.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    expect(seen.servername || false).toBe(servername);
    socket.destroy();
    await closeOf(socket);
  });

  test('and a reset afterwards ends no process', async () => {
    const sockets: Socket[] = [];
    const server = createTlsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY });
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const socket = await wrap('localhost', await listen(server));
    const closed = closeOf(socket);
    for (const each of sockets) each.resetAndDestroy();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});

describe('says in words', () => {
  test.each([
    [
      'not valid yet',
      NOT_YET_VALID_CERTIFICATE,
      NOT_YET_VALID_CERTIFICATE,
      'the certificate is not valid yet (CERT_NOT_YET_VALID)',
    ],
    ['expired', EXPIRED_CERTIFICATE, TEST_AUTHORITY, 'the certificate has expired (CERT_HAS_EXPIRED)'],
    [
      'for another name',
      OTHER_NAME_CERTIFICATE,
      TEST_AUTHORITY,
      'the certificate is for another name: DNS:other.example (ERR_TLS_CERT_ALTNAME_INVALID)',
    ],
    [
      'from an unknown issuer',
      TEST_CERTIFICATE,
      undefined,
      'the issuer of the certificate is not trusted here (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
    ],
    ['self-signed', SELF_SIGNED_CERTIFICATE, undefined, 'the certificate is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)'],
  ])('a certificate that is %s', async (_name, certificate, ca, words) => {
    const port = await listenTls(certificate);
    const socket = await connected(port);
    const error = await failureOf(wrapInTls(socket, parseServerAddress(`wss://localhost:${port}`), { signal, ca }));
    expect(error).toMatchObject({ code: 'tls-failed', detail: `localhost:${port}, ${words}` });
    expect(error.hint.id).toMatch(/^(?:certificate-|clock-wrong$)/);
    expect(socket.destroyed).toBe(true);
  });

  test('a certificate for a name, where an address was dialed', async () => {
    const port = await listenTls(OTHER_NAME_CERTIFICATE);
    const error = await failureOf(wrap('127.0.0.1', port));
    expect(error.detail).toContain('the certificate is for another name');
  });

  test('a server without TLS', async () => {
    const port = await listenRaw((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await failureOf(wrap('localhost', port))).toMatchObject({
      code: 'tls-failed',
      detail: `localhost:${port}, the other side does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)`,
      hint: { id: 'tls-not-spoken' },
    });
  });

  test('no TLS version in common', async () => {
    const port = await listenTls(TEST_CERTIFICATE, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    expect((await failureOf(wrap('localhost', port))).code).toBe('tls-failed');
  });

  test.each([
    ['closes', (socket: Socket) => socket.end()],
    ['resets after the first bytes', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['closes after the first bytes', (socket: Socket) => socket.once('data', () => socket.end())],
  ])('a server that %s', async (_name, act) => {
    const port = await listenRaw((socket) => void act(socket));
    const error = await failureOf(wrap('localhost', port));
    expect(error.code).toBe('tls-failed');
    expect(error.detail).toContain('the other side closed the connection during the TLS handshake');
  });

  test('a socket that is dead already', async () => {
    const socket = await connected(await listenRaw(() => {}));
    socket.destroy();
    const error = await failureOf(wrapInTls(socket, parseServerAddress('wss://localhost'), { signal }));
    expect(error.code).toBe('tls-failed');
  });

  test('an authority that is none', async () => {
    const error = await failureOf(wrap('localhost', await listenTls(TEST_CERTIFICATE), 'nonsense'));
    expect(error.code).toBe('tls-failed');
  });
});

test('a certificate that need not be verified may be any', async () => {
  const port = await listenTls(EXPIRED_CERTIFICATE);
  const address = parseServerAddress(`wss://elsewhere.example:${port}`);
  const socket = await wrapInTls(await connected(port), address, { signal, verifyCertificate: false });
  socket.write('hello');
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
  socket.destroy();
});

test('an abort ends the handshake and the connection', async () => {
  const controller = new AbortController();
  const arrivals = new EventEmitter();
  const arrived = once(arrivals, 'hello');
  const port = await listenRaw((socket) => {
    socket.once('data', () => arrivals.emit('hello', socket));
  });
  const socket = await connected(port);
  const wrapping = wrapInTls(socket, parseServerAddress(`wss://localhost:${port}`), { signal: controller.signal });
  const [serverSide] = (await arrived) as [Socket];
  const closed = closeOf(serverSide);
  controller.abort(new TunnelError('stopped'));
  expect((await failureOf(wrapping)).code).toBe('stopped');
  await closed;
  expect(socket.destroyed).toBe(true);

  const another = await connected(port);
  const late = wrapInTls(another, parseServerAddress(`wss://localhost:${port}`), { signal: controller.signal });
  expect((await failureOf(late)).code).toBe('stopped');
  expect(another.destroyed).toBe(true);
});
