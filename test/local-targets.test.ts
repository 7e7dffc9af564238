// Targets that would take down more than themselves: one that leads back to its own port, one whose first address is slow.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { PortMemory } from '@tunnel/client';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';
import { isAnswered, visit } from './support/visitor.ts';

test.each(['resets', 'stays'])(
  'a target that leads back: a visitor who %s makes no more than one other',
  async (who) => {
    await using server = await startServer();
    await using echo = await startEcho();
    const tunnel = (port: number) => ({ name: 'loop', target: { host: '127.0.0.1', port } });
    await using client = await startClient(server.port, [], { tunnels: [tunnel(echo.port)] });
    const { port } = client;
    await client.client.setTunnels([tunnel(port)]);
    let opened = 0;
    client.client.on('stream', ({ state }) => (opened += Number(state === 'opened')));
    const warned = client.next('warning');
    const wasOpened = once(client.client, 'stream');
    const visitor = await visit(port);
    await wasOpened;
    if (who === 'stays') await visitor.waitForEnding();
    else visitor.socket.resetAndDestroy();
    await using another = await visit(port);
    expect(await another.waitForEnding()).toBe('ECONNRESET');
    expect(await warned).toMatchObject({
      code: 'target-loop',
      hint: { id: 'target-loop' },
    });
    // Once for both visitors.
    expect(client.log.names.filter((name) => name === 'warning')).toHaveLength(1);
    expect(opened).toBeLessThanOrEqual(4);
  },
);

/** Listens on ::1 only, and accepts nothing before it is told to. */
const BLOCKED_SERVICE = `
  const { readSync } = require('node:fs');
  const server = require('node:net').createServer((socket) => socket.on('error', () => {}).end('from ::1'));
  server.listen({ host: '::1', port: 0, backlog: 1 }, () => {
    process.stdout.write(String(server.address().port) + '\\n', () => readSync(0, Buffer.alloc(1)));
  });
`;

test.runIf(process.platform === 'linux')(
  'an address with a full accept queue has its time although the next one refuses',
  async () => {
    const child = spawn(process.execPath, ['-e', BLOCKED_SERVICE], { stdio: ['pipe', 'pipe', 'inherit'] });
    const fillers: Socket[] = [];
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const port = Number(line.toString());
      // Two fit in; the third one's SYN is dropped.
      for (let index = 0; index < 3; index += 1) fillers.push(connect({ host: '::1', port }).on('error', () => {}));
      await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, 'connect')));
      await using server = await startServer();
      await using client = await startClient(server.port, [], {
        tunnels: [{ target: { host: 'localhost', port } }],
      });
      const downs: unknown[] = [];
      client.client.on('service', (event) => downs.push(event));
      await using visitor = await visit(client.port);
      // Longer than the 250 ms between two addresses: 127.0.0.1 has refused by then.
      setTimeout(() => child.stdin.end('x'), 600);
      expect(await visitor.waitForEnding()).toBe('end');
      expect(visitor.receivedBytes).toBe('from ::1'.length);
      expect(downs).toEqual([]);
    } finally {
      for (const filler of fillers) filler.destroy();
      child.kill();
    }
  },
);

test('nothing behind a target is told before any visitor comes, and once over all links', async () => {
  await using echo = await startEcho();
  const gone = await startEcho();
  await gone.close();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [gone.port, echo.port], {
    looksAtTargets: true,
    maxReconnectDelayMs: 100,
  });
  const { event } = await client.log.waitFor('service');
  const target = { host: '127.0.0.1', port: gone.port };
  expect(event).toMatchObject({ target, state: 'down', code: 'ECONNREFUSED', refused: 0 });
  const back = client.next('ready');
  relay.resetAll();
  expect(await back).toMatchObject({ resumed: true });
  expect(await isAnswered(client.ports[1]!)).toBe(true);
  // A tunnel that comes later is looked at, too, and no other one.
  const told = client.next('service');
  const tunnels = [gone.port, echo.port].map((port) => ({ target: { host: '127.0.0.1', port } }));
  await client.client.setTunnels([...tunnels, { name: 'later', target }]);
  expect(await told).toMatchObject({ target, state: 'down' });
  expect(client.log.all('service')).toHaveLength(2);
});

test('a port that was asked for by number does not displace the remembered one', async () => {
  const remembered: number[] = [];
  const ports: PortMemory = {
    recall: () => Promise.resolve({ port: undefined }),
    remember: (_server, _name, port) => Promise.resolve(void remembered.push(port)),
  };
  await using echo = await startEcho();
  await using server = await startServer();
  const target = { host: '127.0.0.1', port: echo.port };
  let usual: number;
  {
    await using client = await startClient(server.port, [], { tunnels: [{ target }], ports });
    usual = client.port;
    expect(remembered).toEqual([usual]);
  }
  await using free = await startEcho();
  const { port } = free;
  await free.close();
  await using client = await startClient(server.port, [], { tunnels: [{ target, port }], ports });
  expect(client.port).toBe(port);
  expect(remembered).toEqual([usual]);
});
