// A Unix socket as a target: it is served, and said, like a port.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { visit } from './support/visitor.ts';

test.runIf(process.platform !== 'win32')('a Unix socket serves HTTP, over a link that breaks', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'app.sock');
  let finish = (): void => {};
  const service = createServer((_, response) => {
    response.write('before, ');
    finish = () => response.end('behind');
  });
  service.listen(path);
  await once(service, 'listening');
  try {
    await using server = await startServer();
    await using relay = await startRelay({ targetPort: server.port });
    await using client = await startClient(relay.port, [], {
      tunnels: [{ target: { path } }],
      looksAtTargets: true,
      maxReconnectDelayMs: 100,
    });
    expect(client.client.status().tunnels[0]?.target).toEqual({ path });
    const asked = request({ host: '127.0.0.1', port: client.port, agent: false }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.setEncoding('utf8');
    const [first] = (await once(answer, 'data')) as [string];
    const back = client.next('ready');
    relay.resetAll();
    expect(await back).toMatchObject({ resumed: true, lostStreams: 0 });
    finish();
    let rest = '';
    for await (const part of answer) rest += part as string;
    expect(first + rest).toBe('before, behind');
    expect(client.log.all('service')).toEqual([]);
  } finally {
    service.close();
    service.closeAllConnections();
  }
});

test.runIf(process.platform !== 'win32')(
  'a visitor that resets closes it, after the header with its address',
  async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'app.sock');
    const ended: string[] = [];
    const service = createTcpServer((socket) => {
      let received = '';
      socket.setEncoding('latin1').on('data', (part: string) => (received += part));
      socket.on('error', () => {}).on('close', () => received !== '' && ended.push(received));
    }).listen(path);
    await once(service, 'listening');
    try {
      await using server = await startServer();
      const tunnel = { target: { path }, proxyProtocol: 'v1' as const };
      await using client = await startClient(server.port, [], { tunnels: [tunnel] });
      await using visitor = await visit(client.port);
      visitor.socket.write('hello');
      await expect.poll(() => client.client.status().bytesIn).toBe(5);
      const { localPort } = visitor.socket;
      visitor.socket.resetAndDestroy();
      await expect.poll(() => ended).toEqual([`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${client.port}\r\nhello`]);
      await expect.poll(() => client.client.status().streams).toBe(0);
    } finally {
      service.close();
    }
  },
);
