// Nobody takes all the sessions of a server.
import { randomBytes } from 'node:crypto';
import { AuthorizedKeys } from '@tunnel/server';
import { encodeKey, nodeCrypto } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { connectByHand, type HandLink } from './support/hand-driven.ts';
import { startServer } from './support/pair.ts';

async function sessionsOf(port: number, identity: Uint8Array, count: number): Promise<HandLink[]> {
  const links: HandLink[] = [];
  while (links.length < count) links.push(await connectByHand(port, {}, { identity }));
  return links;
}

test('one key has 256 sessions at most, those without a link make room, and others are not touched', async () => {
  await using server = await startServer();
  const greedy = randomBytes(32);
  const links = await sessionsOf(server.port, greedy, 256);
  await expect(connectByHand(server.port, {}, { identity: greedy })).rejects.toThrow(
    /at-capacity.*30000.*this key may have 256 sessions at a time/,
  );
  await using _other = await connectByHand(server.port);
  await server.log.waitFor('client-refused', ({ code }) => code === 'at-capacity');

  const lost = server.log.waitForNext('client-disconnected');
  await links[100]?.[Symbol.asyncDispose]();
  const { sessionId } = (await lost).event;
  const madeRoom = server.log.waitForNext('client-disconnected');
  await using _next = await connectByHand(server.port, {}, { identity: greedy });
  expect((await madeRoom).event).toMatchObject({ sessionId, code: 'at-capacity', ended: true });
  expect(server.server.status()).toMatchObject({ linkedSessions: 257, waitingSessions: 0 });
});

test('the authorized keys may say another number', async () => {
  const identity = randomBytes(32);
  const publicKey = encodeKey(nodeCrypto.publicKey(identity));
  const keys = new AuthorizedKeys([{ publicKey, comment: '', reserved: [], sessions: 1 }]);
  await using server = await startServer({
    authorizedKeys: { read: () => Promise.resolve(keys), watch: () => ({ [Symbol.dispose]: () => {} }) },
    require: 'either',
  });
  await using _only = await connectByHand(server.port, {}, { identity });
  await expect(connectByHand(server.port, {}, { identity })).rejects.toThrow(/this key may have 1 sessions? at a time/);
});
