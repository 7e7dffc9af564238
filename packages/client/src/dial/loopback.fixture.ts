// Servers on loopback for the tests of this folder; each ends with its test.
import type { EventEmitter } from 'node:events';
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

import { TunnelError } from '@tunnel/shared';
import { expect, onTestFinished } from 'vitest';

/** Listens on a free port of 127.0.0.1. The server and all its connections are closed after the test. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

/** A server that passes every connection to `onConnection`. */
export function listenRaw(onConnection: (socket: Socket) => void): Promise<number> {
  return listen(createServer(onConnection));
}

/** A port on which nothing listens: it was free a moment ago. */
export async function refusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A connected client socket. */
export async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  // As the previous step leaves it.
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** Waits for 'close' and returns its arguments. Unlike `once` it ignores errors before that. */
export function closeOf(emitter: EventEmitter): Promise<unknown[]> {
  return new Promise((resolve) => {
    emitter.once('close', (...given: unknown[]) => resolve(given));
  });
}

/** The `TunnelError` that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<TunnelError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunnelError);
  return error as TunnelError;
}
