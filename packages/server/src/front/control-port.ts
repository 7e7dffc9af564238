import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  isIPv6,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, prepareSocket } from '@tunnel/shared/node';
import type { Certificate } from '../certificates/certificate-files.ts';
import type { Connections } from './connections.ts';
import type { PeerReader } from './peer-reader.ts';

/** A connection that does not send its request within this is ended, in ms. */
const HTTP_REQUEST_TIMEOUT_MS = 10_000;

/** How long connections whose links were told to close may take, in ms. */
const CLOSE_GRACE_MS = 1_000;

export interface ControlPortOptions {
  /** Undefined: without TLS. */
  readonly certificate: Certificate | undefined;
  readonly connections: Connections;
  /** Takes the requests of clients. */
  readonly acceptor: { upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void };
  readonly peers: PeerReader;
  /** A connection came to nothing before there was a request. */
  readonly onRefused: (error: TunnelError, address: string) => void;
  /** An option of a connection cannot be set. */
  readonly onWarning: (reason: string) => void;
}

/** The listener for clients: TCP, what a load balancer puts in front, TLS where there is a certificate, HTTP. */
export class ControlPort {
  readonly #options: ControlPortOptions;
  readonly #tcp: TcpServer;
  readonly #http: HttpServer | HttpsServer;

  constructor(options: ControlPortOptions) {
    this.#options = options;
    const { acceptor, certificate } = options;
    this.#http = createHttp(certificate);
    this.#http.on('upgrade', (request, socket, head) => acceptor.upgrade(request, socket as Socket, head));
    this.#http.on('request', answer);
    // As the servers of `node:http` and `node:https` do by themselves.
    this.#tcp = createTcpServer({ allowHalfOpen: !certificate }, (socket) => this.#onConnection(socket));
  }

  /** Rejects with `listen-in-use`, `listen-denied` or `listen-failed`. */
  async listen(host: string | undefined, port: number): Promise<void> {
    await listen(this.#tcp, host, port);
    // It watches how long requests take only once it believes that it listens itself.
    this.#http.emit('listening');
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo | null)?.port ?? 0;
  }

  setCertificate({ cert, key }: Certificate): void {
    if ('setSecureContext' in this.#http) this.#http.setSecureContext({ cert, key });
  }

  /** Gives the port back. Connections stay. */
  close(): void {
    this.#tcp.close();
    // Not a listener: it has nothing to close but its watch over requests.
    this.#http.close(() => {});
  }

  /** After `close`, and where links were told to close: waits for their connections, a second at most. */
  async closed(): Promise<void> {
    this.#http.closeIdleConnections();
    await this.#options.connections.ended(CLOSE_GRACE_MS);
  }

  #onConnection(socket: Socket): void {
    const { connections, peers, onRefused, onWarning } = this.#options;
    connections.add(socket);
    const error = prepareSocket(socket);
    if (error) onWarning(`TCP keepalive cannot be set: ${error.message}`);
    const { address, port } = connections.peerOf(socket);
    peers.read(socket, {
      onPeer: (peer) => {
        connections.identify(socket, peer);
        this.#http.emit('connection', socket);
      },
      onUnusable: (reason) => {
        onRefused(new TunnelError('proxy-header-unusable', { detail: reason }), formatEnd(address, port));
      },
    });
  }
}

function createHttp(certificate: Certificate | undefined): HttpServer | HttpsServer {
  const options = {
    headersTimeout: HTTP_REQUEST_TIMEOUT_MS,
    requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 1,
  };
  if (!certificate) return createHttpServer(options);
  const { cert, key } = certificate;
  return createHttpsServer({ ...options, cert, key, handshakeTimeout: HTTP_REQUEST_TIMEOUT_MS });
}

const HEALTHY = 'ok\n';

/** To what is no WebSocket. `/healthz` says that the process answers, also while it drains: links are resumed here then. */
const answer: RequestListener = ({ method, url = '' }, response) => {
  const headers = { Connection: 'close', 'Content-Type': 'text/plain' };
  if ((method === 'GET' || method === 'HEAD') && url.split('?', 1)[0] === '/healthz') {
    response.writeHead(200, { ...headers, 'Cache-Control': 'no-store', 'Content-Length': HEALTHY.length });
    response.end(HEALTHY);
    return;
  }
  response.writeHead(426, { ...headers, Upgrade: 'websocket' });
  response.end('This is a tunnel server. Reach it with: tunnel local <port> --to <this address>\n');
};

function listen(tcp: TcpServer, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    tcp.once('error', (cause: NodeJS.ErrnoException) => {
      const code =
        cause.code === 'EADDRINUSE' ? 'listen-in-use' : cause.code === 'EACCES' ? 'listen-denied' : 'listen-failed';
      const address = host === undefined ? `port ${port}` : formatEnd(host, port);
      const detail = code !== 'listen-failed' ? address : `${address}, ${describeListenError(cause)}`;
      reject(new TunnelError(code, { detail, cause }));
    });
    tcp.listen({ host, port, backlog: 4096 }, () => {
      // A listener that fails later (out of file descriptors) goes on with the next connection.
      tcp.removeAllListeners('error').on('error', () => {});
      resolve();
    });
  });
}

function describeListenError(error: NodeJS.ErrnoException): string {
  return error.code === 'EADDRNOTAVAIL' ? 'this machine has no such address' : describeSystemError(error);
}

function formatEnd(address: string, port: number): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}
