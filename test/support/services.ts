import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { WebSocketServer } from 'ws';
import { defaultTimeoutMs } from './condition.ts';
import { patternBytes } from './pattern.ts';
import { receiveAll, TcpService, type Received, type Service, type ServiceOptions } from './tcp-service.ts';

export { patternBytes, PatternChecker } from './pattern.ts';
export type { Service, ServiceOptions } from './tcp-service.ts';

/** The seed of everything that the services send, where none is given. */
const defaultSeed = 1;

/** One write of a service that sends fast. */
const bytesPerWrite = 256 * 1024;

/** A service that keeps what it received. */
export interface ReceivingService extends Service {
  /** In the order in which the connections ended. */
  readonly received: readonly Received[];
  /** Resolves with what came in on the connection that was the `count`-th to end (default: the first). */
  waitForReceived(count?: number, timeoutMs?: number): Promise<Received>;
}

/** Sends back what it receives, and its end. */
export function startEcho(options: ServiceOptions = {}): Promise<Service> {
  return TcpService.listen(options, (socket) => socket.pipe(socket));
}

/** Reads everything, and ends when the other side does. */
export function startSink(options: ServiceOptions = {}): Promise<ReceivingService> {
  return startReceiving(options, (socket, keep) =>
    receiveAll(socket, (received) => {
      keep(received);
      socket.end();
    }),
  );
}

/** Sends `bytes` bytes of `patternBytes(seed, 0, …)` to every connection as fast as it takes them, then ends. */
export function startSource(bytes: number, seed: number = defaultSeed, options: ServiceOptions = {}): Promise<Service> {
  return TcpService.listen(options, (socket) => {
    socket.resume();
    patternStream(seed, bytes).pipe(socket);
  });
}

/**
 * `read-first`: reads until the end, then answers the line `<sha256> <bytes>` and ends.
 * `write-first`: sends `bytes` bytes of the pattern (default 1 MiB), ends, and goes on reading until the other end.
 */
export function startHalfCloseService(
  order: 'read-first' | 'write-first',
  options: ServiceOptions & { readonly bytes?: number; readonly seed?: number } = {},
): Promise<ReceivingService> {
  return startReceiving(options, (socket, keep) => {
    if (order === 'write-first') {
      patternStream(options.seed ?? defaultSeed, options.bytes ?? 1024 * 1024).pipe(socket);
    }
    receiveAll(socket, (received) => {
      keep(received);
      if (order === 'read-first') socket.end(`${received.sha256} ${received.bytes}\n`);
    });
  });
}

/** Accepts connections and never reads from them, nor writes. */
export function startSilent(options: ServiceOptions = {}): Promise<Service> {
  return TcpService.start(createTcpServer({ allowHalfOpen: true, pauseOnConnect: true }), options);
}

/**
 * HTTP: `GET /N` (or `/N?seed=S`) answers N pattern bytes with their content-length, `POST` reads the body and answers
 * its SHA-256 in hex. Anything else is 404.
 */
export function startFileServer(options: ServiceOptions = {}): Promise<Service> {
  const server = createHttpServer((request, response) => {
    // A visitor that goes away in the middle is no fault of the service's.
    serveFile(request, response).catch(() => response.destroy());
  });
  return TcpService.start(server, options);
}

/** A WebSocket server on every path that sends back each message as it came, text or binary. */
export async function startWebSocketEcho(options: ServiceOptions = {}): Promise<Service> {
  const server = createHttpServer();
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (webSocket) => {
    webSocket.on('error', () => {});
    webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
  });
  return TcpService.start(server, options);
}

/** The first `bytes` bytes of a pattern as a stream. */
export function patternStream(seed: number, bytes: number): Readable {
  let offset = 0;
  return new Readable({
    highWaterMark: bytesPerWrite,
    read(): void {
      const length = Math.min(bytesPerWrite, bytes - offset);
      this.push(length === 0 ? null : patternBytes(seed, offset, length));
      offset += length;
    },
  });
}

async function serveFile(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://service');
  const bytes = /^\/\d+$/.test(url.pathname) ? Number(url.pathname.slice(1)) : undefined;
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    for await (const chunk of request) hash.update(chunk as Buffer);
    response.end(hash.digest('hex'));
  } else if (request.method === 'GET' && bytes !== undefined) {
    response.writeHead(200, { 'content-length': bytes, 'content-type': 'application/octet-stream' });
    await pipeline(patternStream(Number(url.searchParams.get('seed') ?? defaultSeed), bytes), response);
  } else {
    response.writeHead(404).end();
  }
}

type Serve = (socket: Parameters<typeof receiveAll>[0], keep: (received: Received) => void) => void;

async function startReceiving(options: ServiceOptions, serve: Serve): Promise<ReceivingService> {
  const received: Received[] = [];
  const service = await TcpService.listen(options, (socket) =>
    serve(socket, (one) => {
      received.push(one);
      service.condition.changed();
    }),
  );
  const waitForReceived = async (count = 1, timeoutMs: number = defaultTimeoutMs): Promise<Received> => {
    await service.condition.until(`end ${count}`, () => received.length >= count, timeoutMs);
    return received[count - 1] as Received;
  };
  return Object.assign(service, { received, waitForReceived });
}
