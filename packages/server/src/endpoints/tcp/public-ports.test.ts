import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { afterEach, expect, test } from 'vitest';
import { Access } from '../../access/access.ts';
import { AuthorizedKeys } from '../../access/authorized-keys.ts';
import { Leases } from '../../leases/leases.ts';
import { PeerReader } from '../../front/peer-reader.ts';
import { type PortHolder, PortRefusal, type PublicPort, PublicPorts } from './public-ports.ts';

const toClose: (PublicPort | Server)[] = [];
afterEach(() => {
  for (const each of toClose.splice(0)) each.close();
});

function portsFor(tunnels: number): PublicPorts {
  const access = new Access('key', []);
  access.keys = new AuthorizedKeys([{ publicKey: 'limited', comment: '', tunnels, reserved: [] }]);
  return new PublicPorts({
    host: '127.0.0.1',
    bounds: { first: 20_000, last: 65_535 },
    access,
    leases: new Leases([], 0),
    reservedUntil: 0,
    onLeased: () => {},
    peers: new PeerReader([]),
  });
}

function holder(clientKey: string): PortHolder & { readonly isGone: boolean } {
  return {
    clientKey,
    name: '',
    share: clientKey,
    hasLink: true,
    isGone: false,
    answers: async () => true,
    giveUp(this: { isGone: boolean }) {
      this.isGone = true;
    },
    onVisitor: (socket) => socket.destroy(),
    onUnusable: () => {},
  };
}

/** A port that another program on this machine has. */
async function occupiedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  toClose.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What becomes of requests that come at once: `granted`, or the code of the refusal. */
function outcomesOf(ports: PublicPorts, wanted: readonly number[], clientKey = 'limited'): Promise<readonly string[]> {
  const outcomes = wanted.map(async (port) => {
    try {
      toClose.push(await ports.open(port, holder(clientKey)));
      return 'granted';
    } catch (error) {
      return error instanceof TunnelError ? error.code : String(error);
    }
  });
  return Promise.all(outcomes);
}

test('a request that is refused anyway takes no place from others in the same row', async () => {
  expect(await outcomesOf(portsFor(2), [0, 80, 0, 0])).toEqual([
    'granted',
    'port-not-allowed',
    'granted',
    'tunnel-limit',
  ]);
});

test('nor does one whose port turns out to be taken', async () => {
  const taken = await occupiedPort();
  expect(await outcomesOf(portsFor(1), [taken, taken, 0, 0])).toEqual([
    'port-in-use',
    'port-in-use',
    'granted',
    'tunnel-limit',
  ]);
});

test('a place is free again once its tunnel is closed', async () => {
  const ports = portsFor(1);
  const first = await ports.open(0, holder('limited'));
  expect(await outcomesOf(ports, [0])).toEqual(['tunnel-limit']);
  first.close();
  expect(await outcomesOf(ports, [0, 0])).toEqual(['granted', 'tunnel-limit']);
});

test('processes that do not answer any more make room, as many as are wanted at once', async () => {
  const ports = portsFor(3);
  const dead = [1, 2, 3].map(() => ({ ...holder('limited'), answers: async () => false }));
  for (const each of dead) toClose.push(await ports.open(0, each));
  expect(await outcomesOf(ports, [0, 0])).toEqual(['granted', 'granted']);
  expect(dead.filter(({ isGone }) => isGone).length).toBe(2);
});

test('whoever took a port over keeps it when the one before closes it', async () => {
  const ports = portsFor(2);
  const dead = { ...holder('limited'), answers: async () => false };
  const before = await ports.open(0, dead);
  const after = await ports.open(before.port, holder('limited'));
  expect(after.port).toBe(before.port);
  before.close();
  expect(ports.count).toBe(1);
  after.close();
  expect(ports.count).toBe(0);
});

test('a client does not learn whether a client or another program has a port; the operator does', async () => {
  const ports = portsFor(9);
  const byProgram = await occupiedPort();
  const byClient = await ports.open(0, holder('other'));
  toClose.push(byClient);
  const refusals = await Promise.all(
    [byProgram, byClient.port].map((port) => ports.open(port, holder('limited')).catch((error: unknown) => error)),
  );
  const said = refusals.map((refusal) => (refusal instanceof PortRefusal ? refusal : undefined));
  expect(said.map((refusal) => refusal?.detail)).toEqual([
    `${byProgram}, by somebody else`,
    `${byClient.port}, by somebody else`,
  ]);
  expect(said.map((refusal) => refusal?.forOperator)).toEqual([
    `the public port is in use: ${byProgram}, by another program on this machine`,
    `the public port is in use: ${byClient.port}, by another client`,
  ]);
});
