import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Connections, UNPROVEN_CONNECTION_LIMIT } from './connections.ts';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress = '192.0.2.9';
  readonly localPort: number;
  destroyed = false;

  constructor(remoteAddress: string, remotePort: number, localPort = 7835) {
    super();
    this.localPort = localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function add(connections: Connections, address: string, port: number): FakeSocket & Socket {
  const socket = new FakeSocket(address, port) as unknown as FakeSocket & Socket;
  connections.add(socket);
  return socket;
}

test('an address that floods the port with connections displaces its own', () => {
  const connections = new Connections();
  const patient = add(connections, '203.0.113.9', 1);
  const first = add(connections, '203.0.113.7', 1);
  for (let port = 2; port < UNPROVEN_CONNECTION_LIMIT; port += 1) add(connections, '203.0.113.7', port);
  expect(first.destroyed).toBe(false);
  const newcomer = add(connections, '203.0.113.8', 1);
  expect([first.destroyed, patient.destroyed, newcomer.destroyed]).toEqual([true, false, false]);
  expect(connections.count).toBe(UNPROVEN_CONNECTION_LIMIT);
});

test('who proved who it is does not count, and one behind a proxy counts for the forwarded address', () => {
  const connections = new Connections();
  const proven = add(connections, '203.0.113.7', 1);
  const forwarded = add(connections, '203.0.113.7', 2);
  connections.proven(proven);
  connections.countFor(forwarded, '198.51.100.1');
  for (let port = 3; port < UNPROVEN_CONNECTION_LIMIT + 4; port += 1) add(connections, '203.0.113.7', port);
  expect([proven.destroyed, forwarded.destroyed]).toEqual([false, false]);
});

test('TLS in a connection has the same peer as the connection, also where a load balancer told it', () => {
  const connections = new Connections();
  const socket = add(connections, '10.0.0.9', 1);
  const peer = { address: '203.0.113.7', port: 51_000, destination: '192.0.2.1' };
  connections.identify(socket, peer);
  expect(connections.peerOf(new FakeSocket('10.0.0.9', 1) as unknown as Socket)).toEqual(peer);
  socket.destroy();
  expect(connections.peerOf(new FakeSocket('10.0.0.9', 1) as unknown as Socket).address).toBe('10.0.0.9');
});

test('connections from one port to two listeners have a peer each', () => {
  const connections = new Connections();
  const peers = [80, 443].map((localPort) => {
    const socket = new FakeSocket('10.0.0.9', 1, localPort) as unknown as Socket;
    const peer = { address: '203.0.113.7', port: localPort, destination: '192.0.2.1' };
    connections.add(socket);
    connections.identify(socket, peer);
    return { socket, peer };
  });
  for (const { socket, peer } of peers) expect(connections.peerOf(socket)).toEqual(peer);
});
