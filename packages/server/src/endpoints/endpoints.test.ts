import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Claims, formatRecord, MemoryRegistry, TunnelError } from '@tunnel/shared';
import { afterEach, expect, test } from 'vitest';
import { Access } from '../access/access.ts';
import { AuthorizedKeys } from '../access/authorized-keys.ts';
import { PortPolicy } from '../access/port-policy.ts';
import { PeerReader } from '../front/peer-reader.ts';
import type { Choice, EndpointKind, OpenEndpoint, Wish } from './endpoint.ts';
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

/** A kind without sockets: the names are letters, and one may be reserved, for `owner`. */
class Letters implements EndpointKind {
  readonly number = 2;
  readonly prefix = 'letter';
  readonly codes = { taken: 'port-in-use', notAllowed: 'port-not-allowed', unavailable: 'port-unavailable' } as const;
  readonly forbidden = new Set<string>();
  readonly opened: string[] = [];
  /** What happens while a name is being opened. */
  whileOpening: () => Promise<unknown> = () => Promise.resolve();
  reserved: string | undefined;

  requireTerms(): void {}

  choose({ wanted, remembered }: Wish): Choice {
    if (wanted !== '') return { kind: 'one', name: wanted };
    const names = [...(remembered === undefined ? [] : [remembered]), 'a', 'b', 'c'];
    return {
      kind: 'any',
      candidates: names.map((name) => ({ name, takenFrom: 'nobody' })),
      exhausted: (areSomeKept) => new TunnelError('port-unavailable', { detail: areSomeKept ? 'kept' : 'none' }),
    };
  }

  permits(name: string): boolean {
    return !this.forbidden.has(name);
  }

  refusalOf(name: string): TunnelError {
    return new TunnelError('port-not-allowed', { detail: name });
  }

  isReserved(name: string, clientKey: string): boolean {
    return name === this.reserved && clientKey === 'owner';
  }

  async open(name: string): Promise<OpenEndpoint> {
    this.opened.push(name);
    await this.whileOpening();
    return { addresses: [`letter:${name}`], close: () => void this.opened.splice(this.opened.indexOf(name), 1) };
  }
}

/** Names are kept while the clock is below 1,000. */
function lettersWith(clock: { nowMs: number } = { nowMs: 1_000 }): { letters: Letters; endpoints: Endpoints } {
  const letters = new Letters();
  const remembered = { clientKey: 'before', label: 'web', share: 'before', holder: undefined, usedAt: 0, nonce: '' };
  let nonceCount = 0;
  const claims = new Claims({
    registry: new MemoryRegistry([['letter/b', formatRecord(remembered)]]),
    kinds: ['letter'],
    nonce: () => `${(nonceCount += 1)}`,
    onLost: () => {},
  });
  const times = { keptUntil: 1_000, monotonicNow: () => clock.nowMs, wallNow: () => clock.nowMs };
  return { letters, endpoints: new Endpoints({ kinds: [letters], claims, tunnelLimitOf: () => Infinity, ...times }) };
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
    isLocal: true,
    isGone: false,
    answers: async () => true,
    giveUp(this: { isGone: boolean }) {
      this.isGone = true;
    },
    terms: [],
    enter: () => 'gone',
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

test('any name is the same one again, and none that somebody has', async () => {
  const { endpoints } = lettersWith();
  const back = await endpoints.open(2, '', { ...holder('before'), label: 'web' });
  expect([back.name, back.addresses]).toEqual(['b', ['letter:b']]);
  const names = [];
  for (const key of ['x', 'y']) names.push((await endpoints.open(2, '', holder(key))).name);
  expect(names).toEqual(['a', 'c']);
  await expect(endpoints.open(2, '', holder('z'))).rejects.toThrow('none');
  back.close();
  expect((await endpoints.open(2, '', { ...holder('before'), label: 'web' })).name).toBe('b');
});

test('after a start a name is kept for who had it, but from nobody that it is reserved for', async () => {
  const clock = { nowMs: 999 };
  const { letters, endpoints } = lettersWith(clock);
  letters.forbidden.add('a').add('c');
  await expect(endpoints.open(2, 'b', holder('owner'))).rejects.toThrow(
    'b is kept for a while for the client that had it last',
  );
  await expect(endpoints.open(2, '', holder('owner'))).rejects.toThrow('kept');
  letters.reserved = 'b';
  const opened = await endpoints.open(2, 'b', holder('owner'));
  opened.close();
  letters.reserved = undefined;
  await expect(endpoints.open(2, 'b', holder('other'))).rejects.toThrow(
    'b is kept for a while for the client that had it last',
  );
  clock.nowMs = 1_000;
  expect((await endpoints.open(2, 'b', holder('other'))).name).toBe('b');
});

test('what a key may not have any more by the time that it is open is given back', async () => {
  const { letters, endpoints } = lettersWith();
  letters.whileOpening = async () => letters.forbidden.add('a');
  await expect(endpoints.open(2, 'a', holder('x'))).rejects.toMatchObject({ code: 'port-not-allowed' });
  expect(letters.opened).toEqual([]);
  expect(endpoints.count).toBe(0);
});

test('a name is had although it was forgotten, for another one, while it was being opened', async () => {
  const { letters, endpoints } = lettersWith();
  const web = (): EndpointHolder => ({ ...holder('before'), label: 'web' });
  // The tunnel has another name then: this one is not remembered any more, so its record is not as it was.
  letters.whileOpening = async () => {
    letters.whileOpening = () => Promise.resolve();
    await endpoints.open(2, 'c', web());
  };
  expect((await endpoints.open(2, 'b', web())).name).toBe('b');
  expect(endpoints.count).toBe(2);
});

test('of two that open one name at the same time, the second is refused, and the name stays open', async () => {
  const { letters, endpoints } = lettersWith();
  letters.whileOpening = async () => {
    letters.whileOpening = () => Promise.resolve();
    await endpoints.open(2, 'a', holder('faster'));
  };
  await expect(endpoints.open(2, 'a', holder('slower'))).rejects.toMatchObject({ code: 'port-in-use' });
  expect(letters.opened).toEqual(['a']);
  expect(endpoints.count).toBe(1);
});

test('a kind that the server does not have is refused', async () => {
  const { endpoints } = lettersWith();
  await expect(endpoints.open(7, '', holder('x'))).rejects.toThrow('no endpoints of kind 7');
});
