// What comes with, or after, the end of something must not bring it back to life.
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { connectByHand, portOf, tunnelRequest } from './support/hand-driven.ts';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho, startSilent } from './support/services.ts';
import { visit } from './support/visitor.ts';

test('a tunnel asked for in the same record as the good-bye is not opened', async () => {
  await using server = await startServer();
  await using link = await connectByHand(server.port);
  const ended = server.log.waitForNext('client-disconnected', ({ ended: isEnded }) => isEnded);
  link.send({ type: 'goodbye', code: 'stopped' }, tunnelRequest(1, { label: 'late' }));
  await ended;
  // A client that comes later gets its tunnel, so the late one had its time.
  await using service = await startEcho();
  await using _client = await startClient(server.port, [service.port]);
  expect(server.log.all('tunnel-opened').map(({ event }) => event.name)).not.toContain('late');
});

test('tunnels that are asked for and given back at once do not pile up', async () => {
  await using server = await startServer();
  await using link = await connectByHand(server.port);
  for (let round = 0; round < 10; round += 1) {
    const last = (round + 1) * 1_000;
    for (let tunnelId = last - 100; tunnelId < last; tunnelId += 1) {
      link.send(tunnelRequest(tunnelId, { label: `tunnel ${tunnelId}` }), {
        type: 'tunnel-close',
        tunnelId,
        code: 'stopped',
      });
    }
    // No more at a time than may be open: what is given back before it is there counts until it is.
    link.send(tunnelRequest(last, { label: 'the last' }));
    await link.waitFor('tunnel-granted', ({ tunnelId }) => tunnelId === last);
    link.send({ type: 'tunnel-close', tunnelId: last, code: 'stopped' });
  }
  expect(server.log.all('tunnel-opened')).toHaveLength(10);
});

test('a refused upgrade is closed, though its sender keeps its side open', async () => {
  await using server = await startServer();
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.resume();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://x\r\n\r\n');
  await new Promise((resolve) => socket.once('end', resolve));
  // The server's end is gone: what is sent to it is answered with a reset.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const writer = setInterval(() => socket.write('still here'), 20);
  await closed;
  clearInterval(writer);
  expect(socket.destroyed).toBe(true);
});

test('a client that stops in the middle of an upload that nobody takes says good-bye', async () => {
  await using service = await startSilent();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port]);
  await using visitor = await visit(client.ports[0]!);
  relay.throttle(64 * 1024, { direction: 'to-client' });
  visitor.socket.write(Buffer.alloc(4 * 1024 * 1024));
  await relay.waitForBytes('to-client', 100_000);
  const ended = server.log.waitForNext('client-disconnected', ({ ended: isEnded }) => isEnded);
  await client.client.stop();
  expect((await ended).event.code).toBe('stopped');
});

test('a server that drains takes no new client', async () => {
  await using service = await startEcho();
  const server = await startServer({ drainTimeoutMs: 10_000 });
  // Connected before, and counted then as a connection that stays.
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port]);
  await using visitor = await visit(client.ports[0]!);
  visitor.socket.write('x');
  await visitor.waitForBytes(1);
  const stopping = server.server.stop();
  await expect(startClient(server.port, [service.port], { reconnect: false })).rejects.toThrow(/refused|stopped/);
  visitor.socket.end();
  await stopping;
});

test('a server that drains opens no port, and grants none again that it has closed', async () => {
  await using server = await startServer({ drainTimeoutMs: 10_000 });
  await using link = await connectByHand(server.port);
  link.send(tunnelRequest(1));
  const port = portOf(await link.waitFor('tunnel-granted'));
  await using visitor = await visit(port);
  await link.waitFor('open');
  const stopping = server.server.stop();
  await link.waitFor('drain');
  link.send(tunnelRequest(1), tunnelRequest(2));
  for (const id of [1, 2]) {
    const { code } = await link.waitFor('tunnel-refused', ({ tunnelId }) => tunnelId === id);
    expect(code).toBe('port-unavailable');
  }
  expect(server.server.status()).toMatchObject({ publicPorts: 0, streams: 1 });
  visitor.socket.resetAndDestroy();
  await stopping;
});

test('a server that drains grants no port that was being opened when it began', async () => {
  await using server = await startServer();
  await using link = await connectByHand(server.port);
  const stopped = new Promise((resolve) => server.server.once('tunnel-opened', () => resolve(server.server.stop())));
  link.send(...[1, 2, 3].map((tunnelId) => tunnelRequest(tunnelId, { label: `number ${tunnelId}` })));
  await stopped;
  await link.closed;
  const answers = link.frames.map(({ type }) => type).filter((type) => type.startsWith('tunnel-'));
  expect(answers).toEqual(['tunnel-granted', 'tunnel-refused', 'tunnel-refused']);
});
