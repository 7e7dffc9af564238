import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import {
  type AddressInfo,
  createServer as createTcpServer,
  isIPv6,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, prepareSocket } from '@tunnel/shared/node';
import { ACME_PROTOCOL, type AcmeChallenges } from '../certificates/acme-challenges.ts';
import type { CertificateStore, KeyPair } from '../certificates/certificate-store.ts';
import type { Connections } from './connections.ts';
import { HEAD_TIMEOUT_MS, HEADER_COUNT_LIMIT, KEEP_ALIVE_MS, MAX_HEAD_BYTES } from './http-limits.ts';
import { Http2Connections } from './http2-connections.ts';
import type { PeerReader } from './peer-reader.ts';
import { secureOptions } from './secure-options.ts';

/** How long connections whose links were told to close may take, in ms. */
const CLOSE_GRACE_MS = 1_000;

export interface HttpListenerOptions {
  /** Undefined: without TLS. */
  readonly certificates: CertificateStore | undefined;
  /** What authorities are answered that look whether a name leads here. */
  readonly challenges: AcmeChallenges;
  readonly connections: Connections;
  /** Takes all requests. */
  readonly door: {
    request(request: IncomingMessage, response: ServerResponse): void;
    upgrade(request: IncomingMessage, socket: Socket, rest: Buffer, again: (socket: Socket) => void): void;
    unreadable(error: Error, socket: Socket): void;
    /** A request of HTTP/2. `endsWithHead`: it has no body. */
    stream(stream: ServerHttp2Stream, rawHeaders: readonly string[], endsWithHead: boolean, socket: TLSSocket): void;
  };
  readonly peers: PeerReader;
  /** A connection came to nothing before there was a request. */
  readonly onRefused: (error: TunnelError, address: string) => void;
  /** An option of a connection cannot be set. */
  readonly onWarning: (reason: string) => void;
}

/** A listener for clients and visitors: TCP, what a load balancer puts in front, TLS where there is a certificate, HTTP. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #tcp: TcpServer;
  /** Undefined: without TLS. */
  readonly #tls: TlsServer | undefined;
  readonly #http: HttpServer;
  readonly #http2: Http2Connections;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    const { door, certificates, challenges } = options;
    this.#http = createHttp();
    this.#http2 = new Http2Connections((...request) => door.stream(...request));
    this.#tls = certificates && this.#createTls(certificates, challenges);
    certificates?.onFallback((pair) => this.#setFallback(pair));
    const again = (socket: Socket): void => void this.#http.emit('connection', socket);
    this.#http.on('upgrade', (request, socket, rest) => door.upgrade(request, socket as Socket, rest, again));
    this.#http.on('request', (request, response) => door.request(request, response));
    this.#http.on('connect', (request, socket, rest) => door.upgrade(request, socket as Socket, rest, again));
    this.#http.on('clientError', (error, socket) => door.unreadable(error, socket as Socket));
    // It is up to the service whether the body is sent.
    this.#http.on('checkContinue', (request, response) => door.request(request, response));
    // As the servers of `node:http` and `node:tls` do by themselves.
    this.#tcp = createTcpServer({ allowHalfOpen: !certificates }, (socket) => this.#onConnection(socket));
  }

  /** Rejects with `listen-in-use`, `listen-denied` or `listen-failed`. */
  async listen(host: string | undefined, port: number): Promise<void> {
    await listen(this.#tcp, host, port);
    // It watches how long requests take only once it believes that it listens itself.
    this.#http.emit('listening');
  }

  get isTls(): boolean {
    return this.#options.certificates !== undefined;
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo | null)?.port ?? 0;
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
    this.#http2.close();
    await this.#options.connections.ended(CLOSE_GRACE_MS);
  }

  /** For hellos with a name that no certificate is for, and with none. */
  #setFallback({ cert, key }: KeyPair): void {
    this.#tls?.setSecureContext({ cert, key });
  }

  /**
   * Both versions of HTTP share the port, and a server of its own has each: `http2.createSecureServer` with `allowHTTP1` would
   * apply none of the limits to HTTP/1.1.
   */
  #createTls(certificates: CertificateStore, challenges: AcmeChallenges): TlsServer {
    return createTlsServer(secureOptions(certificates, challenges), (socket) => {
      if (socket.alpnProtocol === 'h2') this.#http2.add(socket);
      // RFC 8737, section 3: the certificate was all.
      else if (socket.alpnProtocol === ACME_PROTOCOL) socket.end();
      else this.#http.emit('connection', socket);
    }).on('tlsClientError', (_error, socket) => void socket.destroy());
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
        (this.#tls ?? this.#http).emit('connection', socket);
      },
      onUnusable: (reason) => {
        onRefused(new TunnelError('proxy-header-unusable', { detail: reason }), formatEnd(address, port));
      },
    });
  }
}

function createHttp(): HttpServer {
  const http = createHttpServer({
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: 0,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    // The door does: Node would go on with requests that came together with the one that it refuses.
    requireHostHeader: false,
  });
  // One more than is allowed, so that the door sees that there are too many.
  http.maxHeadersCount = HEADER_COUNT_LIMIT + 1;
  return http;
}

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
