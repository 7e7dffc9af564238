import type { Socket } from 'node:net';
import {
  type Attribute,
  encodeAddresses,
  ENDPOINT_KIND,
  type ErrorCode,
  formatPublicAddress,
  type HeartbeatSettings,
  type ResumePoint,
  RESUME_TOKEN_BYTES,
  SESSION_ID_BYTES,
  TUNNEL_LIMIT,
  TunnelError,
  type TunnelRequestFrame,
  type VisitorRule,
  type MemoryBudget,
} from '@tunnel/shared';
import {
  constantTimeEqual,
  type DriverEvent,
  encodeKey,
  monotonicNow,
  prepareSocket,
  randomBytes,
  SessionDriver,
  type StreamPipe,
} from '@tunnel/shared/node';
import type { Access } from '../access/access.ts';
import type { FairTurns } from '../shares/fair-turns.ts';
import type { ProvenLink } from '../links/link-acceptor.ts';
import type { ServerEvents, SessionInfo } from '../options.ts';
import type { Peer } from '../front/peer.ts';
import { type PortHolder, PortRefusal, type PublicPort, type PublicPorts } from '../endpoints/tcp/public-ports.ts';
import { RefusedVisitors } from '../visitors/refused-visitors.ts';
import { TunnelRequests } from './tunnel-requests.ts';
import { VisitorGate } from '../visitors/visitor-gate.ts';

/** Visitors that may wait for a session without a link, and for how long each, in ms; then they are reset. */
const WAITING_LIMIT = 64;
const WAITING_MS = 30_000;

export interface ServerSessionOptions {
  readonly heartbeat: HeartbeatSettings;
  readonly resumeWindowMs: number;
  readonly publicHost: string;
  readonly agent: string;
  readonly access: Access;
  readonly ports: PublicPorts;
  readonly budget: MemoryBudget;
  /** Shared by all sessions of the server. */
  readonly turns: FairTurns;
  readonly emit: <K extends keyof ServerEvents>(name: K, event: ServerEvents[K]) => void;
  /** The session is over. */
  readonly onEnd: (session: ServerSession) => void;
}

/** How long a link that may be dead has to answer before its port goes to another process of the same client, in ms. */
const PROBE_MS = 1_000;

/** Ports that a session opens at a time; further requests wait. Some wait a second for another process to answer. */
const OPENING_LIMIT = 256;

/** Rules of all tunnels of a session: each holds memory. */
const SESSION_RULE_LIMIT = 65_536;

/** Building a gate for so many rules takes as long as opening a port. */
const RULES_PER_REQUEST = 32;

interface Tunnel {
  readonly name: string;
  /** Undefined while it is being opened. */
  port: PublicPort | undefined;
  /** The rules of the last request. */
  gate: VisitorGate;
  readonly refused: RefusedVisitors;
  readonly visitors: Set<StreamPipe>;
}

/** One client's session on the server: its links one after another, its tunnels, its visitors. */
export class ServerSession {
  readonly #options: ServerSessionOptions;
  readonly #driver: SessionDriver;
  readonly #id = randomBytes(SESSION_ID_BYTES);
  readonly #token = randomBytes(RESUME_TOKEN_BYTES);
  readonly #clientKey: Uint8Array;
  /** Where its first link came from. */
  readonly #source: string;
  readonly #instance: Uint8Array;
  readonly #tunnels = new Map<number, Tunnel>();
  readonly #requests = new TunnelRequests();
  /** Until the next request may be worked on. */
  #requestTimer: NodeJS.Timeout | undefined;
  /** The last one that was built: tunnels of one client often have the same rules. */
  #lastGate = new VisitorGate();
  #ruleCount = 0;
  /** Visitors that came while there was no link, and the timer that ends their patience. */
  readonly #waiting = new Map<number, NodeJS.Timeout>();
  /** Ports that are being opened, also for tunnels that were given back meanwhile. */
  #openingCount = 0;
  #linkNumber = 0;
  #visitorCount = 0;
  #knowsSecret = false;
  #expiry: NodeJS.Timeout | undefined;
  #phase: 'running' | 'draining' | 'over' = 'running';

  constructor(options: ServerSessionOptions, link: ProvenLink) {
    this.#options = options;
    this.#clientKey = link.clientKey;
    this.#source = link.source;
    this.#instance = link.hello.instance;
    this.#driver = new SessionDriver(
      { role: 'server', budget: options.budget },
      {
        onEvent: (event) => this.#onEvent(event),
        onLinkEnd: (error) => this.#onLinkEnd(error),
        onBroken: (error) => this.#onBroken(error),
        onStreamClosed: (streamId) => this.#stopWaiting(streamId),
      },
    );
  }

  get id(): string {
    return Buffer.from(this.#id).toString('hex');
  }

  get hasLink(): boolean {
    return this.#driver.hasLink;
  }

  get hasVisitors(): boolean {
    return this.#driver.pipeCount > 0;
  }

  /** Visitors that were let in since the session began. */
  get visitorCount(): number {
    return this.#visitorCount;
  }

  /** Its streams, its traffic and its link, as they are now. */
  get driver(): Pick<SessionDriver, 'pipeCount' | 'traffic' | 'hasLink' | 'logBytes' | 'roundTripMs'> {
    return this.#driver;
  }

  get linkNumber(): number {
    return this.#linkNumber;
  }

  get info(): SessionInfo {
    return { sessionId: this.id, clientKey: encodeKey(this.#clientKey) };
  }

  /** Whether a client that says this may carry the session on: same key, same process, the token, and a point that fits. */
  admits({ hello, clientKey }: ProvenLink): boolean {
    const { resume } = hello;
    return (
      resume !== undefined &&
      constantTimeEqual(clientKey, this.#clientKey) &&
      constantTimeEqual(hello.instance, this.#instance) &&
      constantTimeEqual(resume.token, this.#token) &&
      this.#driver.canResumeFrom(resume)
    );
  }

  /** The session's first link. */
  begin(link: ProvenLink): void {
    this.#carry(link, { received: 0, next: 1 });
    const comment = this.#options.access.entryOf(this.info.clientKey)?.comment;
    this.#options.emit('client-connected', {
      ...this.info,
      ...(comment !== undefined && { comment }),
      address: link.address,
      handshakeMs: link.handshakeMs,
      agent: link.hello.agent,
    });
  }

  /** A newer link takes over, however alive the old one seems. `admits` must hold. */
  carryOn(link: ProvenLink, point: ResumePoint): void {
    this.#driver.detach();
    clearTimeout(this.#expiry);
    for (const streamId of this.#waiting.keys()) this.#stopWaiting(streamId);
    this.#carry(link, point);
    for (const { refused } of this.#tunnels.values()) refused.tellAgain();
    const { address, handshakeMs } = link;
    this.#options.emit('client-resumed', { ...this.info, address, handshakeMs });
  }

  /** Tells the client to come back later, and takes no more visitors. */
  drain(retryAfterMs: number, spreadMs: number, graceMs: number): void {
    this.#phase = 'draining';
    for (const tunnel of this.#tunnels.values()) tunnel.port?.close();
    this.#driver.sendNotice({ type: 'drain', retryAfterMs, spreadMs, graceMs });
  }

  /** Ends the session: says so where there is a link, gives the ports back, resets the visitors. */
  end(code: ErrorCode): void {
    if (this.#phase === 'over') return;
    this.#driver.sendNotice({ type: 'goodbye', code });
    this.#driver.close(1000, code);
    this.#finish(code);
  }

  /** Ends it where the client is not admitted any more, and the tunnels on ports that it may not have any more. */
  review(): void {
    const { access, ports } = this.#options;
    const { clientKey } = this.info;
    if (!access.admits(clientKey, this.#knowsSecret)) {
      this.#options.emit('client-disconnected', {
        ...this.info,
        code: 'key-refused',
        reason: 'its key is not authorized any more',
        ended: true,
      });
      this.end('key-refused');
      return;
    }
    for (const [tunnelId, { port, visitors }] of this.#tunnels) {
      if (port === undefined || ports.permits(port.port, clientKey)) continue;
      const code = 'port-not-allowed';
      this.#close(tunnelId, code);
      for (const visitor of visitors) visitor.reset(code);
      this.#driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId, code });
    }
  }

  #carry({ records, hello, features, knowsSecret, roundTripMs }: ProvenLink, point: ResumePoint): void {
    this.#linkNumber = hello.linkNumber;
    this.#knowsSecret = knowsSecret;
    this.#driver.acceptLink(
      records,
      this.#options.heartbeat,
      roundTripMs,
      {
        ...point,
        heartbeat: { intervalMs: hello.heartbeatIntervalMs, timeoutMs: hello.heartbeatTimeoutMs },
        firstCreditBytes: hello.firstCreditBytes,
        firstCreditTotalBytes: hello.firstCreditTotalBytes,
        features,
      },
      {
        sessionId: this.#id,
        token: this.#token,
        resumeWindowMs: this.#options.resumeWindowMs,
        agent: this.#options.agent,
      },
    );
  }

  #onLinkEnd(error: TunnelError): void {
    const ended = this.#options.resumeWindowMs === 0;
    this.#options.emit('client-disconnected', { ...this.info, code: error.code, reason: error.message, ended });
    if (ended) {
      this.#finish('session-lost');
      return;
    }
    this.#expiry = setTimeout(() => {
      this.#options.emit('client-expired', { ...this.info, lostStreams: this.#driver.pipeCount });
      this.#finish('session-expired');
    }, this.#options.resumeWindowMs);
  }

  #onBroken({ code, message: reason }: TunnelError): void {
    this.#options.emit('client-disconnected', { ...this.info, code, reason, ended: true });
    this.end(code);
  }

  #onEvent(event: DriverEvent): void {
    switch (event.type) {
      case 'tunnel-request':
        if (this.#requests.add(event)) this.#options.turns.add(this);
        else this.#onBroken(new TunnelError('protocol-error', { detail: 'too many requests without an answer' }));
        return;
      case 'tunnel-close':
        this.#requests.cancel(event.tunnelId);
        this.#close(event.tunnelId, event.code);
        return;
      case 'goodbye':
        this.#options.emit('client-disconnected', {
          ...this.info,
          code: 'stopped',
          reason: 'the client ended its session',
          ended: true,
        });
        this.#finish('stopped');
        return;
      default:
    }
  }

  // ── tunnels and visitors ──

  /** Its turn: answers one request. Whether there is another one that can be answered now. */
  work(): boolean {
    const request = this.#requests.first;
    if (this.#phase === 'over' || !request || this.#mustWait(request)) return false;
    const now = monotonicNow();
    const waitMs = this.#requests.waitMs(now);
    if (waitMs > 0) {
      this.#requestTimer ??= setTimeout(() => {
        this.#requestTimer = undefined;
        this.#options.turns.add(this);
      }, waitMs);
      return false;
    }
    this.#requests.takeFirst(now);
    this.#answer(request);
    return this.#requests.count > 0;
  }

  /** It depends on what becomes of a port that is being opened. */
  #mustWait({ tunnelId }: TunnelRequestFrame): boolean {
    if (this.#openingCount === 0) return false;
    const existing = this.#tunnels.get(tunnelId);
    if (existing) return existing.port === undefined;
    return this.#openingCount >= OPENING_LIMIT || this.#tunnels.size >= TUNNEL_LIMIT;
  }

  #answer(request: TunnelRequestFrame): void {
    const { tunnelId, terms } = request;
    const existing = this.#tunnels.get(tunnelId);
    if (this.#phase === 'draining') {
      if (existing) this.#close(tunnelId, 'server-stopped');
      this.#refuse(tunnelId, stopping());
      return;
    }
    if (!existing && this.#tunnels.size >= TUNNEL_LIMIT) {
      this.#refuse(tunnelId, new TunnelError('tunnel-limit', { detail: `this server allows ${TUNNEL_LIMIT}` }));
      return;
    }
    let gate: VisitorGate;
    try {
      if (!existing) requireTcp(request);
      gate = this.#gateFor(terms, existing?.gate);
    } catch (error) {
      if (existing) this.#close(tunnelId, 'terms-refused');
      this.#refuse(tunnelId, error instanceof TunnelError ? error : new TunnelError('terms-refused', { cause: error }));
      return;
    }
    this.#ruleCount += gate.rules.length - (existing?.gate.rules.length ?? 0);
    if (existing) existing.gate = gate;
    if (existing?.port) this.#grant(tunnelId, existing.port.port);
    else void this.#open(request, gate);
  }

  /** Throws `terms-refused`. */
  #gateFor(rules: readonly VisitorRule[] = [], existing: VisitorGate | undefined): VisitorGate {
    if (existing?.hasRules(rules) === true) return existing;
    if (this.#ruleCount - (existing?.rules.length ?? 0) + rules.length > SESSION_RULE_LIMIT) {
      throw new TunnelError('terms-refused', { detail: `this server allows ${SESSION_RULE_LIMIT} in a session` });
    }
    if (!this.#lastGate.hasRules(rules)) {
      this.#requests.spend(rules.length / RULES_PER_REQUEST, monotonicNow());
      this.#lastGate = new VisitorGate(rules);
    }
    return this.#lastGate;
  }

  async #open({ tunnelId, name: wanted, label: name }: TunnelRequestFrame, gate: VisitorGate): Promise<void> {
    const refused = new RefusedVisitors((counts) => {
      this.#driver.sendNotice({ type: 'visitors-refused', tunnelId, ...counts });
    });
    const tunnel: Tunnel = { name, port: undefined, gate, refused, visitors: new Set() };
    this.#tunnels.set(tunnelId, tunnel);
    this.#openingCount += 1;
    try {
      const holder = this.#holder(tunnelId, tunnel);
      const opened = await this.#options.ports.open(Number(wanted), holder);
      if (this.#tunnels.get(tunnelId) !== tunnel) {
        opened.close(); // given back, or the session ended, meanwhile
        return;
      }
      if (this.#phase !== 'running') {
        opened.close();
        throw stopping();
      }
      if (!this.#options.ports.permits(opened.port, holder.clientKey)) {
        opened.close();
        throw new TunnelError('port-not-allowed', { detail: `${opened.port} was taken from this key just now` });
      }
      this.#options.ports.lease(holder, opened.port);
      tunnel.port = opened;
      this.#grant(tunnelId, opened.port);
      this.#options.emit('tunnel-opened', { ...this.info, port: opened.port, name });
    } catch (error) {
      if (this.#tunnels.get(tunnelId) !== tunnel) return;
      this.#forget(tunnelId, tunnel);
      this.#refuse(
        tunnelId,
        error instanceof TunnelError ? error : new TunnelError('port-unavailable', { cause: error }),
      );
    } finally {
      this.#openingCount -= 1;
      if (this.#requests.count > 0) this.#options.turns.add(this);
    }
  }

  #holder(tunnelId: number, tunnel: Tunnel): PortHolder {
    const driver = this.#driver;
    const { clientKey } = this.info;
    return {
      clientKey,
      name: tunnel.name,
      share: this.#options.access.entryOf(clientKey) ? clientKey : this.#source,
      get hasLink() {
        return driver.hasLink;
      },
      answers: () => this.#driver.answersWithin(PROBE_MS),
      giveUp: () => this.#giveUp(tunnelId, tunnel),
      onVisitor: (socket, visitor) => this.#onVisitor(tunnelId, tunnel, socket, visitor),
      onUnusable: () => {
        const port = tunnel.port?.port ?? 0;
        this.#options.emit('visitor-refused', { ...this.info, code: 'proxy-header-unusable', port });
      },
    };
  }

  /** The port has another holder already: only this side of it ends. */
  #giveUp(tunnelId: number, tunnel: Tunnel): void {
    const code = 'session-taken-over';
    this.#forget(tunnelId, tunnel);
    for (const visitor of tunnel.visitors) visitor.reset(code);
    this.#options.emit('tunnel-closed', { ...this.info, port: tunnel.port?.port ?? 0, code });
    if (this.#tunnels.size === 0) this.end(code);
    else if (tunnel.port) this.#driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId, code });
    else this.#refuse(tunnelId, new TunnelError('port-in-use')); // it was not granted yet
  }

  #grant(tunnelId: number, port: number): void {
    const address = formatPublicAddress({ scheme: 'tcp', host: this.#options.publicHost, port });
    this.#driver.sendTunnelFrame({ type: 'tunnel-granted', tunnelId, name: String(port), addresses: [address] });
  }

  #refuse(tunnelId: number, error: TunnelError): void {
    const { code, detail } = error;
    this.#driver.sendTunnelFrame({ type: 'tunnel-refused', tunnelId, code, detail });
    this.#options.emit('warning', { code, reason: error instanceof PortRefusal ? error.forOperator : error.message });
  }

  #close(tunnelId: number, code: string): void {
    const tunnel = this.#tunnels.get(tunnelId);
    if (!tunnel) return;
    this.#forget(tunnelId, tunnel);
    if (!tunnel.port) return;
    tunnel.port.close();
    this.#options.emit('tunnel-closed', { ...this.info, port: tunnel.port.port, code });
  }

  #forget(tunnelId: number, { gate, refused }: Tunnel): void {
    this.#tunnels.delete(tunnelId);
    this.#ruleCount -= gate.rules.length;
    refused.close();
  }

  #onVisitor(tunnelId: number, tunnel: Tunnel, socket: Socket, peer: Peer): void {
    const ruledOut = tunnel.gate.refusalOf(peer.address, tunnel.visitors.size);
    if (ruledOut === 'gone') {
      // Nobody was kept out: whoever it was left before anything could be said of it.
      socket.on('error', () => {}).destroy();
      return;
    }
    if (ruledOut) {
      this.#turnAway(socket, tunnel, ruledOut);
      tunnel.refused.add(ruledOut);
      return;
    }
    const refusal = this.#refusalOfVisitor;
    const pipe = refusal ? undefined : this.#driver.openStream(tunnelId, attributesOf(peer, tunnel.port?.port ?? 0));
    if (!pipe) {
      this.#turnAway(socket, tunnel, refusal ?? 'stream-limit');
      return;
    }
    this.#visitorCount += 1;
    prepareSocket(socket);
    pipe.attach(socket);
    tunnel.visitors.add(pipe);
    socket.once('close', () => tunnel.visitors.delete(pipe));
    if (!this.#driver.hasLink) {
      const patience = setTimeout(() => pipe.reset('session-lost'), WAITING_MS);
      this.#waiting.set(pipe.streamId, patience);
    }
  }

  /** Nothing was read from it yet. */
  #turnAway(socket: Socket, tunnel: Tunnel, code: ErrorCode): void {
    socket.on('error', () => {});
    socket.resetAndDestroy();
    // Not the socket's: one that is closed does not tell any more.
    this.#options.emit('visitor-refused', { ...this.info, code, port: tunnel.port?.port ?? 0 });
  }

  get #refusalOfVisitor(): ErrorCode | undefined {
    // The listener may have had one more in hand when it was closed.
    if (this.#phase !== 'running') return 'tunnel-closed';
    return !this.#driver.hasLink && this.#waiting.size >= WAITING_LIMIT ? 'session-lost' : undefined;
  }

  #stopWaiting(streamId: number): void {
    clearTimeout(this.#waiting.get(streamId));
    this.#waiting.delete(streamId);
  }

  #finish(code: ErrorCode): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    clearTimeout(this.#expiry);
    clearTimeout(this.#requestTimer);
    this.#options.turns.remove(this);
    this.#requests.clear();
    for (const tunnelId of this.#tunnels.keys()) this.#close(tunnelId, code);
    this.#driver.dispose(code);
    for (const streamId of this.#waiting.keys()) this.#stopWaiting(streamId);
    this.#options.onEnd(this);
  }
}

/** Throws `terms-refused` for what this server does not have. */
function requireTcp({ kind, name }: TunnelRequestFrame): void {
  if (kind !== ENDPOINT_KIND.tcp) {
    throw new TunnelError('terms-refused', { detail: `this server does not have endpoints of kind ${kind}` });
  }
  if (name !== '' && !(/^[1-9]\d{0,4}$/.test(name) && Number(name) <= 0xffff)) {
    throw new TunnelError('terms-refused', { detail: `${name} is not a port` });
  }
}

function attributesOf({ address, port, destination }: Peer, publicPort: number): Attribute[] {
  return encodeAddresses({
    visitor: address === '' ? undefined : { address, port },
    destination: destination === undefined ? undefined : { address: destination, port: publicPort },
  });
}

function stopping(): TunnelError {
  return new TunnelError('port-unavailable', { detail: 'the server is about to stop' });
}
