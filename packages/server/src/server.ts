import { EventEmitter } from 'node:events';
import { isIPv6, type Socket } from 'node:net';
import { hostname } from 'node:os';
import {
  DEFAULT_CONTROL_PORT,
  DEFAULT_HEARTBEAT,
  isPublicHost,
  MEMORY_BUDGET_BYTES,
  MemoryBudget,
  TunnelError,
} from '@tunnel/shared';
import { derivePsk, encodeKey, hostToDial, monotonicNow, nodeCrypto, parseHostName } from '@tunnel/shared/node';
import { Access, type Requirement } from './access/access.ts';
import { AccessUpdates } from './access/access-updates.ts';
import { type AcmeSettings, ServerCertificates } from './certificates/server-certificates.ts';
import { LocalClaims } from './claims/local-claims.ts';
import { Endpoints } from './endpoints/endpoints.ts';
import type { EndpointKind } from './endpoints/endpoint.ts';
import { DerivedLabels } from './endpoints/http/derived-labels.ts';
import { HostTable } from './endpoints/http/host-table.ts';
import { HttpHosts } from './endpoints/http/http-hosts.ts';
import { TcpPorts } from './endpoints/tcp/tcp-ports.ts';
import type { ServerEvents } from './events.ts';
import { Connections } from './front/connections.ts';
import { ClientAddresses } from './front/client-address.ts';
import { httpsRedirect } from './front/https-redirect.ts';
import { Listeners, type ListenersOptions } from './front/listeners.ts';
import { FrontDoor } from './http/front-door.ts';
import { HttpVisitors } from './http/http-visitors.ts';
import { FairTurns } from './shares/fair-turns.ts';
import { LinkAcceptor } from './links/link-acceptor.ts';
import type { AcmeOptions, ServerOptions } from './options.ts';
import { PeerReader } from './front/peer-reader.ts';
import type { PortRange } from './access/port-ranges.ts';
import { HostBounds, isLocalName } from './access/host-bounds.ts';
import { HostPolicy } from './access/host-policy.ts';
import { PortPolicy } from './access/port-policy.ts';
import { Sessions } from './sessions/sessions.ts';
import { NO_SESSIONS, type ServerStatus } from './observe/status.ts';

/** Browsers and resolvers take names below it for this machine, without any DNS. */
const DEFAULT_DOMAIN = 'localhost';

const DEFAULT_RESUME_WINDOW_MS = 120_000;
const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;

/** What clients of a stopping server are told: when to come back, and the interval to spread that over, in ms. */
const RETRY_AFTER_MS = 1_000;
const LEAST_RETRY_SPREAD_MS = 1_000;
const RETRY_SPREAD_MS_PER_SESSION = 8;
const GREATEST_RETRY_SPREAD_MS = 20_000;

type State =
  | { readonly kind: 'new' }
  | {
      readonly kind: 'listening' | 'draining';
      readonly listeners: Listeners;
      readonly acceptor: LinkAcceptor;
      readonly sessions: Sessions;
      readonly updates: AccessUpdates | undefined;
      readonly names: LocalClaims;
    }
  | { readonly kind: 'stopped' };

/** What `internal.ts` adds to the options. */
export interface ServerSeams {
  readonly endpointKinds?: readonly EndpointKind[];
}

/** Creates a server. Nothing happens before `start`. */
export function createServer(options: ServerOptions): Server {
  return new Server(options);
}

/** Accepts clients and opens public ports for them. Emits what happens as events. `await using` stops it. */
export class Server extends EventEmitter<{ [K in keyof ServerEvents]: [ServerEvents[K]] }> implements AsyncDisposable {
  readonly #options: ServerOptions & ServerSeams;
  readonly #connections = new Connections();
  readonly #hosts = new HostTable();
  readonly #hostBounds: HostBounds;
  readonly #peers: PeerReader;
  readonly #hasTls: boolean;
  readonly #certificates: ServerCertificates;
  readonly #requirement: Requirement;
  #state: State = { kind: 'new' };

  /** Throws `usage` if what clients must prove is not given, or a host or the domain is invalid. */
  constructor(options: ServerOptions) {
    super();
    const { publicHost, allowHosts = [], https, tls, acme } = options;
    const { domain = publicHost === undefined ? DEFAULT_DOMAIN : undefined } = options;
    if (publicHost !== undefined && !isPublicHost(publicHost)) {
      throw new TunnelError('usage', {
        detail: `publicHost ${JSON.stringify(publicHost)} is not a host name or address`,
      });
    }
    const tlsFiles = [tls ?? []].flat();
    this.#hasTls = tlsFiles.length > 0;
    if (https !== undefined && !this.#hasTls && !acme) {
      throw new TunnelError('usage', { detail: 'https needs tls or acme' });
    }
    this.#hostBounds = new HostBounds({ domain, allowHosts, publicHost });
    this.#options = options;
    this.#certificates = new ServerCertificates({ files: tlsFiles, acme: acme && this.#acmeSettings(acme) });
    this.#requirement = requirementOf(options);
    this.#peers = new PeerReader(options.acceptProxyProtocol ?? []);
  }

  /**
   * Starts listening. Rejects with `keys-unusable`, `listen-in-use`, `listen-denied`, `listen-failed`, `tls-unusable`
   * or `usage`.
   */
  async start(): Promise<ServerEvents['listening']> {
    const { identity, secret, previousSecret, host, port = DEFAULT_CONTROL_PORT, http, https } = this.#options;
    await this.#certificates.read();
    const secrets = [secret, previousSecret].filter((each) => each !== undefined);
    const access = new Access(this.#requirement, await Promise.all(secrets.map((each) => derivePsk(each))));
    const kinds = this.#endpointKinds(access);
    const names = await this.#openClaims(kinds);
    const sessions = this.#makeSessions(access, kinds, names);
    const addresses = new ClientAddresses(this.#options.trustedProxies ?? []);
    const acceptor = new LinkAcceptor({
      identity,
      access,
      addresses,
      connections: this.#connections,
      isKnown: (source) => sessions.comeFrom(source),
      onProven: (link) => sessions.proven(link),
      onFailure: (error, address, clientKey) => this.#onRefused(error, address, clientKey),
    });
    const updates = await this.#followKeys(access, sessions);
    const listeners = new Listeners({
      certificates: this.#certificates.store,
      challenges: this.#certificates.challenges,
      control: { host, port, isTls: this.#hasTls },
      http: http && { host, ...http },
      https: https && { host, ...https },
      connections: this.#connections,
      ...this.#openDoors(acceptor, addresses),
      peers: this.#peers,
      onRefused: (error, address) => this.#onRefused(error, address),
      onWarning: (reason) => this.emit('warning', { code: 'tcp-failed', reason }),
    });
    try {
      if (this.#state.kind === 'new') await listeners.listen();
      if (this.#state.kind !== 'new') throw new TunnelError('stopped');
    } catch (error) {
      listeners.close();
      updates?.[Symbol.dispose]();
      throw error;
    }
    names.keepFresh();
    this.#state = {
      kind: 'listening',
      listeners,
      acceptor,
      sessions,
      updates,
      names,
    };
    this.#startCertificates(sessions);
    const listening = {
      port: this.port,
      serverKey: this.serverKey,
      url: this.#urlAt(this.port),
    };
    this.emit('listening', listening);
    this.#tellUnfit();
    return listening;
  }

  get #listeners(): Listeners | undefined {
    const state = this.#state;
    return state.kind === 'listening' || state.kind === 'draining' ? state.listeners : undefined;
  }

  /** The control port that it listens on; 0 if it is not listening. */
  get port(): number {
    return this.#listeners?.port ?? 0;
  }

  /** Its public key, base64url, for the clients' `serverKey`. */
  get serverKey(): string {
    return encodeKey(nodeCrypto.publicKey(this.#options.identity));
  }

  /** Rereads the authorized keys. */
  rereadKeys(): void {
    if (this.#state.kind === 'listening') this.#state.updates?.reread();
  }

  /**
   * Accepts no new clients or visitors, lets open streams finish within the drain timeout, and ends. Meanwhile the
   * control port stays open, so that a session whose link breaks can resume.
   */
  async stop(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'listening' || state.kind === 'draining') {
      this.#state = { ...state, kind: 'draining' };
      this.#certificates[Symbol.dispose]();
      await this.#drain(state.sessions);
      state.listeners.close();
      await state.listeners.closed();
      await state.names.flush();
    }
    this.abort();
  }

  /** Ends at once. */
  abort(): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'listening' || state.kind === 'draining') {
      this.#certificates[Symbol.dispose]();
      state.listeners.close();
      state.acceptor.close();
      state.updates?.[Symbol.dispose]();
      state.sessions.endAll('server-stopped');
      this.#connections.destroyAll();
      state.names[Symbol.dispose]();
    }
    this.emit('stopped', {});
  }

  /** As `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** What it is doing now and has carried since its start. */
  status(): ServerStatus {
    const state = this.#state;
    const certificates = this.#certificates.store.status;
    if (state.kind === 'new' || state.kind === 'stopped') {
      return { ...NO_SESSIONS, state: state.kind, handshakes: 0, certificates };
    }
    return { ...state.sessions.status, state: state.kind, handshakes: state.acceptor.handshakeCount, certificates };
  }

  /** Tells clients to come back later, lets visitors finish, and ends each session after its last one. */
  async #drain(sessions: Sessions): Promise<void> {
    const graceMs = this.#options.drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS;
    const spreadMs = Math.max(
      LEAST_RETRY_SPREAD_MS,
      Math.min(GREATEST_RETRY_SPREAD_MS, sessions.count * RETRY_SPREAD_MS_PER_SESSION),
    );
    sessions.drain(RETRY_AFTER_MS, spreadMs, graceMs);
    await sessions.ended(graceMs);
    sessions.endAll('server-stopped');
  }

  #openClaims(kinds: readonly EndpointKind[]): Promise<LocalClaims> {
    return LocalClaims.open({
      kinds: kinds.map(({ prefix }) => prefix),
      store: this.#options.leases,
      onDamaged: ({ message }) => this.emit('warning', { code: 'cache-damaged', reason: message }),
      onWriteFailed: (error) => {
        const { code, message } = error instanceof TunnelError ? error : new TunnelError('internal', { cause: error });
        this.emit('warning', { code, reason: message });
      },
    });
  }

  #openDoors(acceptor: LinkAcceptor, addresses: ClientAddresses): Pick<ListenersOptions, 'door' | 'httpDoor'> {
    const bounds = this.#hostBounds;
    const connections = this.#connections;
    const { store, challenges } = this.#certificates;
    const visitors = new HttpVisitors({
      find: (host) => this.#hosts.find(host),
      addresses,
      connections,
      viaName: `tunnel-${this.serverKey.slice(0, 16)}`,
      onFault: (cause) => {
        const { code, message } = new TunnelError('internal', { cause, detail: String(cause) });
        this.emit('warning', { code, reason: message });
      },
    });
    const door = {
      acceptor,
      visitors,
      reset: (socket: Socket) => connections.reset(socket),
      isVisited: (host: string) => this.#hosts.find(host) !== undefined || bounds.isForVisitors(host),
      challengeText: (host: string, target: string) => challenges.textFor(host, target),
    };
    const redirect = {
      addresses,
      connections,
      port: () => (this.#options.redirect === false ? undefined : this.#listeners?.httpsPort),
      covers: (host: string) => this.#hosts.find(host) !== undefined && store.covers(host),
    };
    return {
      door: new FrontDoor({ ...door, redirectOf: () => undefined }),
      httpDoor: new FrontDoor({ ...door, redirectOf: (request, head) => httpsRedirect(redirect, request, head) }),
    };
  }

  async #followKeys(access: Access, sessions: Sessions): Promise<AccessUpdates | undefined> {
    const { authorizedKeys } = this.#options;
    if (!authorizedKeys) return undefined;
    const updates = new AccessUpdates(
      access,
      authorizedKeys,
      { ports: this.#portBounds, hosts: this.#hostBounds },
      {
        onRead: (count) => {
          this.emit('keys-changed', { count });
          sessions.review();
        },
        onExpiry: () => sessions.review(),
        onError: ({ code, message }) => {
          this.emit('warning', { code, reason: `${message}; the previous keys stay in force` });
        },
      },
    );
    await updates.start();
    return updates;
  }

  get #portBounds(): PortRange {
    const { minPort = 1024, maxPort = 65_535 } = this.#options;
    return { first: minPort, last: maxPort };
  }

  #endpointKinds(access: Access): readonly EndpointKind[] {
    const { host, tunnelHost, publicHost = '', identity, endpointKinds = [] } = this.#options;
    const policy = new PortPolicy(access, this.#portBounds);
    const tcpPorts = new TcpPorts({ host: tunnelHost ?? host, publicHost, policy, peers: this.#peers });
    const httpHosts = new HttpHosts({
      table: this.#hosts,
      policy: new HostPolicy(access, this.#hostBounds),
      labels: new DerivedLabels(identity),
      addressesOf: (name) => this.#listeners?.addressesOf(name, this.#certificates.serves(name)) ?? [],
      onGranted: (name, share) => isPublicName(name) && this.#certificates.granted(name, share),
      onClosed: (name) => this.#certificates.closed(name),
    });
    return [tcpPorts, httpHosts, ...endpointKinds];
  }

  #makeSessions(access: Access, kinds: readonly EndpointKind[], { claims }: LocalClaims): Sessions {
    const { heartbeat, resumeWindowMs = DEFAULT_RESUME_WINDOW_MS, agent } = this.#options;
    const endpoints = new Endpoints({
      kinds,
      claims,
      tunnelLimitOf: (clientKey) => access.entryOf(clientKey)?.tunnels ?? Infinity,
      keptUntil: monotonicNow() + resumeWindowMs,
      monotonicNow,
      wallNow: Date.now,
    });
    return new Sessions(
      {
        heartbeat: heartbeat ?? DEFAULT_HEARTBEAT,
        resumeWindowMs,
        agent: agent ?? 'tunnel',
        access,
        endpoints,
        budget: new MemoryBudget(MEMORY_BUDGET_BYTES),
        turns: new FairTurns(),
        emit: (name, event) => this.emit(name, ...([event] as never)),
      },
      (error, { address, clientKey }, sessionId) => this.#onRefused(error, address, clientKey, sessionId),
    );
  }

  #startCertificates(sessions: Sessions): void {
    this.#certificates.start({
      onReplaced: (event) => {
        this.emit('certificate-replaced', event);
        this.#tellUnfit();
      },
      onIssued: (host, validUntil, isRenewal) => {
        this.emit('certificate-issued', { host, validUntil, isRenewal });
        if (!isRenewal) sessions.moved(host);
      },
      onWarning: ({ code, message }) => {
        const rest = code === 'tls-unusable' ? '; the previous certificate stays in use' : '';
        this.emit('warning', { code, reason: `${message}${rest}` });
      },
    });
  }

  /** Certificates in files may be for whatever their owner likes; that visitors cannot use them should be no surprise. */
  #tellUnfit(): void {
    const { https, acme } = this.#options;
    const { domain } = this.#hostBounds;
    if (!https || acme || domain === undefined || isLocalName(domain)) return;
    if (this.#certificates.store.covers(`name.${domain}`)) return;
    const { message } = new TunnelError('certificate-unfit', { detail: `*.${domain}` });
    this.emit('warning', { code: 'certificate-unfit', reason: message });
  }

  /** Throws `usage`. */
  #acmeSettings(acme: AcmeOptions): AcmeSettings {
    const { publicHost, http, https, port, agent = 'tunnel' } = this.#options;
    if (!https) throw new TunnelError('usage', { detail: 'acme needs https' });
    const own = [this.#hostBounds.domain, publicHost === undefined ? undefined : parseHostName(publicHost)];
    const ownNames = own.filter((name) => name !== undefined).filter(isPublicName);
    if (ownNames.length === 0 && this.#hostBounds.patternsForAll.every(isLocalName)) {
      throw new TunnelError('usage', { detail: 'acme needs a domain' });
    }
    // Authorities look at port 80 and nowhere else.
    const hasHttp = http !== undefined || (port === 80 && !this.#hasTls);
    return {
      ...acme,
      ownNames: [...new Set(ownNames)],
      kinds: hasHttp ? ['http-01', 'tls-alpn-01'] : ['tls-alpn-01'],
      agent,
    };
  }

  #urlAt(port: number): string {
    const { publicHost, host } = this.#options;
    const name = publicHost ?? hostToDial(host) ?? hostname();
    return `${this.#hasTls ? 'wss' : 'ws'}://${isIPv6(name) ? `[${name}]` : name}:${port}`;
  }

  #onRefused({ code, message }: TunnelError, address: string, clientKey?: Uint8Array, sessionId?: string): void {
    const claimed = clientKey && { clientKey: encodeKey(clientKey) };
    this.emit('client-refused', { code, reason: message, address, ...claimed, sessionId });
  }
}

/** Whether an authority could know it. */
function isPublicName(host: string): boolean {
  return host.includes('.') && !isLocalName(host);
}

function requirementOf({ require, secret, authorizedKeys }: ServerOptions): Requirement {
  const requirement = require ?? (!authorizedKeys ? 'secret' : secret === undefined ? 'key' : 'either');
  if (requirement !== 'key' && secret === undefined) throw new TunnelError('usage', { detail: 'there is no secret' });
  if (requirement !== 'secret' && !authorizedKeys) {
    throw new TunnelError('usage', { detail: 'there are no authorized keys' });
  }
  return requirement;
}
