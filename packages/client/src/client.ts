import { EventEmitter } from 'node:events';
import {
  ERRORS,
  type ErrorCode,
  GREATEST_DELAY_MS,
  type HeartbeatSettings,
  MIN_DELAY_CAP_MS,
  MIN_HEARTBEAT_TIMEOUT_MS,
  RetryPolicy,
  TunnelError,
  MEMORY_BUDGET_BYTES,
  MemoryBudget,
} from '@tunnel/shared';
import {
  derivePsk,
  type DriverEvent,
  monotonicNow,
  randomBytes,
  type SessionDriver,
  tweetnaclCrypto,
  ZERO_PSK,
} from '@tunnel/shared/node';
import { ClientRecord, type DueAttempt, nextOf } from './uplink/client-record.ts';
import { ClientSession } from './uplink/client-session.ts';
import { formatServerAddress, type ServerAddress } from './dial/address.ts';
import { formatProxyAddress } from './dial/proxy-address.ts';
import { asError, establishLink, type EstablishedLink } from './uplink/establish-link.ts';
import type { Cause, ClientEvents } from './events.ts';
import type { ClientOptions, TunnelOptions } from './options.ts';
import { withHint } from './trust/refusal-hint.ts';
import { ServerKey } from './trust/server-key.ts';
import type { ClientStatus } from './status.ts';
import { type SurroundingsChange, SurroundingsWatch } from './uplink/surroundings.ts';
import { TunnelSet } from './tunnels/tunnel-set.ts';

const DEFAULT_HEARTBEAT: HeartbeatSettings = { intervalMs: 2_000, timeoutMs: 8_000 };
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_STOP_GRACE_MS = 1_000;

/** How long a link has to answer after the machine woke or the network changed, in ms. */
const PROBE_MS = 1_000;

/** What a server says of a tunnel. */
type TunnelFrame = Extract<DriverEvent, { type: 'tunnel-granted' | 'tunnel-refused' | 'tunnel-close' }>;

/** Where the client stands. `linked` begins when message 3 was sent. */
type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'attempting'; readonly abort: AbortController }
  | ({ readonly kind: 'linked' } & LiveLink)
  | { readonly kind: 'waiting'; readonly wakeAfter: (delayMs: number) => void; readonly next: DueAttempt }
  | { readonly kind: 'stopping'; readonly end: (error: TunnelError) => void }
  | { readonly kind: 'stopped' };

/** A link from message 3 to its end. */
interface LiveLink {
  readonly session: ClientSession;
  /** The server accepted it. */
  readonly confirm: () => void;
  readonly end: (error: TunnelError) => void;
  /** A newer link carries the session on from here. */
  readonly replace: (next: EstablishedLink) => void;
}

/** How a link ended: by itself, or because another one took over without a break. */
type LinkOutcome =
  | { readonly kind: 'ended'; readonly error: TunnelError }
  | { readonly kind: 'replaced'; readonly next: EstablishedLink; readonly wasUp: boolean };

/** Makes a client. Nothing happens before `start`. Throws `TunnelError` for options that cannot work. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/**
 * Keeps tunnels open to one server: dials, forwards visitors to the local services, comes back when the link breaks, and
 * tells what happens as events. Never throws after `start`: the last event is `stopped`.
 */
export class Client extends EventEmitter<{ [K in keyof ClientEvents]: [ClientEvents[K]] }> {
  readonly #options: ClientOptions;
  /** Where the last attempt went. */
  #server: ServerAddress;
  readonly #heartbeat: HeartbeatSettings;
  readonly #policy: RetryPolicy;
  readonly #budget = new MemoryBudget(MEMORY_BUDGET_BYTES);
  readonly #record = new ClientRecord();
  readonly #instance = randomBytes(16);
  readonly #tunnels: TunnelSet;
  readonly #serverKey: ServerKey;
  #state: State = { kind: 'new' };
  #stopping: Promise<void> | undefined;
  #surroundings: SurroundingsWatch | undefined;
  #session: ClientSession | undefined;
  /** The dials for links that are to replace the present one. */
  readonly #replacements = new Set<AbortController>();
  #linkNumber = 0;
  #lostStreams = 0;
  #downSince = 0;
  #pinnedAt: string | undefined;
  #isPinning = false;
  #linkKey: Uint8Array | undefined;
  #wasReady = false;
  #error: TunnelError | undefined;
  /** Nothing was said since the last `ready` that would take it back. */
  #isReady = false;
  #isResumed = false;

  constructor(options: ClientOptions) {
    super();
    if (options.tunnels.length === 0) throw new TunnelError('usage', { detail: 'a client needs at least one tunnel' });
    if (options.verifyCertificate === false && options.serverKey === undefined) {
      throw new TunnelError('usage', { detail: 'a certificate must be verified where the server key is not given' });
    }
    this.#options = options;
    this.#server = options.server;
    this.#heartbeat = options.heartbeat ?? DEFAULT_HEARTBEAT;
    if (this.#heartbeat.timeoutMs < MIN_HEARTBEAT_TIMEOUT_MS) {
      throw new TunnelError('usage', { detail: `a heartbeat timeout is at least ${MIN_HEARTBEAT_TIMEOUT_MS} ms` });
    }
    const { maxReconnectDelayMs } = options;
    if (maxReconnectDelayMs !== undefined && !isDelayCap(maxReconnectDelayMs)) {
      throw new TunnelError('usage', {
        detail: `the longest delay between attempts is ${MIN_DELAY_CAP_MS} to ${GREATEST_DELAY_MS} ms`,
      });
    }
    this.#policy = new RetryPolicy({
      random: Math.random,
      ...(maxReconnectDelayMs !== undefined && { maxReconnectDelayMs }),
    });
    // Runs while the first dial does.
    if (options.secret !== undefined) void derivePsk(options.secret);
    this.#serverKey = new ServerKey(options);
    this.#tunnels = new TunnelSet(options, {
      onHealth: (target, report) => this.emit('service', { target, ...report }),
      onVisitorsRefused: (target, counts) => this.emit('visitors-refused', { target, ...counts }),
      onRetrying: (error, attempt, delayMs) => {
        this.#record.failed(error);
        this.#tellRetrying(error, attempt, delayMs, 0);
      },
      onFatal: (error) => this.#finish(error),
      onGivenUp: (name, error) => {
        this.#record.failed(error);
        const { code, message, hint } = error;
        this.emit('warning', { code, reason: `the tunnel ${name} stays closed: ${message}`, hint });
        if (this.#session) this.#readyIfAllOpen(this.#session);
      },
      onWarning: (error) => this.#warn(asTunnelError(error)),
    });
  }

  /** Begins to connect. */
  start(): void {
    if (this.#state.kind !== 'new') return;
    this.#state = { kind: 'attempting', abort: new AbortController() };
    this.#downSince = monotonicNow();
    this.#record.started();
    this.#surroundings = new SurroundingsWatch((change) => void this.#onSurroundings(change), this.#options.lookAround);
    this.#run().catch((cause: unknown) => this.#finish(asTunnelError(cause)));
  }

  /** Ends cleanly: no new visitors, running streams get a short time, ports are given back. Resolves after `stopped`. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const { driver } = this.#session ?? {};
    if (this.#state.kind === 'linked' && driver?.hasLink) {
      this.#state = { kind: 'stopping', end: this.#state.end };
      this.#tunnels.closeAll(driver);
      await this.#streamsEnded(driver, this.#options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS);
    }
    this.abort();
  }

  /** Ends at once. `stopped` follows. */
  abort(): void {
    this.#finish(new TunnelError('stopped'));
  }

  /** Tries now where it would wait. */
  retryNow(): void {
    const leftMs = this.#policy.requestedByUser(monotonicNow());
    if (this.#state.kind === 'waiting') this.#state.wakeAfter(leftMs);
    if (this.#session) this.#tunnels.retryNow(this.#session.driver);
  }

  /**
   * Makes these its tunnels, in the session that goes on: those that are as they were are not touched, others are asked for
   * or given back. `ready` follows once all are open. Resolves when the server has been asked.
   */
  async setTunnels(tunnels: readonly TunnelOptions[]): Promise<void> {
    if (tunnels.length === 0) throw new TunnelError('usage', { detail: 'a client needs at least one tunnel' });
    const replaced = this.#tunnels.replace(tunnels, () => (this.#isOver() ? undefined : this.#session?.driver));
    this.#isReady = false;
    if (!this.#tunnels.areAllOpen) this.#record.changed(false);
    else if (this.#session) this.#readyIfAllOpen(this.#session);
    await replaced;
  }

  /** Asks the server for a sign of life. Resolves with the time that took in ms, or undefined where none came in time. */
  async probe(timeoutMs: number): Promise<number | undefined> {
    const began = monotonicNow();
    const answers = await this.#session?.driver.answersWithin(timeoutMs);
    return answers === true ? monotonicNow() - began : undefined;
  }

  /** Why it stopped; undefined before. */
  get error(): TunnelError | undefined {
    return this.#error;
  }

  /** What it is doing now, and has been through. */
  status(): ClientStatus {
    const { driver } = this.#session ?? {};
    const state = this.#publicState;
    const linkAttempt = this.#state.kind === 'waiting' ? [this.#state.next] : [];
    const attempts = [...linkAttempt, ...this.#tunnels.dueAttempts];
    return {
      ...this.#record.status(driver?.traffic),
      state,
      server: formatServerAddress(this.#server),
      proxy: this.#options.proxy && formatProxyAddress(this.#options.proxy),
      tunnels: this.#tunnels.status,
      roundTripMs: driver?.roundTripMs,
      streams: driver?.pipeCount ?? 0,
      nextAttempt: state === 'waiting' ? nextOf(attempts) : undefined,
    };
  }

  get #publicState(): ClientStatus['state'] {
    switch (this.#state.kind) {
      case 'attempting':
        return 'connecting';
      case 'linked':
        if (this.#isReady) return 'ready';
        return this.#tunnels.dueAttempts.length > 0 ? 'waiting' : 'connecting';
      default:
        return this.#state.kind;
    }
  }

  // ── the loop of links ──

  async #run(): Promise<void> {
    await this.#serverKey.read();
    await this.#tunnels.recallPorts();
    while (!this.#isOver()) {
      const error = await this.#attempt();
      if (this.#isOver()) return;
      const now = monotonicNow();
      this.#record.failed(error);
      const decision = this.#policy.failed({ error, now });
      if (decision.kind === 'stop' || this.#options.reconnect === false) {
        this.#finish(error);
        return;
      }
      this.#tellRetrying(error, decision.attempt, decision.delayMs, now - this.#downSince);
      // Whoever was told may have stopped it.
      if (this.#isOver()) return;
      await this.#pause(decision);
    }
  }

  #tellRetrying(error: TunnelError, attempt: number, delayMs: number, downMs: number): void {
    this.emit('retrying', {
      ...causeOf(error),
      attempt,
      delayMs: Math.round(delayMs),
      hint: error.hint,
      downMs: Math.round(downMs),
      since: this.#record.since,
    });
  }

  #isOver(): boolean {
    return this.#state.kind === 'stopping' || this.#state.kind === 'stopped';
  }

  /** One attempt and, where it succeeds, the life of its link and of those that replace it. Resolves with why it ended. */
  async #attempt(): Promise<TunnelError> {
    const abort = new AbortController();
    this.#state = { kind: 'attempting', abort };
    let deadline = monotonicNow() + this.#connectTimeoutMs;
    const session = (this.#session ??= this.#newSession());
    try {
      let link = await this.#dial(session, abort.signal, () => true);
      let wasUp = false;
      for (;;) {
        const outcome = await this.#live(session, link, deadline, wasUp);
        if (outcome.kind === 'ended') return outcome.error;
        link = outcome.next;
        wasUp = outcome.wasUp;
        deadline = monotonicNow() + this.#connectTimeoutMs;
      }
    } catch (error) {
      return asTunnelError(error);
    }
  }

  /** `isWanted` is asked right before the server is told: from then on the new link replaces whatever there is. */
  async #dial(session: ClientSession, signal: AbortSignal, isWanted: () => boolean): Promise<EstablishedLink> {
    const { findServer, secret } = this.#options;
    if (findServer) this.#server = await findServer();
    if (signal.aborted) throw new TunnelError('stopped');
    const link = await establishLink({
      address: this.#server,
      crypto: this.#options.crypto ?? tweetnaclCrypto,
      identity: this.#options.identity,
      psk: secret === undefined ? Promise.resolve(ZERO_PSK) : derivePsk(secret),
      serverKey: this.#serverKey.expected,
      keySource: this.#serverKey.source,
      keyHint: this.#serverKey.hint,
      makeHello: () => {
        // While it was dialed for, the session may have come to its end.
        if (this.#session !== session) throw new TunnelError('session-expired');
        if (signal.aborted || !isWanted()) throw new TunnelError('link-replaced');
        this.#linkNumber += 1;
        const agent = this.#options.agent ?? 'tunnel';
        return session.hello(this.#instance, this.#linkNumber, this.#heartbeat, agent);
      },
      onAttempt: (event) => this.emit('attempt', event),
      dial: {
        signal,
        timeoutMs: this.#connectTimeoutMs,
        proxy: this.#options.proxy,
        ca: this.#options.ca,
        verifyCertificate: this.#options.verifyCertificate,
        onWarning: ({ message, cause }) => this.#warn(new TunnelError('tcp-failed', { detail: message, cause })),
      },
    });
    if (!this.#isOver()) return link;
    link.records.destroy();
    throw new TunnelError('stopped');
  }

  get #connectTimeoutMs(): number {
    return this.#options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
  }

  /** From message 3 to the end of the link. */
  #live(session: ClientSession, link: EstablishedLink, deadline: number, wasUp: boolean): Promise<LinkOutcome> {
    const { driver } = session;
    this.#linkKey = link.serverKey;
    return new Promise((resolve) => {
      // A link that replaced one which was up counts as up: what ends with it is what the other one began.
      let isUp = wasUp;
      const timer = setTimeout(
        () => end(new TunnelError('attempt-timeout', { detail: 'given up while waiting for the server to accept' })),
        Math.max(0, deadline - monotonicNow()),
      );
      const confirm = (): void => {
        clearTimeout(timer);
        session.stopExpiry();
        isUp = true;
      };
      const end = (error: TunnelError): void => {
        clearTimeout(timer);
        driver.detach();
        if (!this.#isOver()) this.#onLinkEnd(session, error, isUp);
        resolve({ kind: 'ended', error });
      };
      const replace = (next: EstablishedLink): void => {
        clearTimeout(timer);
        driver.detach();
        resolve({ kind: 'replaced', next, wasUp: isUp });
      };
      this.#state = { kind: 'linked', session, confirm, end, replace };
      driver.beginLink(link.records, this.#heartbeat, link.roundTripMs, link.features);
    });
  }

  #onLinkEnd(session: ClientSession, error: TunnelError, wasConfirmed: boolean): void {
    const { accepted } = session;
    if (wasConfirmed) {
      this.#downSince = monotonicNow();
      this.#tellDisconnected(error);
    }
    const isOver = isSessionLost(error.code) || session.driver.isBroken;
    if (!accepted || isOver || accepted.resumeWindowMs === 0 || this.#options.reconnect === false) {
      this.#loseSession(session, error.code);
    } else if (wasConfirmed && this.#session === session) {
      session.expireAfter(accepted.resumeWindowMs, () => {
        this.#loseSession(session, 'session-expired');
        // The next link may stand already, and wait for the server.
        this.#endLink(new TunnelError('session-expired'));
      });
    }
  }

  #tellDisconnected(error: TunnelError): void {
    // Once: where a doubtful link was replaced in vain it was told already.
    if (!this.#isReady) return;
    this.#isReady = false;
    this.#record.changed(false);
    this.#record.failed(error);
    this.emit('disconnected', causeOf(error));
  }

  /**
   * Make before break: the next link takes over once it stands. With a `doubt` about the old one, which may still live, any
   * sign of life of it calls that off.
   */
  async #replaceLink(old: LiveLink, doubt: TunnelError | undefined): Promise<void> {
    const abort = new AbortController();
    this.#replacements.add(abort);
    const { session } = old;
    if (doubt) {
      void session.driver.answersWithin(this.#connectTimeoutMs).then((answers) => {
        if (answers) abort.abort();
      });
    }
    try {
      const isCurrent = (): boolean => this.#state.kind === 'linked' && this.#state.end === old.end;
      const next = await this.#dial(session, abort.signal, isCurrent);
      if (!isCurrent()) {
        next.records.destroy();
        return;
      }
      if (doubt) this.#tellDisconnected(doubt);
      old.replace(next);
    } catch {
      // The old link goes on, or comes to its own end.
      session.driver.withdrawHello();
    } finally {
      this.#replacements.delete(abort);
    }
  }

  async #pause({ delayMs, attempt }: { readonly delayMs: number; readonly attempt: number }): Promise<void> {
    await new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const next = { attempt, dueAt: 0 };
      const wakeAfter = (leftMs: number): void => {
        clearTimeout(timer);
        timer = setTimeout(resolve, leftMs);
        next.dueAt = monotonicNow() + leftMs;
      };
      wakeAfter(delayMs);
      this.#state = { kind: 'waiting', wakeAfter, next };
    });
  }

  /** What was true of the network before may not be any more: a wait is cut short, a link has to prove itself. */
  async #onSurroundings(change: SurroundingsChange): Promise<void> {
    const now = monotonicNow();
    const leftMs = change === 'woke' ? this.#policy.woke(now) : this.#policy.networkChanged(now);
    const state = this.#state;
    if (state.kind === 'waiting') state.wakeAfter(leftMs);
    if (state.kind !== 'linked' || (await state.session.driver.answersWithin(PROBE_MS))) return;
    const detail =
      change === 'woke'
        ? 'no answer after the machine or the process stood still'
        : 'no answer after the network changed';
    if (this.#state === state) state.end(new TunnelError('heartbeat-timeout', { detail }));
  }

  // ── the session ──

  #newSession(): ClientSession {
    const session = new ClientSession(this.#budget, this.#options.linkLifeMs, {
      onEvent: (of, event) => this.#onEvent(of, event),
      onLinkEnd: (error) => this.#endLink(error),
      onStream: (event) => this.emit('stream', event),
    });
    this.#tunnels.requestAll(session.driver);
    return session;
  }

  #loseSession(session: ClientSession, code: ErrorCode): void {
    session.stopExpiry();
    // Already lost: its good-bye came before the end of its link.
    if (this.#session !== session) return;
    this.#session = undefined;
    const lostStreams = session.dispose(code);
    this.#lostStreams += lostStreams;
    this.#record.sessionEnded(lostStreams, session.driver.traffic);
    this.#tunnels.lost();
    if (session.id !== undefined) this.emit('session-ended', { sessionId: session.id, lostStreams });
  }

  #endLink(error: TunnelError): void {
    if (this.#state.kind === 'linked') this.#state.end(error);
  }

  #onEvent(session: ClientSession, event: DriverEvent): void {
    switch (event.type) {
      case 'accepted': {
        const { sessionId: id, token, resumeWindowMs, agent, heartbeatTimeoutMs } = event.frame;
        this.#isResumed = session.accepted !== undefined;
        session.accepted = { id, token, resumeWindowMs };
        this.emit('linked', { sessionId: Buffer.from(id).toString('hex'), resumed: this.#isResumed });
        this.#record.accepted(session.driver.pipeCount);
        this.#tunnels.linkAccepted();
        this.emit('attempt', { type: 'accepted', agent, resumeWindowMs, heartbeatTimeoutMs });
        if (this.#state.kind === 'linked') this.#state.confirm();
        this.#pin(session);
        this.#readyIfAllOpen(session);
        return;
      }
      case 'refused':
        this.#endLink(asError(event));
        return;
      case 'answered':
        this.#policy.established(monotonicNow());
        return;
      case 'stream-opened':
        session.openStream(event, this.#tunnels.visited(event.tunnelId));
        return;
      case 'tunnel-granted':
      case 'tunnel-refused':
      case 'tunnel-close':
        this.#onTunnelFrame(session, event);
        return;
      case 'visitors-refused':
        this.#tunnels.visitorsRefused(event.tunnelId, event);
        return;
      case 'goodbye':
        this.#loseSession(session, 'session-lost');
        this.#endLink(
          asError({
            code: event.code,
            retryAfterMs: session.comeBackAfterMs,
            detail: event.code === 'protocol-error' ? 'the server says so of this client' : '',
          }),
        );
        return;
      case 'drain':
        session.comeBackAfterMs = event.retryAfterMs + Math.random() * event.spreadMs;
        return;
      case 'link-doubtful':
        if (this.#state.kind === 'linked' && this.#options.reconnect !== false) {
          const doubt = new TunnelError('heartbeat-timeout', { detail: 'a new link takes over' });
          void this.#replaceLink(this.#state, doubt);
        }
        return;
      case 'link-worn':
        if (this.#state.kind === 'linked') void this.#replaceLink(this.#state, undefined);
        return;
      case 'tunnel-request':
        return;
    }
  }

  #onTunnelFrame(session: ClientSession, event: TunnelFrame): void {
    const { type, tunnelId } = event;
    if (!this.#tunnels.expects(event)) {
      // It is numbered: every further link would bring it again.
      this.#loseSession(session, 'protocol-error');
      this.#endLink(new TunnelError('protocol-error', { detail: `a ${type} that was not asked for` }));
      return;
    }
    if (type === 'tunnel-granted') {
      this.#tunnels.granted(tunnelId, event);
      this.#readyIfAllOpen(session);
      return;
    }
    if (!this.#tunnels.has(tunnelId)) return;
    this.#isReady = false;
    this.#record.changed(false);
    const refusal = { code: event.code, detail: type === 'tunnel-refused' ? event.detail : '', retryAfterMs: 0 };
    this.#tunnels.refused(session.driver, tunnelId, asError(refusal, 'port-unavailable'));
  }

  #readyIfAllOpen(session: ClientSession): void {
    if (this.#isReady || this.#isPinning || session.id === undefined || !this.#tunnels.areAllOpen) return;
    // The link may have ended while the server's key was pinned: the next one says it.
    if (this.#state.kind !== 'linked') return;
    this.#isReady = true;
    this.#wasReady = true;
    this.#record.changed(true);
    const lostStreams = this.#lostStreams;
    const pinnedAt = this.#pinnedAt;
    this.#lostStreams = 0;
    this.#pinnedAt = undefined;
    this.emit('ready', {
      tunnels: this.#tunnels.open,
      sessionId: session.id,
      resumed: this.#isResumed,
      lostStreams,
      serverKey: Buffer.from(this.#linkKey ?? []).toString('base64url'),
      pinnedAt,
    });
  }

  /** `ready` waits for it. */
  #pin(session: ClientSession): void {
    const key = this.#linkKey;
    if (!key || this.#serverKey.expected) return;
    this.#isPinning = true;
    this.#serverKey
      .pin(key)
      .then(
        (path) => {
          this.#pinnedAt = path;
        },
        (error: unknown) => {
          const failure = asTunnelError(error);
          if (failure.code === 'server-key-changed') this.#finish(failure);
          else this.#warn(failure);
        },
      )
      .finally(() => {
        this.#isPinning = false;
        if (this.#session === session) this.#readyIfAllOpen(session);
      });
  }

  // ── the end ──

  #warn(error: TunnelError): void {
    this.emit('warning', { ...causeOf(error), hint: error.hint });
  }

  async #streamsEnded(driver: SessionDriver, graceMs: number): Promise<void> {
    const end = monotonicNow() + graceMs;
    while (driver.pipeCount > 0 && driver.hasLink && monotonicNow() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #finish(cause: TunnelError): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    this.#state = { kind: 'stopped' };
    const error = withHint(cause, this.#options);
    this.#error = error;
    this.#record.changed(false);
    if (state.kind === 'attempting') state.abort.abort();
    for (const abort of this.#replacements) abort.abort();
    if (state.kind === 'waiting') state.wakeAfter(0);
    this.#surroundings?.[Symbol.dispose]();
    const session = this.#session;
    if (session) {
      session.driver.sendNotice({ type: 'goodbye', code: 'stopped' });
      session.driver.close(1000, 'stopped');
      this.#loseSession(session, 'session-lost');
    }
    this.#tunnels.dispose();
    if (state.kind === 'linked' || state.kind === 'stopping') state.end(error);
    // A one-shot client did its job once its link was established.
    const isDone = this.#options.reconnect === false && this.#wasReady;
    this.emit('stopped', {
      ...causeOf(error),
      exitCode: isDone ? 0 : ERRORS[error.code].exitCode,
      hint: error.hint,
    });
  }
}

function isDelayCap(delayMs: number): boolean {
  return delayMs >= MIN_DELAY_CAP_MS && delayMs <= GREATEST_DELAY_MS;
}

/** Whether the session itself is gone, and not only its link. */
function isSessionLost(code: ErrorCode): boolean {
  return code === 'session-unknown' || code === 'session-expired' || code === 'session-taken-over';
}

function causeOf(error: TunnelError): Cause {
  return { code: error.code, reason: error.message };
}

function asTunnelError(error: unknown): TunnelError {
  if (error instanceof TunnelError) return error;
  return new TunnelError('internal', { detail: error instanceof Error ? error.message : String(error), cause: error });
}
