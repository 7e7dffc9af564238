import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { OwnConnections } from './own-connections.ts';

function socketBetween(localAddress: string, localPort: number, remoteAddress: string, remotePort: number): Socket {
  return Object.assign(new EventEmitter(), { localAddress, localPort, remoteAddress, remotePort }) as unknown as Socket;
}

const visitor = (address: string, port: number, destination: string, destinationPort: number) => ({
  address,
  port,
  destination,
  destinationPort,
});

test('knows a connection by both of its ends, however they are written', () => {
  const own = new OwnConnections(() => 0);
  own.add(socketBetween('::ffff:127.0.0.1', 50_000, '::ffff:127.0.0.1', 7000));
  expect(own.has(visitor('127.0.0.1', 50_000, '127.0.0.1', 7000))).toBe(true);
  expect(own.has(visitor('127.0.0.1', 50_000, '127.0.0.1', 7001))).toBe(false);
  expect(own.has(visitor('127.0.0.1', 50_001, '127.0.0.1', 7000))).toBe(false);
  expect(own.has(visitor('127.0.0.1', 50_000, '', 7000))).toBe(false);
});

test('knows it for a minute after its end, and the last 1024 of them', () => {
  let now = 0;
  const own = new OwnConnections(() => now);
  const end = (port: number): void => {
    const socket = socketBetween('::1', port, '::1', 7000);
    own.add(socket);
    socket.emit('close');
  };
  end(1);
  now += 59_999;
  expect(own.has(visitor('::1', 1, '::1', 7000))).toBe(true);
  now += 1;
  expect(own.has(visitor('::1', 1, '::1', 7000))).toBe(false);
  for (let port = 2; port <= 1026; port += 1) end(port);
  expect(own.has(visitor('::1', 2, '::1', 7000))).toBe(false);
  expect(own.has(visitor('::1', 3, '::1', 7000))).toBe(true);
});
