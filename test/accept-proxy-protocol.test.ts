// Behind load balancers that say with a PROXY header for whom they connect: to the control port, and to public ports.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { parseServerAddress } from '@tunnel/client';
import { type Attribute, decodeAddresses, type VisitorAddresses } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import { certificateFiles, readCertificates } from './support/certificates.ts';
import { connectByHand, type HandLink, portOf, tunnelRequest } from './support/hand-driven.ts';
import { startClient, startServer } from './support/pair.ts';
import { requirePrograms } from './support/program.ts';
import { type ProxyProgram, startProxyProgram } from './support/proxy-programs.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { answerTo, visit } from './support/visitor.ts';

const LOAD_BALANCER = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';
const acceptProxyProtocol = [LOAD_BALANCER];

const HEADERS = {
  v1: Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n'),
  v2: Buffer.from('0d0a0d0a000d0a515549540a2111000ccb007107c0000201c73801bb', 'hex'),
};
const VISITOR = { visitor: { address: '203.0.113.7', port: 51_000 }, destination: { address: '192.0.2.1' } };

/** What comes back until the other end closes. */
async function answersTo(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

function addressesOf({ attributes }: { readonly attributes: readonly Attribute[] }): VisitorAddresses {
  return decodeAddresses(attributes);
}

async function openPort(link: HandLink): Promise<number> {
  link.send(tunnelRequest(1));
  return portOf(await link.waitFor('tunnel-granted'));
}

describe('a public port', () => {
  test.each(['v1', 'v2'] as const)(
    'has its visitor from a header of %s, and loses nothing behind it',
    async (version) => {
      await using server = await startServer({ acceptProxyProtocol });
      await using relay = await startRelay({ targetPort: server.port });
      let isFirst = true;
      relay.transform = (direction, _index, chunk) => {
        if (direction !== 'to-target' || !isFirst) return chunk;
        isFirst = false;
        return Buffer.concat([HEADERS.v1, chunk]);
      };
      await using link = await connectByHand(relay.port);
      expect(server.log.all('client-connected').map(({ event }) => event.address)).toEqual(['203.0.113.7:51000']);
      const port = await openPort(link);

      await using inOnePiece = await visit(port);
      inOnePiece.socket.write(Buffer.concat([HEADERS[version], Buffer.from('at once')]));
      expect(addressesOf(await link.waitFor('open'))).toMatchObject(VISITOR);
      expect(Buffer.from((await link.waitFor('data')).data).toString()).toBe('at once');

      await using byteByByte = await visit(port);
      byteByByte.socket.setNoDelay(true);
      for (const byte of HEADERS[version]) {
        byteByByte.socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      byteByByte.socket.end('later');
      const open = await link.waitFor('open', (another) => another.streamId !== 1);
      const { streamId } = open;
      expect(addressesOf(open)).toMatchObject(VISITOR);
      expect(Buffer.from((await link.waitFor('data', (data) => data.streamId === streamId)).data).toString()).toBe(
        'later',
      );
      await link.waitFor('end', (end) => end.streamId === streamId);
    },
  );

  test('turns away who sends none from there, and looks for none from elsewhere', async () => {
    await using server = await startServer({ acceptProxyProtocol });
    await using link = await connectByHand(server.port, {}, { localAddress: ELSEWHERE });
    const port = await openPort(link);
    await using visitor = await visit(port);
    visitor.socket.write('GET / HTTP/1.1\r\n\r\n');
    await visitor.waitForEnding();
    const { event } = await server.log.waitFor('visitor-refused');
    expect(event).toMatchObject({ code: 'proxy-header-unusable', port });

    await using direct = await visit(port, { from: ELSEWHERE });
    direct.socket.write(HEADERS.v1);
    expect(addressesOf(await link.waitFor('open'))).toMatchObject({
      visitor: { address: ELSEWHERE },
      destination: { address: '127.0.0.1', port },
    });
    expect(Buffer.from((await link.waitFor('data')).data)).toEqual(HEADERS.v1);
    expect(link.frames.filter(({ type }) => type === 'open')).toHaveLength(1);
  });

  test('holds its rules against the visitor, not the load balancer', async () => {
    await using service = await startEcho();
    await using server = await startServer({ acceptProxyProtocol: [ELSEWHERE] });
    await using client = await startClient(server.port, [], {
      tunnels: [{ target: { host: '127.0.0.1', port: service.port }, allow: ['203.0.113.0/24'] }],
    });
    expect(await answerTo(client.port, `${HEADERS.v1.toString()}hello`, { from: ELSEWHERE })).toBe('hello');
    const other = HEADERS.v1.toString().replace('203.0.113.7', '203.0.114.7');
    expect(await answerTo(client.port, `${other}hello`, { from: ELSEWHERE })).toBe('ECONNRESET');
    expect((await server.log.waitFor('visitor-refused')).event.code).toBe('visitor-denied');
  });
});

describe('the control port', () => {
  const healthRequest = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const browserRequest =
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://x\r\n\r\n';

  test('knows its client by the header, byte by byte', async () => {
    await using server = await startServer({ acceptProxyProtocol });
    for (const header of Object.values(HEADERS)) {
      const socket = connect(server.port, '127.0.0.1');
      const answer = answersTo(socket);
      for (const byte of Buffer.concat([header, Buffer.from(browserRequest)])) {
        socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await answer).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(server.log.all('client-refused').map(({ event }) => event.address)).toEqual([
      '203.0.113.7:51000',
      '203.0.113.7:51000',
    ]);
  });

  test.each([
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['LOCAL', Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')],
  ])('takes a connection that is %s for the load balancer itself', async (_name, header) => {
    await using server = await startServer({ acceptProxyProtocol });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(Buffer.concat([header, Buffer.from(browserRequest)]));
    await answersTo(socket);
    expect((await server.log.waitFor('client-refused')).event.address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('ends a connection without a header, and says so', async () => {
    await using server = await startServer({ acceptProxyProtocol });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(healthRequest);
    expect(await answersTo(socket)).toBe('');
    const { event } = await server.log.waitFor('client-refused');
    expect(event).toMatchObject({
      code: 'proxy-header-unusable',
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
    });
  });

  test('has the header before TLS', async () => {
    await using directory = await temporaryDirectory();
    await using service = await startEcho();
    await using server = await startServer({ acceptProxyProtocol, tls: await certificateFiles(directory.path) });
    const ca = readCertificates().get('TEST_AUTHORITY');
    await using relay = await startRelay({ targetPort: server.port });
    const seen = new Set<number>();
    relay.transform = (direction, index, chunk) => {
      if (direction !== 'to-target' || seen.has(index)) return chunk;
      seen.add(index);
      return Buffer.concat([HEADERS.v2, chunk]);
    };
    const to = parseServerAddress(`wss://localhost:${relay.port}`);
    await using client = await startClient(relay.port, [service.port], { server: to, ca });
    expect(server.log.all('client-connected').map(({ event }) => event.address)).toEqual(['203.0.113.7:51000']);
    expect(await answerTo(client.port, 'hello', { from: ELSEWHERE })).toBe('hello');

    // The header by itself, and TLS in a packet of its own.
    const socket = connect(server.port, '127.0.0.1');
    socket.write(HEADERS.v1);
    await once(socket, 'connect');
    const tls = tlsConnect({ socket, ca, servername: 'localhost' });
    tls.write(healthRequest);
    expect(await answersTo(tls)).toMatch(/^HTTP\/1\.1 200 .*ok\n$/s);
  });
});

test('haproxy with send-proxy and send-proxy-v2, in front of both', async (context) => {
  requirePrograms(context, 'haproxy');
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'haproxy.cfg');
  await using server = await startServer({ acceptProxyProtocol });
  for (const keyword of ['send-proxy', 'send-proxy-v2']) {
    const through = (targetPort: number): Promise<ProxyProgram> =>
      startProxyProgram('haproxy', (port) => {
        const lines = [
          'defaults',
          ' mode tcp',
          ' timeout client 10s',
          ' timeout connect 10s',
          ' timeout server 10s',
          'listen here',
          ` bind 127.0.0.1:${port}`,
          ` server there 127.0.0.1:${targetPort} ${keyword}`,
          '',
        ];
        writeFileSync(file, lines.join('\n'));
        return ['-db', '-f', file];
      });
    await using control = await through(server.port);
    const connected = server.log.waitForNext('client-connected');
    await using link = await connectByHand(control.port, {}, { localAddress: ELSEWHERE });
    expect((await connected).event.address).toMatch(/^127\.0\.0\.2:\d+$/);
    await using visitors = await through(await openPort(link));
    await using visitor = await visit(visitors.port, { from: '127.0.0.3' });
    visitor.socket.write('hello');
    // Before it came who looked whether haproxy listens.
    const open = await link.waitFor('open', (frame) => addressesOf(frame).visitor?.address === '127.0.0.3');
    const { streamId } = open;
    expect(addressesOf(open).visitor?.port).toBe(visitor.socket.localPort);
    expect(Buffer.from((await link.waitFor('data', (data) => data.streamId === streamId)).data).toString()).toBe(
      'hello',
    );
  }
});

describe('GET /healthz', () => {
  async function ask(port: number, method: string, path: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    return answersTo(socket);
  }

  test('is 200 without any key, also while the server drains; everything else is not', async () => {
    await using service = await startEcho();
    await using server = await startServer({ drainTimeoutMs: 60_000 });
    expect(await ask(server.port, 'GET', '/healthz')).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nok\n$/s);
    expect(await ask(server.port, 'HEAD', '/healthz?x=1')).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n$/s);
    for (const [method, path] of [
      ['POST', '/healthz'],
      ['GET', '/healthz/x'],
      ['GET', '/'],
    ] as const) {
      expect(await ask(server.port, method, path)).toMatch(/^HTTP\/1\.1 426 /);
    }
    await using client = await startClient(server.port, [service.port]);
    await using visitor = await visit(client.port);
    visitor.socket.write('x');
    await visitor.waitForBytes(1);
    const stopping = server.server.stop();
    expect(await ask(server.port, 'GET', '/healthz')).toMatch(/^HTTP\/1\.1 200 /);
    visitor.socket.end();
    await stopping;
  });
});
