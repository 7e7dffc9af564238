import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { cutOff, startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';

async function exchange(visitor: Socket, message: string): Promise<string> {
  visitor.write(message);
  return new Promise((resolve, reject) => {
    visitor.once('data', (data) => resolve(data.toString()));
    visitor.once('error', reject);
  });
}

function resetOf(visitor: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    visitor.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    visitor.once('end', () => resolve('end'));
  });
}

test('after the resume window both ends reset, and the client says how many connections were lost', async () => {
  await using service = await startEcho();
  await using server = await startServer({ resumeWindowMs: 500 });
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port]);
  const port = client.ports[0]!;
  const visitors = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  for (const visitor of visitors) expect(await exchange(visitor, 'hello')).toBe('hello');
  const resets = visitors.map(resetOf);
  const expired = new Promise((resolve) => server.server.once('client-expired', resolve));
  const ready = client.next('ready');
  relay.refuse();
  relay.resetAll();
  expect(await expired).toMatchObject({ lostStreams: 2 });
  expect(await Promise.all(resets)).toEqual(['ECONNRESET', 'ECONNRESET']);
  await service.waitForOpenConnections(0);
  relay.refuse(false);
  expect(await ready).toMatchObject({ resumed: false, lostStreams: 2, tunnels: [{ port }] });
});

test('a server that was started anew does not know the session: reset, and a new one on the same port', async () => {
  await using service = await startEcho();
  const first = await startServer();
  const identity = { identity: first.identity };
  await using client = await startClient(first.port, [service.port]);
  const port = client.ports[0]!;
  const visitor = connect(port, '127.0.0.1');
  expect(await exchange(visitor, 'hello')).toBe('hello');
  const reset = resetOf(visitor);
  const ready = client.next('ready');
  first.server.abort();
  await using _second = await startServer({ ...identity, port: first.port });
  expect(await reset).toBe('ECONNRESET');
  await service.waitForOpenConnections(0);
  expect(await ready).toMatchObject({ resumed: false, tunnels: [{ port }] });
});

test('visitors who come while there is no link are served by the next one', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port]);
  await cutOff(server, relay);
  const visitor = connect(client.ports[0]!, '127.0.0.1');
  const answer = exchange(visitor, 'patience');
  await new Promise((resolve) => visitor.once('connect', resolve));
  relay.refuse(false);
  expect(await answer).toBe('patience');
  visitor.destroy();
});

test('no more than 64 visitors wait for a link; those beyond are reset at once', async () => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [service.port]);
  const port = client.ports[0]!;
  await cutOff(server, relay);
  const visitors: Socket[] = [];
  for (let count = 0; count < 64; count += 1) {
    const visitor = connect(port, '127.0.0.1');
    visitor.on('error', () => {});
    visitors.push(visitor);
    await new Promise((resolve) => visitor.once('connect', resolve));
  }
  const refused = new Promise((resolve) => server.server.once('visitor-refused', resolve));
  const oneTooMany = connect(port, '127.0.0.1');
  expect(await resetOf(oneTooMany)).toBe('ECONNRESET');
  expect(await refused).toMatchObject({ code: 'session-lost' });
  const answers = visitors.map((visitor, index) => exchange(visitor, `visitor ${index}`));
  relay.refuse(false);
  expect(await Promise.all(answers)).toEqual(visitors.map((_, index) => `visitor ${index}`));
  for (const visitor of visitors) visitor.destroy();
});
