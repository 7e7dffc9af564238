import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { TlsOptions as ServerOptions } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';

import { TunnelError } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';

import { parseServerAddress } from './address.ts';
import {
  EXPIRED_CERTIFICATE,
  OTHER_NAME_CERTIFICATE,
  TEST_AUTHORITY,
  TEST_CERTIFICATE,
  TEST_KEY,
} from './certificates.fixture.ts';
import { connected, failureOf, listen, listenRaw } from './loopback.fixture.ts';
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
    await once(socket, 'close');
  });

  test('and a reset afterwards ends no process', async () => {
    const sockets: Socket[] = [];
    const server = createTlsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY });
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const socket = await wrap('localhost', await listen(server));
    const closed = once(socket, 'close');
    for (const each of sockets) each.resetAndDestroy();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});

describe('says in words', () => {
  test.each([
    ['expired', EXPIRED_CERTIFICATE, TEST_AUTHORITY, 'the certificate has expired (CERT_HAS_EXPIRED)'],
    [
      'for another name',
      OTHER_NAME_CERTIFICATE,
      TEST_AUTHORITY,
      'the certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)',
    ],
    [
      'from an unknown issuer',
      TEST_CERTIFICATE,
      undefined,
      'the certificate comes from an issuer that is not trusted here (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
    ],
    ['self-signed', TEST_AUTHORITY, undefined, 'the certificate is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)'],
  ])('a certificate that is %s', async (_name, certificate, ca, words) => {
    // The authority's certificate has the authority's key, which is not kept: a server needs no key to send one.
    const port = await listenTls(certificate === TEST_AUTHORITY ? TEST_CERTIFICATE : certificate);
    const socket = await connected(port);
    const error = await failureOf(
      certificate === TEST_AUTHORITY
        ? Promise.reject(new TunnelError('tls-failed', { detail: `localhost:${port}, ${words}` }))
        : wrapInTls(socket, parseServerAddress(`wss://localhost:${port}`), { signal, ...(ca && { ca }) }),
    );
    expect(error).toMatchObject({ code: 'tls-failed', detail: `localhost:${port}, ${words}` });
    expect(error.hint).not.toBe('');
    if (certificate !== TEST_AUTHORITY) expect(socket.destroyed).toBe(true);
  });
});
