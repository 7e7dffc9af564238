import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Claims, MemoryRegistry, TunnelError } from '@tunnel/shared';
import { afterEach, expect, test } from 'vitest';
import { Access } from '../access/access.ts';
import { AuthorizedKeys } from '../access/authorized-keys.ts';
import { PortPolicy } from '../access/port-policy.ts';
import { PeerReader } from '../front/peer-reader.ts';
import { EndpointRefusal } from './endpoint-refusal.ts';
import { type EndpointHolder, Endpoints, type GrantedEndpoint } from './endpoints.ts';
import { TcpPorts } from './tcp/tcp-ports.ts';

const toClose: (GrantedEndpoint | Server)[] = [];
afterEach(() => {
  for (const each of toClose.splice(0)) each.close();
});

/** Endpoints of a server that admits only `limited`, with so many tunnels. */
function endpointsFor(tunnels: number): Endpoints {
  const access = new Access('key', []);
  access.keys = new AuthorizedKeys([{ publicKey: 'limited', comment: '', tunnels, reserved: [] }]);
  const policy = new PortPolicy(access, { first: 20_000, last: 65_535 });
  let nonceCount = 0;
  return new Endpoints({
    kinds: [new TcpPorts({ host: '127.0.0.1', publicHost: '', policy, peers: new PeerReader([]) })],
    claims: new Claims({
      registry: new MemoryRegistry(),
      kinds: ['port'],
      nonce: () => `${(nonceCount += 1)}`,
      onLost: () => {},
    }),
    tunnelLimitOf: (clientKey) => access.entryOf(clientKey)?.tunnels ?? Infinity,
    keptUntil: 0,
    monotonicNow: () => 0,
    wallNow: () => 0,
  });
}

let sessionCount = 0;

/** A tunnel of a session of its own. */
function holder(clientKey: string): EndpointHolder & { readonly isGone: boolean } {
  return {
    clientKey,
    label: '',
    share: clientKey,
    holder: `session ${(sessionCount += 1)}`,
    hasLink: true,
    isGone: false,
    answers: async () => true,
    giveUp(this: { isGone: boolean }) {
      this.isGone = true;
    },
    onVisitor: (connection) => connection.destroy(),
    onUnusable: () => {},
  };
}

/** A port that another program on this machine has. */
async function occupiedPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  toClose.push(server);
  await once(server, 'listening');
  return String((server.address() as AddressInfo).port);
}

/** What becomes of requests that come at once: `granted`, or the code of the refusal. */
function outcomesOf(
  endpoints: Endpoints,
  wanted: readonly string[],
  clientKey = 'limited',
): Promise<readonly string[]> {
  const outcomes = wanted.map(async (port) => {
    try {
      toClose.push(await endpoints.open(1, port, holder(clientKey)));
      return 'granted';
    } catch (error) {
      return error instanceof TunnelError ? error.code : String(error);
    }
  });
  return Promise.all(outcomes);
}

test('a request that is refused anyway takes no place from others in the same row', async () => {
  expect(await outcomesOf(endpointsFor(2), ['', '80', '', ''])).toEqual([
    'granted',
    'port-not-allowed',
    'granted',
    'tunnel-limit',
  ]);
});

test('nor does one whose port turns out to be taken', async () => {
  const taken = await occupiedPort();
  expect(await outcomesOf(endpointsFor(1), [taken, taken, '', ''])).toEqual([
    'port-in-use',
    'port-in-use',
    'granted',
    'tunnel-limit',
  ]);
});

test('a place is free again once its tunnel is closed', async () => {
  const endpoints = endpointsFor(1);
  const first = await endpoints.open(1, '', holder('limited'));
  expect(await outcomesOf(endpoints, [''])).toEqual(['tunnel-limit']);
  first.close();
  expect(await outcomesOf(endpoints, ['', ''])).toEqual(['granted', 'tunnel-limit']);
});

test('processes that do not answer any more make room, as many as are wanted at once', async () => {
  const endpoints = endpointsFor(3);
  const dead = [1, 2, 3].map(() => ({ ...holder('limited'), answers: async () => false }));
  for (const each of dead) toClose.push(await endpoints.open(1, '', each));
  expect(await outcomesOf(endpoints, ['', ''])).toEqual(['granted', 'granted']);
  expect(dead.filter(({ isGone }) => isGone).length).toBe(2);
});

test('whoever took a port over keeps it when the one before closes it', async () => {
  const endpoints = endpointsFor(2);
  const dead = { ...holder('limited'), answers: async () => false };
  const before = await endpoints.open(1, '', dead);
  const after = await endpoints.open(1, before.name, holder('limited'));
  expect(after.name).toBe(before.name);
  before.close();
  expect(endpoints.count).toBe(1);
  after.close();
  expect(endpoints.count).toBe(0);
});

test('a client does not learn whether a client or another program has a port; the operator does', async () => {
  const endpoints = endpointsFor(9);
  const byProgram = await occupiedPort();
  const byClient = await endpoints.open(1, '', holder('other'));
  toClose.push(byClient);
  const refusals = await Promise.all(
    [byProgram, byClient.name].map((name) =>
      endpoints.open(1, name, holder('limited')).catch((error: unknown) => error),
    ),
  );
  const said = refusals.map((refusal) => (refusal instanceof EndpointRefusal ? refusal : undefined));
  expect(said.map((refusal) => refusal?.detail)).toEqual([
    `${byProgram}, by somebody else`,
    `${byClient.name}, by somebody else`,
  ]);
  expect(said.map((refusal) => refusal?.forOperator)).toEqual([
    `the public port is in use: ${byProgram}, by another program on this machine`,
    `the public port is in use: ${byClient.name}, by another client`,
  ]);
});
