import {
  DEFAULT_HEARTBEAT,
  type ErrorCode,
  type HeartbeatSettings,
  kindOf,
  PROBE_MS,
  RetryPolicy,
  TunnelError,
} from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';
import { formatServerAddress } from '../dial/address.ts';
import { formatProxyAddress } from '../dial/proxy-address.ts';
import type { ClientStatus } from '../status.ts';
import { ServerKey } from '../trust/server-key.ts';
import type { ClientTunnel, TunnelChanges, TunnelSet } from '../tunnels/tunnel-set.ts';
import { asTunnelError } from './causes.ts';
import { asError, type EstablishedLink } from './establish-link.ts';
import { LinkDialer } from './link-dialer.ts';
import { LiveLink } from './live-link.ts';
import { Replacement } from './replacement.ts';
import { RetryWait } from './retry-wait.ts';
import { type SurroundingsChange, SurroundingsWatch } from './surroundings.ts';
import { requireUsable, type UplinkOptions } from './uplink-options.ts';
import { nextOf } from './uplink-record.ts';
import { type TellUplinkEvent, UplinkReport } from './uplink-report.ts';
import { type LinkEvent, UplinkSession, type UplinkSessionHandlers } from './uplink-session.ts';
import { UplinkTunnels } from './uplink-tunnels.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_STOP_GRACE_MS = 1_000;

/** Where an uplink stands. `linked` begins when message 3 was sent. */
type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'attempting'; readonly abort: AbortController }
  | { readonly kind: 'linked'; readonly live: LiveLink }
  | { readonly kind: 'waiting'; readonly wait: RetryWait }
  | { readonly kind: 'stopping'; readonly live: LiveLink }
  | { readonly kind: 'stopped' };

export interface UplinkHandlers {
  readonly tell: TellUplinkEvent;
  onVisitorsRefused(tunnel: ClientTunnel): void;
  /** Whoever looks on at a visitor's stream. */
  readonly observe: UplinkSessionHandlers['observe'];
  /** It stopped by itself or was ended, for good. */
  onEnd(error: TunnelError): void;
}

/**
 * Keeps one server connected: dials, waits and dials again, carries one session over its links. Never throws after `start`:
 * the last thing it does is `onEnd`.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #handlers: UplinkHandlers;
  readonly #set: TunnelSet;
  readonly #heartbeat: HeartbeatSettings;
  readonly #connectTimeoutMs: number;
  readonly #policy: RetryPolicy;
  readonly #serverKey: ServerKey;
  readonly #dialer: LinkDialer;
  readonly #replacement: Replacement;
  readonly tunnels: UplinkTunnels;
  readonly #report: UplinkReport;
  #state: State = { kind: 'new' };
  /** It outlives links, and waits between them. */
  #session: UplinkSession | undefined;
  #surroundings: SurroundingsWatch | undefined;

  /** Throws `usage` for options that cannot work. */
  constructor(options: UplinkOptions, set: TunnelSet, handlers: UplinkHandlers) {
    requireUsable(options);
    const { maxReconnectDelayMs, heartbeat = DEFAULT_HEARTBEAT, connectTimeoutMs } = options;
    this.#options = options;
    this.#handlers = handlers;
    this.#set = set;
    this.#report = new UplinkReport(handlers.tell);
    this.#heartbeat = heartbeat;
    this.#connectTimeoutMs = connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#policy = new RetryPolicy({
      random: Math.random,
      ...(maxReconnectDelayMs !== undefined && { maxReconnectDelayMs }),
    });
    this.#serverKey = new ServerKey(options);
    this.#dialer = new LinkDialer({
      uplink: options,
      heartbeat,
      connectTimeoutMs: this.#connectTimeoutMs,
      serverKey: this.#serverKey,
      onAttempt: (event) => handlers.tell('attempt', event),
      onWarning: (error) => this.#report.warn(error),
    });
    this.#replacement = new Replacement({
      connectTimeoutMs: this.#connectTimeoutMs,
      dial: ({ session }, signal, isWanted) => this.#dial(session, signal, isWanted),
      isLive: (live) => this.#live === live,
      onDoubtConfirmed: (doubt) => this.#report.disconnected(doubt),
    });
    this.tunnels = new UplinkTunnels(set, options, {
      onProgress: () => this.#readyIfAllOpen(),
      onClosed: () => this.#report.tunnelClosed(),
      onMoved: () => {
        this.#report.tunnelsChanged(this.tunnels.areAllOpen);
        this.#readyIfAllOpen();
      },
      onRetrying: (error, attempt, delayMs) => this.#report.retrying(error, { attempt, delayMs, downMs: 0 }),
      onFatal: (error) => this.end(error),
      onGivenUp: (name, error) => this.#report.tunnelGivenUp(name, error),
      onVisitorsRefused: (tunnel) => handlers.onVisitorsRefused(tunnel),
    });
  }

  // ── what its client asks of it ──

  start(): void {
    if (this.#state.kind !== 'new') return;
    this.#state = { kind: 'attempting', abort: new AbortController() };
    this.#report.record.started();
    this.#surroundings = new SurroundingsWatch((change) => void this.#onSurroundings(change), this.#options.lookAround);
    this.#run().catch((cause: unknown) => this.end(asTunnelError(cause)));
  }

  /** Gives the tunnels back, and waits until visitors' connections have ended, for a short time. `end` is to follow. */
  async drain(): Promise<void> {
    const live = this.#live;
    if (!live?.session.driver.hasLink) return;
    this.#state = { kind: 'stopping', live };
    this.tunnels.giveAllBack();
    await live.session.drained(this.#options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS);
  }

  /** Ends at once. */
  end(error: TunnelError): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    this.#state = { kind: 'stopped' };
    this.#report.record.changed(false);
    if (state.kind === 'attempting') state.abort.abort();
    if (state.kind === 'waiting') state.wait.endAfter(0);
    this.#replacement.abort();
    this.#surroundings?.[Symbol.dispose]();
    const session = this.#session;
    if (session) {
      session.driver.sendNotice({ type: 'goodbye', code: 'stopped' });
      session.driver.close(1000, 'stopped');
      this.#loseSession(session, 'session-lost');
    }
    if (state.kind === 'linked' || state.kind === 'stopping') state.live.end(error);
    this.#handlers.onEnd(error);
  }

  /** Tries now where it would wait. */
  retryNow(): void {
    const leftMs = this.#policy.requestedByUser(monotonicNow());
    if (this.#state.kind === 'waiting') this.#state.wait.endAfter(leftMs);
    this.tunnels.retryNow();
  }

  /** The set of tunnels has become another one. What was added is asked for by `tunnels.ask`. */
  change(changes: TunnelChanges): void {
    this.tunnels.change(changes);
    this.#report.tunnelsChanged(this.tunnels.areAllOpen);
    this.#readyIfAllOpen();
  }

  /** Asks the server for a sign of life. Resolves with the time that took in ms, or undefined where none came in time. */
  async probe(timeoutMs: number): Promise<number | undefined> {
    return this.#session?.roundTrip(timeoutMs);
  }

  /** All tunnels were open once. */
  get wasReady(): boolean {
    return this.#report.record.wasReady;
  }

  status(): ClientStatus {
    const { driver } = this.#session ?? {};
    const state = this.#publicState;
    const linkAttempt = this.#state.kind === 'waiting' ? [this.#state.wait.due] : [];
    return {
      ...this.#report.record.status(driver?.traffic),
      state,
      server: formatServerAddress(this.#dialer.server),
      proxy: this.#options.proxy && formatProxyAddress(this.#options.proxy),
      tunnels: this.tunnels.status,
      roundTripMs: driver?.roundTripMs,
      streams: driver?.pipeCount ?? 0,
      nextAttempt: state === 'waiting' ? nextOf([...linkAttempt, ...this.tunnels.dueAttempts]) : undefined,
    };
  }

  get #publicState(): ClientStatus['state'] {
    switch (this.#state.kind) {
      case 'attempting':
        return 'connecting';
      case 'linked':
        if (this.#report.isReady) return 'ready';
        return this.tunnels.dueAttempts.length > 0 ? 'waiting' : 'connecting';
      default:
        return this.#state.kind;
    }
  }

  // ── the loop of links ──

  async #run(): Promise<void> {
    await this.#serverKey.read();
    await this.#set.recallPorts();
    this.tunnels.recalled();
    while (!this.#isOver()) {
      const error = await this.#attempt();
      if (this.#isOver()) return;
      const decision = this.#policy.failed({ error, now: monotonicNow() });
      if (decision.kind === 'stop' || this.#options.reconnect === false) {
        this.#report.record.failed(error);
        this.end(error);
        return;
      }
      this.#report.retrying(error, { ...decision, downMs: this.#report.record.downMs });
      // Whoever was told may have stopped it.
      if (this.#isOver()) return;
      const wait = new RetryWait(decision.attempt, decision.delayMs);
      this.#state = { kind: 'waiting', wait };
      await wait.over;
    }
  }

  /** As a method: what is awaited in between changes it. */
  #isOver(): boolean {
    return this.#state.kind === 'stopping' || this.#state.kind === 'stopped';
  }

  /** What carries the session now. */
  get #live(): LiveLink | undefined {
    return this.#state.kind === 'linked' ? this.#state.live : undefined;
  }

  /** One attempt and, where it succeeds, the life of its link and of those that replace it. Resolves with why it ended. */
  async #attempt(): Promise<TunnelError> {
    const abort = new AbortController();
    const began = monotonicNow();
    this.#state = { kind: 'attempting', abort };
    const session = (this.#session ??= this.#newSession());
    try {
      const link = await this.#dial(session, abort.signal, () => true);
      const live = new LiveLink(link, {
        session,
        heartbeat: this.#heartbeat,
        connectTimeoutMs: this.#connectTimeoutMs,
        onEnd: (error, wasUp) => {
          if (!this.#isOver()) this.#onLinkEnd(session, error, wasUp);
        },
      });
      this.#state = { kind: 'linked', live };
      live.begin(began);
      return await live.ended;
    } catch (error) {
      return asTunnelError(error);
    }
  }

  async #dial(session: UplinkSession, signal: AbortSignal, isWanted: () => boolean): Promise<EstablishedLink> {
    const link = await this.#dialer.dial(session, signal, isWanted);
    if (!this.#isOver()) return link;
    link.records.destroy();
    throw new TunnelError('stopped');
  }

  #onLinkEnd(session: UplinkSession, error: TunnelError, wasUp: boolean): void {
    const { accepted } = session;
    if (wasUp) {
      this.#report.record.linkLost();
      this.#report.disconnected(error);
    }
    const isOver = kindOf(error.code).endsSession === true || session.driver.isBroken;
    if (!accepted || isOver || accepted.resumeWindowMs === 0 || this.#options.reconnect === false) {
      this.#loseSession(session, error.code);
    } else if (wasUp && !session.isOver) {
      session.expireAfter(accepted.resumeWindowMs, () => {
        this.#loseSession(session, 'session-expired');
        // The next link may stand already, and wait for the server.
        this.#endLink(new TunnelError('session-expired'));
      });
    }
  }

  #endLink(error: TunnelError): void {
    this.#live?.end(error);
  }

  /** What was true of the network before may not be any more: a wait is cut short, a link has to prove itself. */
  async #onSurroundings(change: SurroundingsChange): Promise<void> {
    const now = monotonicNow();
    const leftMs = change === 'woke' ? this.#policy.woke(now) : this.#policy.networkChanged(now);
    const state = this.#state;
    if (state.kind === 'waiting') state.wait.endAfter(leftMs);
    if (state.kind !== 'linked') return;
    const { current, session } = state.live;
    if (await session.driver.answersWithin(PROBE_MS)) return;
    const detail =
      change === 'woke'
        ? 'no answer after the machine or the process stood still'
        : 'no answer after the network changed';
    if (this.#live?.current === current) this.#endLink(new TunnelError('heartbeat-timeout', { detail }));
  }

  // ── the session ──

  #newSession(): UplinkSession {
    const { budget, linkLifeMs } = this.#options;
    return new UplinkSession(
      { budget, linkLifeMs, tunnels: this.tunnels },
      {
        onEvent: (session, event) => this.#onEvent(session, event),
        onLinkEnd: (error) => this.#endLink(error),
        onUnasked: (session, type) => {
          // It is numbered: every further link would bring it again.
          this.#loseSession(session, 'protocol-error');
          this.#endLink(new TunnelError('protocol-error', { detail: `a ${type} that was not asked for` }));
        },
        onStream: (event) => this.#handlers.tell('stream', event),
        observe: (...visit) => this.#handlers.observe(...visit),
      },
    );
  }

  #loseSession(session: UplinkSession, code: ErrorCode): void {
    session.stopExpiry();
    // Already lost: its good-bye came before the end of its link.
    if (this.#session !== session) return;
    this.#session = undefined;
    const lostStreams = session.dispose(code);
    this.tunnels.lost();
    this.#report.sessionEnded(session.id, lostStreams, session.driver.traffic);
  }

  #onEvent(session: UplinkSession, event: LinkEvent): void {
    switch (event.type) {
      case 'accepted':
        this.#onAccepted(session, event.frame);
        return;
      case 'refused':
        this.#endLink(asError(event));
        return;
      case 'answered':
        this.#policy.established(monotonicNow());
        return;
      case 'goodbye': {
        const { code } = event;
        const detail = code === 'protocol-error' ? 'the server says so of this client' : '';
        this.#loseSession(session, 'session-lost');
        this.#endLink(asError({ code, retryAfterMs: session.comeBackAfterMs, detail }));
        return;
      }
      case 'drain':
        session.comeBackAfterMs = event.retryAfterMs + Math.random() * event.spreadMs;
        return;
      case 'link-doubtful':
        if (this.#live && this.#options.reconnect !== false) {
          const doubt = new TunnelError('heartbeat-timeout', { detail: 'a new link takes over' });
          void this.#replacement.begin(this.#live, doubt);
        }
        return;
      case 'link-worn':
        if (this.#live) void this.#replacement.begin(this.#live, undefined);
        return;
    }
  }

  #onAccepted(session: UplinkSession, frame: Extract<LinkEvent, { type: 'accepted' }>['frame']): void {
    const { agent, resumeWindowMs, heartbeatTimeoutMs } = frame;
    const sessionId = session.accept(frame);
    this.#handlers.tell('linked', { sessionId, resumed: session.isResumed });
    this.#report.record.accepted(session.driver.pipeCount);
    this.#set.restartIdleTimeouts();
    this.#handlers.tell('attempt', { type: 'accepted', agent, resumeWindowMs, heartbeatTimeoutMs });
    this.#live?.accepted();
    this.#pinKey();
    this.#readyIfAllOpen();
  }

  /** At first contact. `ready` waits for it: who relies on an address relies on the server being the right one. */
  #pinKey(): void {
    const key = this.#live?.current.serverKey;
    if (!key || this.#serverKey.expected) return;
    this.#serverKey
      .pin(key)
      .then(
        (path) => this.#report.keyPinned(path),
        (cause: unknown) => {
          const error = asTunnelError(cause);
          if (error.code === 'server-key-changed') this.end(error);
          else this.#report.warn(error);
        },
      )
      .finally(() => this.#readyIfAllOpen());
  }

  #readyIfAllOpen(): void {
    const { id } = this.#session ?? {};
    const live = this.#live;
    if (this.#report.isReady || this.#serverKey.isPinning || !live || id === undefined || !this.tunnels.areAllOpen)
      return;
    this.#report.ready(live.session, id, live.current.serverKey, this.tunnels.open);
  }
}
