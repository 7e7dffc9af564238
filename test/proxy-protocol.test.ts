// What a local service learns of its visitors by the PROXY protocol, told by real servers that speak it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { type Program, requirePrograms, startOnFreePort } from './support/program.ts';
import { TcpService } from './support/tcp-service.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTunnelProcesses } from './support/tunnel-processes.ts';
import { visit } from './support/visitor.ts';

interface Started {
  readonly program: Program;
  readonly port: number;
}

/** Both answer with the addresses that they were told, and whoever tells none gets no answer. */
const SERVERS: Readonly<Record<'nginx' | 'haproxy', (directory: string) => Promise<Started>>> = {
  nginx: (directory) => {
    const file = join(directory, 'nginx.conf');
    const args = ['-e', 'stderr', '-p', directory, '-c', file];
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
    const variables =
      '$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port';
    return startOnFreePort(
      'nginx',
      (port) => {
        writeFileSync(
          file,
          `daemon off; master_process off; pid pid; error_log stderr notice; events {}
          http { access_log off; ${paths.join(' ')}
            server { listen 127.0.0.1:${port} proxy_protocol; location / { return 200 "${variables}\\n"; } } }`,
        );
        return args;
      },
      () => /using the "epoll" event method/,
    );
  },
  haproxy: (directory) => {
    const file = join(directory, 'haproxy.cfg');
    return startOnFreePort(
      'haproxy',
      (port) => {
        writeFileSync(
          file,
          [
            'defaults',
            ' mode http',
            ' timeout client 10s',
            ' timeout connect 10s',
            ' timeout server 10s',
            'frontend visitors',
            ` bind 127.0.0.1:${port} accept-proxy`,
            ' http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]\\n"',
            '',
          ].join('\n'),
        );
        return ['-db', '-V', '-f', file];
      },
      () => /Using epoll\(\) as the polling mechanism/,
    );
  },
};

interface Seen {
  /** The last line of the answer. */
  readonly told: string;
  readonly visitorPort: number;
}

async function get(port: number, host: string, from: string): Promise<Seen> {
  await using visitor = await visit(port, { host, from });
  let answer = '';
  visitor.socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  visitor.socket.write('GET / HTTP/1.0\r\n\r\n');
  const { localPort: visitorPort = 0 } = visitor.socket;
  await visitor.waitForEnding();
  return { told: answer.trimEnd().split('\n').at(-1) ?? '', visitorPort };
}

test.for([
  ['nginx', 'v1'],
  ['nginx', 'v2'],
  ['haproxy', 'v1'],
  ['haproxy', 'v2'],
] as const)('%s learns of visitors by %s', async ([name, proxyProtocol], context: TestContext) => {
  requirePrograms(context, name);
  await using directory = await temporaryDirectory();
  const { program, port: target } = await SERVERS[name](directory.path);
  await using _program = program;
  await using server = await startServer({ tunnelHost: '::' });
  const local = { host: '127.0.0.1', port: target };
  await using client = await startClient(server.port, [], {
    tunnels: [
      { target: local, proxyProtocol },
      { target: local, name: 'without' },
    ],
  });
  const [port = 0, portWithout = 0] = client.ports;
  const v4 = await get(port, '127.0.0.1', '127.0.0.2');
  expect(v4.told).toBe(`127.0.0.2 ${v4.visitorPort} 127.0.0.1 ${port}`);
  const v6 = await get(port, '::1', '::1');
  expect(v6.told).toBe(`::1 ${v6.visitorPort} ::1 ${port}`);
  // Else the header would prove nothing.
  expect((await get(portWithout, '127.0.0.1', '127.0.0.2')).told).not.toContain(String(port));
});

test('a header goes before the first byte, also where the service speaks first', async () => {
  await using service = await TcpService.listen({}, (socket) => {
    socket.write('220 ready\r\n');
    socket.pipe(socket);
  });
  await using tunnel = await startTunnelProcesses(service.port, [], ['--proxy-protocol', 'v1']);
  await using visitor = await visit(tunnel.port, { from: '127.0.0.3' });
  let answer = '';
  visitor.socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  const header = `PROXY TCP4 127.0.0.3 127.0.0.1 ${visitor.socket.localPort} ${tunnel.port}\r\n`;
  const greeting = '220 ready\r\n';
  // The header is echoed without a word of the visitor's.
  await visitor.waitForBytes(greeting.length + header.length);
  visitor.socket.end('EHLO\r\n');
  expect(await visitor.waitForEnding()).toBe('end');
  expect(answer).toBe(`${greeting}${header}EHLO\r\n`);
});
