import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Client } from '@tunnel/client';
import { PRIVATE_MODE } from '@tunnel/shared/node';
import { askClient } from './control-connection.ts';
import { formatAnswer, MAX_REQUEST_BYTES, parseRequest, REQUEST_TIMEOUT_MS, WATCH_INTERVAL_MS } from './protocol.ts';
import { reportOf } from '../reports/client-report.ts';
import {
  isPipe,
  listPlaces,
  newPlace,
  publishPlace,
  removePlace,
  removeStalePlace,
  type SocketPlace,
} from './socket-place.ts';

/** Further connections are closed at once. */
const MAX_CONNECTIONS = 32;

/** Events after which a client's status is another one. */
const CHANGES = ['ready', 'disconnected', 'retrying', 'stopped'] as const;

/**
 * Answers `tunnel status` and `tunnel retry` for this client until it is disposed of, at a socket of mode 0600 in this
 * directory of mode 0700, on Windows at a named pipe. Removes what processes left there that were killed.
 */
export async function serveControl(directory: string, client: Client): Promise<AsyncDisposable> {
  const place = await newPlace(directory);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    takeRequest(socket, client);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await removePlace(place);
  };
  try {
    await listen(server, place);
    await publishPlace(place);
  } catch (error) {
    await close();
    throw error;
  }
  // Nobody has to wait for that.
  void removeStalePlaces(directory, place.name);
  return { [Symbol.asyncDispose]: close };
}

async function listen(server: Server, { socket }: SocketPlace): Promise<void> {
  server.listen(socket);
  await once(server, 'listening');
  server.on('error', () => {});
  server.unref();
  // Until here the directory keeps others out.
  if (!isPipe(socket)) await chmod(socket, PRIVATE_MODE);
}

async function removeStalePlaces(directory: string, own: string): Promise<void> {
  try {
    for (const place of await listPlaces(directory)) {
      if (place.name === own) continue;
      const answer = await askClient(place, 'status');
      if ('isGone' in answer) await removeStalePlace(place);
    }
  } catch {
    // `tunnel status` tells what is wrong with the directory.
  }
}

/** Reads one line, no more than it may be and no longer than it may take, and does what it says. */
function takeRequest(socket: Socket, client: Client): void {
  let request = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS);
  socket.on('close', () => clearTimeout(timer));
  const onData = (chunk: Buffer): void => {
    request = Buffer.concat([request, chunk]);
    const end = request.indexOf('\n');
    if (end === -1 && request.length <= MAX_REQUEST_BYTES) return;
    clearTimeout(timer);
    socket.off('data', onData);
    // Whatever follows is not wanted. Unread, it would keep the end of the connection from being seen.
    socket.resume();
    if (end === -1 || end > MAX_REQUEST_BYTES) {
      socket.end(formatAnswer({ error: `a request has at most ${MAX_REQUEST_BYTES} bytes` }));
    } else {
      answer(socket, request.toString('utf8', 0, end), client);
    }
  };
  socket.on('data', onData);
}

function answer(socket: Socket, line: string, client: Client): void {
  const request = parseRequest(line);
  if ('error' in request) {
    socket.end(formatAnswer(request));
    return;
  }
  const report = formatAnswer({ client: reportOf(client.status()) });
  switch (request.command) {
    case 'status':
      socket.end(report);
      return;
    case 'retry':
      client.retryNow();
      socket.end(report);
      return;
    case 'watch':
      socket.write(report);
      keepTelling(socket, client);
  }
}

function keepTelling(socket: Socket, client: Client): void {
  const tell = (): void => {
    // Who does not read gets no more: this line is only worth something while it is new.
    if (socket.writableLength === 0) socket.write(formatAnswer({ client: reportOf(client.status()) }));
  };
  // The client emits some events a moment before it is in the state that they tell of.
  const onChange = (): void => void setImmediate(() => socket.writable && tell());
  const timer = setInterval(tell, WATCH_INTERVAL_MS);
  for (const name of CHANGES) client.on(name, onChange);
  socket.on('close', () => {
    clearInterval(timer);
    for (const name of CHANGES) client.off(name, onChange);
  });
}
