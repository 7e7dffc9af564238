import {
  type ErrorCode,
  isErrorCode,
  PROBE_MS,
  TUNNEL_LIMIT,
  TunnelError,
  type TunnelRequestFrame,
  type Term,
} from '@tunnel/shared';
import { monotonicNow, type SessionDriver } from '@tunnel/shared/node';
import { EndpointRefusal } from '../endpoints/endpoint-refusal.ts';
import type { EndpointHolder, Endpoints, GrantedEndpoint } from '../endpoints/endpoints.ts';
import type { ServerEvents, SessionInfo } from '../events.ts';
import type { FairTurns, Worker } from '../shares/fair-turns.ts';
import { Lobby } from '../visitors/lobby.ts';
import { VisitorGate } from '../visitors/visitor-gate.ts';
import { Tunnel, type TunnelSurroundings } from './tunnel.ts';
import { placeOf, readRequest, sendAddresses, sendGrant } from './tunnel-frames.ts';
import { type TunnelRequest, TunnelRequests } from './tunnel-requests.ts';

/** Endpoints that a session opens at a time; further requests wait. Some wait a second for another process to answer. */
const OPENING_LIMIT = 256;

/** Terms of all tunnels of a session: each holds memory. */
const SESSION_TERM_LIMIT = 65_536;

/** Building a gate for so many terms takes as long as opening an endpoint. */
const TERMS_PER_REQUEST = 32;

export interface SessionTunnelsOptions {
  readonly info: SessionInfo;
  readonly driver: SessionDriver;
  readonly endpoints: Endpoints;
  /** Shared by all sessions of the server. */
  readonly turns: FairTurns;
  /** Whom names that the session leaves behind count for. */
  readonly shareOf: () => string;
  /** Whether the client of the present link runs on this machine. */
  readonly isLocal: () => boolean;
  readonly emit: <K extends keyof ServerEvents>(name: K, event: ServerEvents[K]) => void;
  readonly onBroken: (error: TunnelError) => void;
  /** Another process of the client took the last tunnel over. */
  readonly onTakenOver: (code: ErrorCode) => void;
}

/** The tunnels of one session: what its client asks for, has, and gives back. */
export class SessionTunnels implements Worker {
  readonly #options: SessionTunnelsOptions;
  readonly #surroundings: TunnelSurroundings;
  readonly #tunnels = new Map<number, Tunnel>();
  readonly #lobby = new Lobby();
  readonly #requests = new TunnelRequests();
  /** Until the next request may be worked on. */
  #requestTimer: NodeJS.Timeout | undefined;
  /** The last one that was built: tunnels of one client often have the same terms. */
  #lastGate = new VisitorGate();
  #termCount = 0;
  /** Endpoints that are being opened, also for tunnels that were given back meanwhile. */
  #openingCount = 0;
  #visitorCount = 0;
  #phase: 'running' | 'draining' | 'over' = 'running';

  constructor(options: SessionTunnelsOptions) {
    this.#options = options;
    this.#surroundings = {
      driver: options.driver,
      lobby: this.#lobby,
      takesVisitors: () => this.#phase === 'running',
      onVisitor: () => (this.#visitorCount += 1),
      onRefused: (tunnel, code) => this.#onVisitorRefused(tunnel, code),
    };
  }

  /** Visitors that were let in so far. */
  get visitorCount(): number {
    return this.#visitorCount;
  }

  request(frame: TunnelRequestFrame): void {
    if (this.#requests.add(readRequest(frame))) {
      this.#options.turns.add(this);
      return;
    }
    this.#options.onBroken(new TunnelError('protocol-error', { detail: 'too many requests without an answer' }));
  }

  /** The client gives a tunnel back. */
  giveBack(tunnelId: number, code: string): void {
    this.#requests.cancel(tunnelId);
    this.#close(tunnelId, code);
  }

  /** There is a link again. */
  relinked(): void {
    this.#lobby.linked();
    for (const tunnel of this.#tunnels.values()) tunnel.tellRefusedAgain();
  }

  streamClosed(streamId: number): void {
    this.#lobby.leave(streamId);
  }

  /** Takes no more visitors and opens nothing; those that are there stay. */
  drain(): void {
    this.#phase = 'draining';
    for (const { endpoint } of this.#tunnels.values()) endpoint?.close();
  }

  /** What the client is permitted to have changed: ends the tunnels that it may not have any more. */
  review(): void {
    for (const [tunnelId, tunnel] of this.#tunnels) {
      const code = tunnel.endpoint?.refusal?.code;
      if (code === undefined) continue;
      this.#close(tunnelId, code);
      tunnel.resetVisitors(code);
      this.#options.driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId, code });
    }
  }

  /** The endpoint with this name is reached under other addresses from here on. */
  moved(name: string): void {
    for (const { id, endpoint } of this.#tunnels.values()) {
      if (endpoint?.name === name) sendAddresses(this.#options.driver, id, endpoint);
    }
  }

  /** The session is over. Its visitors are the driver's to reset. */
  end(code: string): void {
    this.#phase = 'over';
    clearTimeout(this.#requestTimer);
    this.#options.turns.remove(this);
    this.#requests.clear();
    this.#lobby.close();
    for (const tunnelId of this.#tunnels.keys()) this.#close(tunnelId, code);
  }

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

  /** It depends on what becomes of an endpoint that is being opened. */
  #mustWait({ tunnelId }: TunnelRequest): boolean {
    if (this.#openingCount === 0) return false;
    const existing = this.#tunnels.get(tunnelId);
    if (existing) return existing.endpoint === undefined;
    return this.#openingCount >= OPENING_LIMIT || this.#tunnels.size >= TUNNEL_LIMIT;
  }

  #answer(request: TunnelRequest): void {
    const existing = this.#tunnels.get(request.tunnelId);
    let gate: VisitorGate;
    try {
      gate = this.#admit(request, existing);
    } catch (error) {
      const refusal = error instanceof TunnelError ? error : new TunnelError('terms-refused', { cause: error });
      if (existing) this.#close(existing.id, this.#phase === 'draining' ? 'server-stopped' : refusal.code);
      this.#refuse(request.tunnelId, refusal);
      return;
    }
    this.#termCount += gate.terms.length - (existing?.gate.terms.length ?? 0);
    if (existing) this.#change(existing, gate);
    else void this.#open(request, gate);
  }

  /** The gate for a request's terms. Throws if the session may not have the tunnel, or not on these terms. */
  #admit({ kind, terms }: TunnelRequest, existing: Tunnel | undefined): VisitorGate {
    if (this.#phase === 'draining') throw this.#stopping(kind);
    if (!existing && this.#tunnels.size >= TUNNEL_LIMIT) {
      throw new TunnelError('tunnel-limit', { detail: `this server allows ${TUNNEL_LIMIT}` });
    }
    this.#options.endpoints.requireTerms(kind, terms);
    return this.#gateFor(terms, existing?.gate);
  }

  /** The client asks again for a tunnel that it has, perhaps on other terms. */
  #change(tunnel: Tunnel, gate: VisitorGate): void {
    tunnel.gate = gate;
    if (tunnel.endpoint) sendGrant(this.#options.driver, tunnel.id, tunnel.endpoint);
  }

  /** Throws `terms-refused`. */
  #gateFor(terms: readonly Term[], existing: VisitorGate | undefined): VisitorGate {
    if (existing?.hasTerms(terms) === true) return existing;
    if (this.#termCount - (existing?.terms.length ?? 0) + terms.length > SESSION_TERM_LIMIT) {
      throw new TunnelError('terms-refused', { detail: `this server allows ${SESSION_TERM_LIMIT} in a session` });
    }
    if (!this.#lastGate.hasTerms(terms)) {
      this.#requests.spend(terms.length / TERMS_PER_REQUEST, monotonicNow());
      this.#lastGate = new VisitorGate(terms);
    }
    return this.#lastGate;
  }

  async #open({ tunnelId, kind, wanted, label }: TunnelRequest, gate: VisitorGate): Promise<void> {
    const tunnel = new Tunnel(tunnelId, label, gate, this.#surroundings);
    this.#tunnels.set(tunnelId, tunnel);
    this.#openingCount += 1;
    const outcome = await this.#options.endpoints
      .open(kind, wanted, this.#holderFor(tunnel))
      .catch((cause: unknown) => {
        return cause instanceof TunnelError ? cause : this.#options.endpoints.unavailable(kind, { cause });
      });
    this.#openingCount -= 1;
    this.#conclude(tunnel, kind, outcome);
    if (this.#requests.count > 0) this.#options.turns.add(this);
  }

  /** Much may have happened while the endpoint was being opened. */
  #conclude(tunnel: Tunnel, kind: number, outcome: GrantedEndpoint | TunnelError): void {
    const isOpen = !(outcome instanceof TunnelError);
    if (isOpen && !tunnel.isClosed && this.#phase === 'running') {
      this.#grant(tunnel, outcome);
      return;
    }
    if (isOpen) outcome.close();
    if (tunnel.isClosed) return;
    this.#forget(tunnel);
    this.#refuse(tunnel.id, isOpen ? this.#stopping(kind) : outcome);
  }

  #grant(tunnel: Tunnel, endpoint: GrantedEndpoint): void {
    const { driver, emit, info } = this.#options;
    tunnel.opened(endpoint);
    sendGrant(driver, tunnel.id, endpoint);
    emit('tunnel-opened', { ...info, ...placeOf(endpoint), name: tunnel.label });
  }

  #stopping(kind: number): TunnelError {
    return this.#options.endpoints.unavailable(kind, { detail: 'the server is about to stop' });
  }

  #holderFor(tunnel: Tunnel): EndpointHolder {
    const { driver, info, shareOf, isLocal } = this.#options;
    return {
      clientKey: info.clientKey,
      label: tunnel.label,
      share: shareOf(),
      isLocal: isLocal(),
      holder: info.sessionId,
      get hasLink() {
        return driver.hasLink;
      },
      answers: () => driver.answersWithin(PROBE_MS),
      giveUp: (takenCode) => this.#giveUp(tunnel, takenCode),
      get terms() {
        return tunnel.gate.terms;
      },
      enter: (address) => tunnel.enter(address),
      onUnusable: () => this.#onVisitorRefused(tunnel, 'proxy-header-unusable'),
    };
  }

  /** The endpoint has another holder already: only this side of it ends. */
  #giveUp(tunnel: Tunnel, takenCode: ErrorCode): void {
    const code = 'session-taken-over';
    const { driver, onTakenOver } = this.#options;
    const endpoint = this.#forget(tunnel);
    tunnel.resetVisitors(code);
    this.#emitClosed(endpoint, code);
    if (this.#tunnels.size === 0) onTakenOver(code);
    else if (endpoint) driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId: tunnel.id, code });
    else this.#refuse(tunnel.id, new TunnelError(takenCode)); // it was not granted yet
  }

  #close(tunnelId: number, code: string): void {
    const tunnel = this.#tunnels.get(tunnelId);
    if (!tunnel) return;
    const endpoint = this.#forget(tunnel);
    if (endpoint) this.#emitClosed(endpoint, code);
  }

  #forget(tunnel: Tunnel): GrantedEndpoint | undefined {
    this.#tunnels.delete(tunnel.id);
    this.#termCount -= tunnel.gate.terms.length;
    return tunnel.close();
  }

  #refuse(tunnelId: number, error: TunnelError): void {
    const { code, detail } = error;
    this.#options.driver.sendTunnelFrame({ type: 'tunnel-refused', tunnelId, code, detail });
    const reason = error instanceof EndpointRefusal ? error.forOperator : error.message;
    this.#options.emit('warning', { code, reason });
  }

  /** `code` may be a client's. */
  #emitClosed(endpoint: GrantedEndpoint | undefined, code: string): void {
    const known = isErrorCode(code) ? code : 'tunnel-closed';
    this.#options.emit('tunnel-closed', { ...this.#options.info, ...placeOf(endpoint), code: known });
  }

  #onVisitorRefused({ lastEndpoint }: Tunnel, code: ErrorCode): void {
    this.#options.emit('visitor-refused', { ...this.#options.info, ...placeOf(lastEndpoint), code });
  }
}
