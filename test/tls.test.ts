// A server that serves wss by itself.
import { once } from 'node:events';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { parseServerAddress } from '@tunnel/client';
import { RecordLink } from '@tunnel/shared/node';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { startTunnel } from './support/command.ts';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer, TEST_SECRET } from './support/pair.ts';
import { startEcho, startSource } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { publicPortOf, startServerProcess } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

const ca = readCertificates().get('TEST_AUTHORITY');

/** The serial number of the certificate that a port shows for this name. */
async function serialNumberAt(port: number, servername?: string): Promise<string> {
  const name = servername === undefined ? {} : { servername };
  const socket: TLSSocket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...name });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe('wss', () => {
  test('carries bulk both ways, and leaves nothing open', { timeout: 60_000 }, async () => {
    const bytes = 32 * 1024 * 1024;
    await using directory = await temporaryDirectory();
    const tls = await certificateFiles(directory.path);
    await expectNothingLeftOpen(async () => {
      await using source = await startSource(bytes, 7);
      await using echo = await startEcho();
      await using server = await startServer({ tls });
      const to = parseServerAddress(`wss://localhost:${server.port}`);
      await using client = await startClient(server.port, [source.port, echo.port], { server: to, ca });
      const [sourcePort = 0, echoPort = 0] = client.ports;
      await using reader = await visit(sourcePort, { seed: 7 });
      await using writer = await visit(echoPort, { seed: 8 });
      await writer.send(8, bytes, { ends: true });
      expect([await reader.waitForEnding(), await writer.waitForEnding()]).toEqual(['end', 'end']);
      reader.checker?.expectEnd(bytes);
      writer.checker?.expectEnd(bytes);
    });
  });

  test('takes a new certificate into use, keeps the old one where the new one is none, and says each once', async () => {
    await using directory = await temporaryDirectory();
    const files = await certificateFiles(directory.path);
    await using service = await startEcho();
    const args = ['--tls-cert', files.certFile, '--tls-key', files.keyFile, '--port', '0'];
    const { server, port } = await startServerProcess(args);
    await using _server = server;
    expect(server.events[0]).toMatchObject({ event: 'listening', url: `wss://127.0.0.1:${port}` });
    const to = parseServerAddress(`wss://localhost:${port}`);
    await using client = await startClient(port, [service.port], { server: to, ca });
    const before = await serialNumberAt(port);

    // As other files, moved into place.
    await mkdir(join(directory.path, 'next'));
    const next = await certificateFiles(join(directory.path, 'next'), 'OTHER_NAME_CERTIFICATE');
    await rename(next.keyFile, files.keyFile);
    await rename(next.certFile, files.certFile);
    await server.waitForStderr(/the new certificate is in use/);
    const after = await serialNumberAt(port);
    expect(after).not.toBe(before);

    await writeFile(files.certFile, 'half a certi');
    const [line] = await server.waitForStderr(/^.*cert\.pem.*stays in use.*$/m);
    expect(line).toContain('tls-unusable');
    expect(await serialNumberAt(port)).toBe(after);
    await certificateFiles(directory.path);
    await server.waitForStderr(/(?:the new certificate is in use[^]*){2}/);
    expect(await serialNumberAt(port)).toBe(before);
    expect(server.stderr.match(/stays in use/g)).toHaveLength(1);

    // The link from before was not touched.
    await using visitor = await visit(client.port);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    expect(client.log.names).toEqual(['ready']);
  });

  test('shows the certificate for the name that is asked for, and each is replaced by itself', async () => {
    await using directory = await temporaryDirectory();
    const [first, second] = [join(directory.path, 'first'), join(directory.path, 'second')];
    await Promise.all([mkdir(first), mkdir(second)]);
    // The one is for localhost and 127.0.0.1, the other for other.example.
    const tls = [await certificateFiles(first), await certificateFiles(second, 'OTHER_NAME_CERTIFICATE')];
    await using service = await startEcho();
    const args = tls.flatMap(({ certFile, keyFile }) => ['--tls-cert', certFile, '--tls-key', keyFile]);
    const { server, port } = await startServerProcess([...args, '--port', '0', '--https', '127.0.0.1:0']);
    await using _server = server;
    const fallback = await serialNumberAt(port);
    const other = await serialNumberAt(port, 'other.example');
    expect(other).not.toBe(fallback);
    expect(await serialNumberAt(port, 'localhost')).toBe(fallback);
    expect(await serialNumberAt(port, 'unknown.example')).toBe(fallback);

    const to = parseServerAddress(`wss://localhost:${port}`);
    await using client = await startClient(port, [service.port], { server: to, ca });
    await certificateFiles(second);
    await server.waitForStderr(/second.*the new certificate is in use/);
    expect(server.stderr).not.toContain('certificate-unfit');
    expect(await serialNumberAt(port, 'other.example')).toBe(fallback);
    expect(client.log.names).toEqual(['ready']);
  });

  test('says where no certificate is for the names of HTTP tunnels', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path);
    const args = [
      '--tls-cert',
      certFile,
      '--tls-key',
      keyFile,
      '--https',
      '127.0.0.1:0',
      '--domain',
      'tunnel.example.org',
    ];
    const { server } = await startServerProcess([...args, '--port', '0']);
    await using _server = server;
    const { code, reason } = await server.waitForEvent('warning');
    expect(code).toBe('certificate-unfit');
    expect(reason).toBe('no certificate is for the names of HTTP tunnels: *.tunnel.example.org');
  });

  test('is found by a client on the same machine, whatever the certificate is for', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path, 'OTHER_NAME_CERTIFICATE');
    await using service = await startEcho();
    const args = ['server', '--host', '127.0.0.1', '--port', '0', '--output', 'json'];
    const home = directory.path;
    await using server = await startTunnel([...args, '--tls-cert', certFile, '--tls-key', keyFile], { home });
    await server.waitForEvent('listening');
    await using client = await startTunnel(['local', String(service.port), '--output', 'json'], { home });
    await using visitor = await visit(publicPortOf(await client.waitForEvent('ready')));
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    expect(client.stderr).toContain('"server":"wss://127.0.0.1:');
  });

  test("is trusted by the machine's authorities, without --ca", async () => {
    await using directory = await temporaryDirectory();
    const tls = await certificateFiles(directory.path);
    await using server = await startServer({ tls });
    const file = join(directory.path, 'authorities.pem');
    await writeFile(file, ca ?? '');
    const args = ['local', '9', '--to', `wss://localhost:${server.port}`, '--no-reconnect', '--output', 'json'];
    const env = { TUNNEL_SECRET: TEST_SECRET };
    for (const name of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
      await using client = await startTunnel(args, { env: { ...env, [name]: file } });
      await client.waitForEvent('ready');
    }
    await using stranger = await startTunnel(args, { env });
    expect((await stranger.waitForExit()).code).toBe(4);
    expect(stranger.events.at(-1)).toMatchObject({ code: 'tls-failed' });
  });

  test('is named in the command for clients, on a terminal', async () => {
    await using directory = await temporaryDirectory();
    const { certFile, keyFile } = await certificateFiles(directory.path);
    const isTerminal = encodeURIComponent('process.stdout.isTTY = true');
    const env = { TUNNEL_SECRET: TEST_SECRET, NODE_OPTIONS: `--import=data:text/javascript,${isTerminal}` };
    const args = ['server', '--host', '127.0.0.1', '--port', '0', '--public-host', 'tunnel.example.org'];
    await using server = await startTunnel([...args, '--tls-cert', certFile, '--tls-key', keyFile], { env });
    const [, address] = await server.waitForStdout(/tunnel local 3000 --to (\S+):\d+ --server-key=/);
    expect(address).toBe('wss://tunnel.example.org');
  });
});

// What the pace of a link is measured by has to be about what went out, also where TLS stands between.
describe.each(['ws', 'wss'])('the counters of a link over %s', (scheme) => {
  const RECORD_BYTES = 64 * 1024;
  const RECORDS = 512;

  interface BothEnds extends AsyncDisposable {
    readonly near: WebSocket;
    readonly nearSocket: Socket;
    readonly far: WebSocket;
    readonly farSocket: Socket;
  }

  /** Both ends of a WebSocket, with the sockets below. */
  async function connectBoth(): Promise<BothEnds> {
    const certificates = readCertificates();
    const [cert = '', key = ''] = ['TEST_CERTIFICATE', 'TEST_KEY'].map((name) => certificates.get(name));
    const server = scheme === 'ws' ? createHttpServer() : createHttpsServer({ cert, key });
    const webSockets = new WebSocketServer({ server, perMessageDeflate: false });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const far = new WebSocket(`${scheme}://localhost:${port}`, { ca, perMessageDeflate: false });
    const upgraded = once(far, 'upgrade');
    const opened = once(far, 'open');
    const [near, request] = (await once(webSockets, 'connection')) as [WebSocket, { socket: Socket }];
    const [{ socket: farSocket }] = (await upgraded) as [{ socket: Socket }];
    await opened;
    return {
      near,
      nearSocket: request.socket,
      far,
      farSocket,
      [Symbol.asyncDispose]: async () => {
        far.terminate();
        near.terminate();
        webSockets.close();
        server.close();
        await once(server, 'close');
      },
    };
  }

  /** The server's side of a link; what its keys are does not matter here. */
  function linkOver({ near, nearSocket }: BothEnds): RecordLink {
    const keys = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(2) };
    return new RecordLink(near, nearSocket, keys as ConstructorParameters<typeof RecordLink>[2], 'server');
  }

  test('tell what waits and what went out', { timeout: 60_000 }, async () => {
    await using both = await connectBoth();
    const link = linkOver(both);
    let drains = 0;
    link.start({ onRecord: () => {}, onDrain: () => (drains += 1), onEnd: () => {} });
    const before = link.drainedBytes;
    both.far.pause();
    let sentBytes = 0;
    const record = Buffer.alloc(RECORD_BYTES);
    for (let sent = 0; sent < RECORDS; sent += 1) {
      link.send([record]);
      // 16 bytes for the tag, 10 for the header of the WebSocket message.
      sentBytes += RECORD_BYTES + 16 + 10;
    }
    // Nobody reads: the kernel's buffers take some, and the rest waits here.
    expect(link.queuedBytes + link.drainedBytes - before).toBe(sentBytes);
    expect(link.queuedBytes).toBeGreaterThan(sentBytes / 2);
    expect(drains).toBe(0);
    both.far.resume();
    await expect.poll(() => link.queuedBytes, { timeout: 20_000 }).toBe(0);
    expect(link.drainedBytes - before).toBe(sentBytes);
    expect(drains).toBeGreaterThan(0);
  });

  test('tell of a message that comes in parts', async () => {
    await using both = await connectBoth();
    const link = linkOver(both);
    let records = 0;
    link.start({ onRecord: () => (records += 1), onDrain: () => {}, onEnd: () => {} });
    const before = link.bytesRead;
    // The header of a masked binary message of 200,000 bytes (RFC 6455, section 5.2), and half of it.
    both.farSocket.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 3, 0x0d, 0x40, 0, 0, 0, 0]));
    both.farSocket.write(Buffer.alloc(100_000));
    await expect.poll(() => link.bytesRead - before, { timeout: 10_000 }).toBe(100_014);
    expect(records).toBe(0);
  });
});
