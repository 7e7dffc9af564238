// Whose a host name is: what takeover.test.ts and authorized-keys.test.ts ask of ports, of HTTP tunnels.
import { get } from 'node:http';
import { AuthorizedKeys, type AuthorizedKey } from '@tunnel/server';
import { encodeKey, nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { cutOff, type RunningClient, startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';

/** HTTP tunnels end inside this process, and answer with a word. */
function answering(word: string, host?: string): { readonly tunnels: [never] } {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${word.length}\r\n\r\n${word}`;
  const target = (visitor: NodeJS.ReadWriteStream): void => void visitor.once('data', () => visitor.write(answer));
  return { tunnels: [{ target, http: { host } } as never] };
}

/** What a visitor of this host gets: the word, or the status of a refusal. */
function visit(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false, headers: { host } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? body : String(response.statusCode)));
    });
    request.on('error', reject);
  });
}

async function hostOf(client: RunningClient): Promise<string> {
  const { event } = await client.log.waitFor('ready');
  return new URL(event.tunnels[0]?.url ?? '').hostname;
}

function publicKeyOf(identity: Uint8Array): string {
  return encodeKey(nodeCrypto.publicKey(identity));
}

test('a process whose link went silent gives its host up, and visitors reach the next one', async () => {
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const identity = randomBytes(32);
  await using first = await startClient(relay.port, [], { identity, ...answering('first', 'shop') });
  expect(await hostOf(first)).toBe('shop.localhost');
  expect(await visit(server.port, 'shop.localhost')).toBe('first');
  relay.silence({ future: true });
  await using second = await startClient(server.port, [], { identity, ...answering('second', 'shop') });
  expect(await hostOf(second)).toBe('shop.localhost');
  expect(await visit(server.port, 'shop.localhost')).toBe('second');
});

test('a second live process is refused, and so is another client, also while the first has no link', async () => {
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  const identity = randomBytes(32);
  await using _first = await startClient(relay.port, [], { identity, ...answering('first', 'shop') });
  const late = { ...answering('late', 'shop'), waitsForReady: false };
  await using second = await startClient(server.port, [], { identity, ...late });
  expect(await second.next('stopped')).toMatchObject({ code: 'host-in-use', exitCode: 5 });
  await cutOff(server, relay);
  await using stranger = await startClient(server.port, [], late);
  expect(await stranger.next('stopped')).toMatchObject({ code: 'host-in-use', exitCode: 5 });
});

test('a client that asks for no host has the same one after a restart of both, without any leases', async () => {
  const [identity, serverIdentity] = [randomBytes(32), randomBytes(32)];
  const hosts = new Set<string>();
  for (let round = 0; round < 2; round += 1) {
    await using server = await startServer({ identity: serverIdentity });
    await using client = await startClient(server.port, [], { identity, ...answering('hello') });
    const host = await hostOf(client);
    hosts.add(host);
    expect(await visit(server.port, host)).toBe('hello');
    await using other = await startClient(server.port, [], { identity, ...answering('other') });
    expect(await hostOf(other)).not.toBe(host);
  }
  expect([...hosts]).toEqual([expect.stringMatching(/^in-process-[a-z2-7]{10}\.localhost$/)]);
});

test('the authorized keys say who may have which host, also once they change', async () => {
  const [owner, other] = [randomBytes(32), randomBytes(32)];
  const list = (...keys: readonly Partial<AuthorizedKey>[]): AuthorizedKeys =>
    new AuthorizedKeys(
      keys.map((key, index) => ({
        publicKey: publicKeyOf(index === 0 ? owner : other),
        comment: '',
        reserved: [],
        ...key,
      })),
    );
  let keys = list({ reservedHosts: ['shop.localhost'] }, { hosts: ['api.localhost'] });
  await using server = await startServer({
    authorizedKeys: { read: () => Promise.resolve(keys), watch: () => ({ [Symbol.dispose]: () => {} }) },
  });
  for (const [host, reason] of [
    ['shop', /shop\.localhost is reserved for another client/],
    ['web', /web\.localhost; this key may have api\.localhost/],
  ] as const) {
    const options = { identity: other, ...answering('other', host), waitsForReady: false };
    await using refused = await startClient(server.port, [], options);
    const stopped = await refused.next('stopped');
    expect(stopped).toMatchObject({ code: 'host-not-allowed', exitCode: 5 });
    expect(stopped.reason).toMatch(reason);
  }
  await using shop = await startClient(server.port, [], { identity: owner, ...answering('owner') });
  expect(await hostOf(shop)).toBe('shop.localhost');
  await using api = await startClient(server.port, [], { identity: other, ...answering('other', 'api') });
  expect(await visit(server.port, 'api.localhost')).toBe('other');
  keys = list({}, { hosts: ['www.localhost'] });
  const stopped = api.next('stopped');
  server.server.rereadKeys();
  expect(await stopped).toMatchObject({ code: 'host-not-allowed' });
  expect(await visit(server.port, 'api.localhost')).toBe('404');
  expect(await visit(server.port, 'shop.localhost')).toBe('owner');
});
