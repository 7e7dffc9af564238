import { EventEmitter } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { type HeartbeatSettings, TunnelError, WINDOW_BUDGET_BYTES, WindowBudget } from '@tunnel/shared';
import {
  derivePsk,
  describeSystemError,
  encodeKey,
  hostToDial,
  monotonicNow,
  nodeCrypto,
  prepareSocket,
} from '@tunnel/shared/node';
import { Access, type Requirement } from './access.ts';
import { AccessUpdates } from './access-updates.ts';
import { type Certificate, CertificateWatch, readCertificate } from './certificate-files.ts';
import { FairTurns } from './fair-turns.ts';
import { LeaseWriter } from './lease-writer.ts';
import { Leases } from './leases.ts';
import { LinkAcceptor } from './link-acceptor.ts';
import type { ServerEvents, ServerOptions } from './options.ts';
import type { PortRange } from './port-ranges.ts';
import { PublicPorts } from './public-ports.ts';
import { Sessions } from './sessions.ts';
import { NO_SESSIONS, type ServerStatus } from './status.ts';

const DEFAULT_PORT = 7835;
const DEFAULT_HEARTBEAT: HeartbeatSettings = { intervalMs: 2_000, timeoutMs: 8_000 };
const DEFAULT_RESUME_WINDOW_MS = 120_000;
const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;
const DRAIN_POLL_MS = 20;

/** A connection that does not send its request within this is ended, in ms. */
const HTTP_REQUEST_TIMEOUT_MS = 10_000;

/** How often the leases of tunnels that are open are written down anew, in ms: well within their life. */
const LEASE_REFRESH_MS = 24 * 60 * 60 * 1000;

/** What clients of a stopping server are told: when to come back, and over how long to spread, in ms. */
const RETRY_AFTER_MS = 1_000;
const LEAST_RETRY_SPREAD_MS = 1_000;
const RETRY_SPREAD_MS_PER_SESSION = 8;
const GREATEST_RETRY_SPREAD_MS = 20_000;

type State =
  | { readonly kind: 'new' }
  | {
      readonly kind: 'listening' | 'draining';
      readonly http: HttpServer | HttpsServer;
      readonly certificateWatch: CertificateWatch | undefined;
      readonly acceptor: LinkAcceptor;
      readonly sessions: Sessions;
      readonly updates: AccessUpdates | undefined;
      readonly leaseWriter: LeaseWriter | undefined;
      readonly leaseTimer: NodeJS.Timeout;
    }
  | { readonly kind: 'stopped' };

/** Makes a server. Nothing happens before `start`. */
export function createServer(options: ServerOptions): Server {
  return new Server(options);
}

/** Accepts clients and opens public ports for them. Tells what happens as events. `await using` stops it. */
export class Server extends EventEmitter<{ [K in keyof ServerEvents]: [ServerEvents[K]] }> implements AsyncDisposable {
  readonly #options: ServerOptions;
  /** Every connection to the control port, so that none outlives the server. */
  readonly #connections = new Set<Socket>();
  readonly #requirement: Requirement;
  #state: State = { kind: 'new' };

  /** Throws `usage` where what clients have to prove is not given. */
  constructor(options: ServerOptions) {
    super();
    this.#options = options;
    this.#requirement = requirementOf(options);
  }

  /**
   * Listens. Rejects with `keys-unusable`, `listen-in-use`, `listen-denied`, `listen-failed`, `tls-unusable` or `usage`.
   */
  async start(): Promise<ServerEvents['listening']> {
    const { identity, secret, previousSecret, host, port = DEFAULT_PORT, tls } = this.#options;
    const certificate = tls && (await readCertificate(tls));
    const secrets = [secret, previousSecret].filter((each) => each !== undefined);
    const access = new Access(this.#requirement, await Promise.all(secrets.map((each) => derivePsk(each))));
    const leases = await this.#readLeases();
    const leaseWriter = this.#makeLeaseWriter(leases);
    const sessions = this.#makeSessions(access, leases, leaseWriter);
    const acceptor = new LinkAcceptor({
      identity,
      access,
      trustedProxies: this.#options.trustedProxies ?? [],
      onClaim: (link) => sessions.claim(link),
      onFailure: (error, address, clientKey) => this.#onRefused(error, address, clientKey),
    });
    const updates = await this.#followKeys(access, sessions);
    const http = this.#makeHttpServer(acceptor, certificate);
    try {
      if (this.#state.kind === 'new') await listen(http, host, port);
      if (this.#state.kind !== 'new') throw new TunnelError('stopped');
    } catch (error) {
      http.close();
      updates?.[Symbol.dispose]();
      throw error;
    }
    this.#state = {
      kind: 'listening',
      http,
      certificateWatch: this.#watchCertificate(http, certificate),
      acceptor,
      sessions,
      updates,
      leaseWriter,
      leaseTimer: setInterval(() => {
        leases.refresh(Date.now());
        leaseWriter?.changed();
        void leaseWriter?.flush();
      }, LEASE_REFRESH_MS).unref(),
    };
    const listening = {
      port: this.port,
      serverKey: this.serverKey,
      url: this.#urlAt(this.port),
    };
    this.emit('listening', listening);
    return listening;
  }

  /** The control port that it listens on; 0 where it does not listen. */
  get port(): number {
    const state = this.#state;
    return state.kind === 'listening' ? (state.http.address() as AddressInfo).port : 0;
  }

  /** Its public key, base64url: what clients are given as `serverKey`. */
  get serverKey(): string {
    return encodeKey(nodeCrypto.publicKey(this.#options.identity));
  }

  /** Reads the authorized keys anew. */
  rereadKeys(): void {
    if (this.#state.kind === 'listening') this.#state.updates?.reread();
  }

  /** Takes no new clients and visitors, lets running streams finish within the drain timeout, and ends. */
  async stop(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'listening' || state.kind === 'draining') {
      this.#state = { ...state, kind: 'draining' };
      state.http.close();
      await this.#drain(state.sessions);
      await closed(state.http, this.#connections);
      await state.leaseWriter?.flush();
    }
    this.abort();
  }

  /** Ends at once. */
  abort(): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'listening' || state.kind === 'draining') {
      clearInterval(state.leaseTimer);
      void state.leaseWriter?.flush();
      state.certificateWatch?.[Symbol.dispose]();
      state.http.close();
      state.acceptor.close();
      state.updates?.[Symbol.dispose]();
      state.sessions.endAll('server-stopped');
      for (const socket of this.#connections) socket.destroy();
    }
    this.emit('stopped', {});
  }

  /** As `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** What it is doing now, and has carried since its start. */
  status(): ServerStatus {
    const state = this.#state;
    if (state.kind === 'new' || state.kind === 'stopped') return { ...NO_SESSIONS, state: state.kind, handshakes: 0 };
    return { ...state.sessions.status, state: state.kind, handshakes: state.acceptor.handshakeCount };
  }

  /** Tells clients to come back, lets visitors finish, ends each session once its last one is gone. */
  async #drain(sessions: Sessions): Promise<void> {
    const graceMs = this.#options.drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS;
    const spreadMs = Math.max(
      LEAST_RETRY_SPREAD_MS,
      Math.min(GREATEST_RETRY_SPREAD_MS, sessions.count * RETRY_SPREAD_MS_PER_SESSION),
    );
    const end = monotonicNow() + graceMs;
    sessions.drain(RETRY_AFTER_MS, spreadMs, graceMs);
    // A turn of the event loop for the announcement, before the first good-byes.
    do {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
      for (const session of sessions.all) if (!session.hasVisitors) session.end('server-stopped');
    } while (sessions.count > 0 && monotonicNow() < end && this.#state.kind === 'draining');
    sessions.endAll('server-stopped');
  }

  async #readLeases(): Promise<Leases> {
    const stored = await this.#options.leases?.read();
    if (stored?.damage) this.emit('warning', { code: 'cache-damaged', reason: stored.damage.message });
    return new Leases(stored?.value ?? [], Date.now());
  }

  #makeLeaseWriter(leases: Leases): LeaseWriter | undefined {
    const store = this.#options.leases;
    if (!store) return undefined;
    return new LeaseWriter(leases, store, (error) => {
      const { code, message } = error instanceof TunnelError ? error : new TunnelError('internal', { cause: error });
      this.emit('warning', { code, reason: message });
    });
  }

  async #followKeys(access: Access, sessions: Sessions): Promise<AccessUpdates | undefined> {
    const { authorizedKeys } = this.#options;
    if (!authorizedKeys) return undefined;
    const updates = new AccessUpdates(access, authorizedKeys, this.#portBounds, {
      onRead: (count) => {
        this.emit('keys-changed', { count });
        sessions.review();
      },
      onExpiry: () => sessions.review(),
      onError: ({ code, message }) => {
        this.emit('warning', { code, reason: `${message}; the keys as they were read before stay in force` });
      },
    });
    await updates.start();
    return updates;
  }

  get #portBounds(): PortRange {
    const { minPort = 1024, maxPort = 65_535 } = this.#options;
    return { first: minPort, last: maxPort };
  }

  #makeSessions(access: Access, leases: Leases, leaseWriter: LeaseWriter | undefined): Sessions {
    const { heartbeat, resumeWindowMs = DEFAULT_RESUME_WINDOW_MS, publicHost, agent } = this.#options;
    const { host, tunnelHost } = this.#options;
    const ports = new PublicPorts({
      host: tunnelHost ?? host,
      bounds: this.#portBounds,
      access,
      leases,
      reservedUntil: monotonicNow() + resumeWindowMs,
      onLeased: () => leaseWriter?.changed(),
    });
    return new Sessions(
      {
        heartbeat: heartbeat ?? DEFAULT_HEARTBEAT,
        resumeWindowMs,
        publicHost: publicHost ?? '',
        agent: agent ?? 'tunnel',
        access,
        ports,
        budget: new WindowBudget(WINDOW_BUDGET_BYTES),
        turns: new FairTurns(),
        emit: (name, event) => this.emit(name, ...([event] as never)),
      },
      (error, { address, clientKey }, sessionId) => this.#onRefused(error, address, clientKey, sessionId),
    );
  }

  #makeHttpServer(acceptor: LinkAcceptor, certificate: Certificate | undefined): HttpServer | HttpsServer {
    const options = {
      headersTimeout: HTTP_REQUEST_TIMEOUT_MS,
      requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 1,
    };
    const http = certificate
      ? createHttpsServer({
          ...options,
          cert: certificate.cert,
          key: certificate.key,
          handshakeTimeout: HTTP_REQUEST_TIMEOUT_MS,
        })
      : createHttpServer(options);
    // The TCP socket, also where TLS comes above it.
    http.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      const error = prepareSocket(socket);
      if (error) this.emit('warning', { code: 'tcp-failed', reason: `TCP keepalive cannot be set: ${error.message}` });
    });
    http.on('upgrade', (request, socket, head) => acceptor.upgrade(request, socket as Socket, head));
    http.on('request', (_request, response) => {
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' });
      response.end('This is a tunnel server. Reach it with: tunnel local <port> --to <this address>\n');
    });
    return http;
  }

  #watchCertificate(
    http: HttpServer | HttpsServer,
    certificate: Certificate | undefined,
  ): CertificateWatch | undefined {
    const { tls } = this.#options;
    if (tls === undefined || certificate === undefined || !('setSecureContext' in http)) return undefined;
    return new CertificateWatch(tls, certificate.filesState, {
      onChange: ({ cert, key, validUntil }) => {
        http.setSecureContext({ cert, key });
        this.emit('certificate-replaced', { certFile: tls.certFile, validUntil });
      },
      onFailure: ({ code, message }) => {
        this.emit('warning', { code, reason: `${message}; the certificate from before stays in use` });
      },
    });
  }

  #urlAt(port: number): string {
    const { tls, publicHost, host } = this.#options;
    const name = publicHost ?? hostToDial(host) ?? hostname();
    return `${tls ? 'wss' : 'ws'}://${isIPv6(name) ? `[${name}]` : name}:${port}`;
  }

  #onRefused({ code, message }: TunnelError, address: string, clientKey?: Uint8Array, sessionId?: string): void {
    const claimed = clientKey && { clientKey: encodeKey(clientKey) };
    this.emit('client-refused', { code, reason: message, address, ...claimed, sessionId });
  }
}

function requirementOf({ require, secret, authorizedKeys }: ServerOptions): Requirement {
  const requirement = require ?? (!authorizedKeys ? 'secret' : secret === undefined ? 'key' : 'either');
  if (requirement !== 'key' && secret === undefined) throw new TunnelError('usage', { detail: 'there is no secret' });
  if (requirement !== 'secret' && !authorizedKeys) {
    throw new TunnelError('usage', { detail: 'there are no authorized keys' });
  }
  return requirement;
}

function listen(http: HttpServer | HttpsServer, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => {
      const code =
        cause.code === 'EADDRINUSE' ? 'listen-in-use' : cause.code === 'EACCES' ? 'listen-denied' : 'listen-failed';
      const address = host === undefined ? `port ${port}` : `${isIPv6(host) ? `[${host}]` : host}:${port}`;
      const detail = code !== 'listen-failed' ? address : `${address}, ${describeListenError(cause)}`;
      reject(new TunnelError(code, { detail, cause }));
    });
    http.listen({ host, port, backlog: 4096 }, () => {
      // A listener that fails later (out of file descriptors) goes on with the next connection.
      http.removeAllListeners('error').on('error', () => {});
      resolve();
    });
  });
}

function describeListenError(error: NodeJS.ErrnoException): string {
  return error.code === 'EADDRNOTAVAIL' ? 'this machine has no such address' : describeSystemError(error);
}

/** Links were told to close: waits for their connections, a second at most. */
async function closed(http: HttpServer | HttpsServer, connections: ReadonlySet<Socket>): Promise<void> {
  http.closeIdleConnections();
  const end = monotonicNow() + 1_000;
  while (connections.size > 0 && monotonicNow() < end) await new Promise((resolve) => setTimeout(resolve, 10));
}
