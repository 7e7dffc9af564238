import {
  type AcceptedFrame,
  type ErrorCode,
  type HeartbeatSettings,
  type Hello,
  isErrorCode,
  type MemoryBudget,
  PROBE_MS,
  type TunnelError,
} from '@tunnel/shared';
import { type DriverEvent, monotonicNow, SessionDriver, type StreamObserver } from '@tunnel/shared/node';
import type { ClientEvents } from '../events.ts';
import type { LocalTarget } from '../options.ts';
import type { ClientTunnel } from '../tunnels/tunnel-set.ts';
import { nameOfVisitor, proxyHeader } from '../services/proxy-header.ts';
import { type StreamOpened, type TunnelFrame, visitorAddresses } from './tunnel-frames.ts';
import type { UplinkTunnels } from './uplink-tunnels.ts';

/** Looks on at a stream, and is told of its end. */
interface VisitorObserver extends StreamObserver {
  closed(): void;
}

/** Whose stream it is. */
interface Visitor {
  readonly told: { readonly target: LocalTarget; readonly visitor: string };
  readonly observer: VisitorObserver | undefined;
}

/** What a server says of the session and the link as a whole. Visitors and tunnels are the session's own business. */
export type LinkEvent = Extract<
  DriverEvent,
  { type: 'accepted' | 'refused' | 'answered' | 'goodbye' | 'drain' | 'link-doubtful' | 'link-worn' }
>;

export interface UplinkSessionHandlers {
  onEvent(session: UplinkSession, event: LinkEvent): void;
  onLinkEnd(error: TunnelError): void;
  /** The server said something of a tunnel that it may not say now. */
  onUnasked(session: UplinkSession, type: TunnelFrame['type']): void;
  onStream(event: ClientEvents['stream']): void;
  /** Whoever looks on at this visitor's stream. `publicHost`: empty for a port. */
  observe(tunnel: ClientTunnel, address: string, publicHost: string): VisitorObserver | undefined;
}

export interface UplinkSessionOptions {
  readonly budget: MemoryBudget;
  readonly linkLifeMs: number | undefined;
  readonly tunnels: UplinkTunnels;
}

/** What the server said of the session when it accepted it. */
interface AcceptedSession {
  readonly id: Uint8Array;
  readonly token: Uint8Array;
  readonly resumeWindowMs: number;
}

/** A session of an uplink, over its links. */
export class UplinkSession {
  readonly driver: SessionDriver;
  #accepted: AcceptedSession | undefined;
  #isResumed = false;
  /** The server said that it will stop, and when to come back, in ms; 0 where it did not. */
  comeBackAfterMs = 0;
  readonly #tunnels: UplinkTunnels;
  readonly #handlers: UplinkSessionHandlers;
  readonly #visitors = new Map<number, Visitor>();
  #expiryTimer: NodeJS.Timeout | undefined;
  #isOver = false;
  #onLinkGone: (() => void) | undefined;
  #onLastStreamClosed: (() => void) | undefined;

  /** Asks for all tunnels at once: the requests go out with the first link. */
  constructor({ budget, linkLifeMs, tunnels }: UplinkSessionOptions, handlers: UplinkSessionHandlers) {
    this.#tunnels = tunnels;
    this.#handlers = handlers;
    const onLinkEnd = (error: TunnelError): void => {
      this.#onLinkGone?.();
      handlers.onLinkEnd(error);
    };
    this.driver = new SessionDriver(
      { role: 'client', budget, linkLifeMs },
      {
        onEvent: (event) => this.#onEvent(event),
        onLinkEnd,
        // Without a good-bye: the server holds the public ports until this process claims its next session.
        onBroken: (error) => {
          this.driver.detach();
          onLinkEnd(error);
        },
        onStreamClosed: (streamId, resetCode) => this.#onStreamClosed(streamId, resetCode),
      },
    );
    tunnels.begin(this.driver);
  }

  /** Undefined before it was accepted once. */
  get accepted(): AcceptedSession | undefined {
    return this.#accepted;
  }

  /** Its present link, or the last one, carried it on: it is not the first. */
  get isResumed(): boolean {
    return this.#isResumed;
  }

  /** The server carries it on a link. Returns its id as text. */
  accept({ sessionId: id, token, resumeWindowMs }: AcceptedFrame): string {
    this.#isResumed = this.#accepted !== undefined;
    this.#accepted = { id, token, resumeWindowMs };
    return textOf(id);
  }

  /** As text; undefined before it was accepted once. */
  get id(): string | undefined {
    return this.#accepted && textOf(this.#accepted.id);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What to say of it in message 3 of its next link. The present one acknowledges nothing from here on. */
  hello(instance: Uint8Array, linkNumber: number, heartbeat: HeartbeatSettings, agent: string): Hello {
    const accepted = this.#accepted;
    return {
      instance,
      linkNumber,
      heartbeatIntervalMs: heartbeat.intervalMs,
      heartbeatTimeoutMs: heartbeat.timeoutMs,
      agent,
      ...this.driver.firstCredit,
      ...(accepted && {
        resume: { sessionId: accepted.id, token: accepted.token, ...this.driver.helloPoint() },
      }),
    };
  }

  /** The link is gone: the server forgets the session after a while, and to hold connections longer would help nobody. */
  expireAfter(delayMs: number, onExpired: () => void): void {
    this.#expiryTimer = setTimeout(onExpired, delayMs);
  }

  /** The session has a link again, or is over. */
  stopExpiry(): void {
    clearTimeout(this.#expiryTimer);
  }

  /** Asks for a sign of life. Resolves with the time that took in ms, or undefined where none came in time. */
  async roundTrip(timeoutMs: number): Promise<number | undefined> {
    const began = monotonicNow();
    return (await this.driver.answersWithin(timeoutMs)) ? monotonicNow() - began : undefined;
  }

  /**
   * Resolves when the last connection has ended and the server has all that it said, when the link is gone, or when the grace
   * is over.
   */
  async drained(graceMs: number): Promise<void> {
    const { driver } = this;
    const isDrained = (): boolean => driver.pipeCount === 0 && driver.streamCount === 0;
    if (isDrained() || !driver.hasLink) return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, graceMs, false);
      this.#onLinkGone = () => resolve(false);
    });
    const closed = new Promise<true>((resolve) => {
      this.#onLastStreamClosed = () => resolve(true);
      if (driver.pipeCount === 0) resolve(true);
    });
    let isWaiting = await Promise.race([over, closed]);
    // Each record that comes may acknowledge the rest.
    while (isWaiting && !isDrained()) isWaiting = await Promise.race([over, driver.answersWithin(graceMs)]);
    clearTimeout(timer);
  }

  /** Lets go of the link. */
  detach(): void {
    this.driver.detach();
    this.#onLinkGone?.();
  }

  /** The session is over: every connection is reset. Returns how many there were. */
  dispose(code: ErrorCode): number {
    this.#isOver = true;
    this.stopExpiry();
    const lostStreams = this.driver.dispose(code);
    this.#onLinkGone?.();
    return lostStreams;
  }

  #onEvent(event: DriverEvent): void {
    switch (event.type) {
      case 'stream-opened':
        this.#serveVisitor(event);
        return;
      case 'tunnel-granted':
      case 'tunnel-refused':
      case 'tunnel-close':
        if (!this.#tunnels.take(event)) this.#handlers.onUnasked(this, event.type);
        return;
      case 'tunnel-addresses':
        this.#tunnels.takeAddresses(event);
        return;
      case 'visitors-refused':
        this.#tunnels.visitorsRefused(event.tunnelId, event);
        return;
      case 'tunnel-request':
        return;
      default:
        this.#handlers.onEvent(this, event);
    }
  }

  /** Without a tunnel the visitor is reset. */
  #serveVisitor(event: StreamOpened): void {
    const pipe = this.driver.addPipe(event.streamId);
    const visited = this.#tunnels.visited(event.tunnelId);
    if (!visited) {
      pipe.reset('tunnel-closed');
      return;
    }
    const { tunnel, publicPort, publicHost } = visited;
    const { service, options } = tunnel;
    const addresses = visitorAddresses(event, publicPort);
    const told = { target: service.target, visitor: nameOfVisitor(addresses) };
    const observer = this.#handlers.observe(tunnel, told.visitor, publicHost);
    if (observer) pipe.observe(observer);
    this.#visitors.set(event.streamId, { told, observer });
    this.#handlers.onStream({ state: 'opened', ...told });
    service.serve({
      pipe,
      addresses,
      header: options.proxyProtocol && proxyHeader(options.proxyProtocol, addresses),
      answers: () => this.driver.answersWithin(PROBE_MS),
    });
  }

  #onStreamClosed(streamId: number, code: string | undefined): void {
    const visitor = this.#visitors.get(streamId);
    if (visitor) {
      const { told, observer } = visitor;
      this.#visitors.delete(streamId);
      observer?.closed();
      this.#handlers.onStream(
        code === undefined
          ? { state: 'closed', ...told }
          : { state: 'reset', ...told, code: isErrorCode(code) ? code : 'stream-reset' },
      );
    }
    if (this.driver.pipeCount === 0) this.#onLastStreamClosed?.();
  }
}

function textOf(sessionId: Uint8Array): string {
  return Buffer.from(sessionId).toString('hex');
}
