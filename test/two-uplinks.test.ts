// There is no flag for it yet: a client may have several uplinks, one for each server.
import { connect, type Socket } from 'node:net';
import { parseServerAddress } from '@tunnel/client';
import { expect, test } from 'vitest';
import { type RunningServer, startClient, startServer } from './support/pair.ts';
import { startEcho } from './support/services.ts';

test('a client of two servers serves the visitors of one while the other is dead, and takes that one back', async () => {
  await using service = await startEcho();
  await using steady = await startServer();
  const mortal = await startServer();
  const addresses = [steady, mortal].map(({ port }) => parseServerAddress(`127.0.0.1:${port}`));
  await using client = await startClient(steady.port, [service.port], {
    maxReconnectDelayMs: 200,
    uplinks: addresses.map((server) => ({ server })),
  });
  const steadyPort = await publicPortOf(steady);
  const mortalPort = await publicPortOf(mortal);
  const { event: session } = await steady.log.waitFor('client-connected');
  const { event: other } = await mortal.log.waitFor('client-connected');
  await client.log.waitFor('ready', ({ sessionId }) => sessionId === session.sessionId);
  await client.log.waitFor('ready', ({ sessionId }) => sessionId === other.sessionId);

  const steadyVisitor = connect(steadyPort, '127.0.0.1');
  const mortalVisitor = connect(mortalPort, '127.0.0.1');
  const left = new Promise((resolve) => mortalVisitor.on('error', () => {}).on('close', resolve));
  expect(await answerTo(steadyVisitor, 'one')).toBe('one');
  expect(await answerTo(mortalVisitor, 'two')).toBe('two');
  expect(client.client.status()).toMatchObject({ state: 'ready', streams: 2, tunnels: [{ isOpen: true }] });

  mortal.server.abort();
  await client.log.waitFor('disconnected');
  await left;
  expect(await answerTo(steadyVisitor, 'three')).toBe('three');
  const newcomer = connect(steadyPort, '127.0.0.1');
  expect(await answerTo(newcomer, 'four')).toBe('four');
  newcomer.destroy();
  expect(client.client.status()).toMatchObject({ state: 'ready', tunnels: [{ isOpen: true }] });

  await using back = await startServer({ identity: mortal.identity, port: mortal.port });
  const returned = connect(await publicPortOf(back), '127.0.0.1');
  expect(await answerTo(returned, 'five')).toBe('five');
  expect(await answerTo(steadyVisitor, 'six')).toBe('six');
  expect(steady.log.all('client-disconnected')).toEqual([]);
  expect(steady.log.all('client-connected')).toHaveLength(1);

  returned.destroy();
  steadyVisitor.destroy();
  await client.client.stop();
  expect(client.log.all('stopped')).toHaveLength(1);
  expect(client.client.status().state).toBe('stopped');
});

async function publicPortOf({ log }: RunningServer): Promise<number> {
  const { event } = await log.waitFor('tunnel-opened');
  return event.port ?? 0;
}

async function answerTo(visitor: Socket, message: string): Promise<string> {
  const answer = new Promise<Buffer>((resolve, reject) => visitor.once('data', resolve).once('error', reject));
  visitor.write(message);
  return (await answer).toString();
}
