import {
  type AddressAndPort,
  decodeAddresses,
  type Hello,
  type ErrorCode,
  type HeartbeatSettings,
  type TunnelError,
  type MemoryBudget,
} from '@tunnel/shared';
import { type DriverEvent, SessionDriver } from '@tunnel/shared/node';
import { formatHostAndPort } from '../dial/address.ts';
import type { ClientEvents } from '../events.ts';
import type { LocalTarget } from '../options.ts';
import { proxyHeader } from '../services/proxy-header.ts';
import type { VisitedTunnel } from '../tunnels/tunnel-set.ts';

/** How long the link has to answer before a visitor on whose connection nothing moves is reset, in ms. */
const PROBE_MS = 1_000;

export interface ClientSessionHandlers {
  onEvent(session: ClientSession, event: DriverEvent): void;
  onLinkEnd(error: TunnelError): void;
  onStream(event: ClientEvents['stream']): void;
}

/** What the server said of the session when it accepted it. */
interface AcceptedSession {
  readonly id: Uint8Array;
  readonly token: Uint8Array;
  readonly resumeWindowMs: number;
}

/** A session of a client, over its links. */
export class ClientSession {
  readonly driver: SessionDriver;
  /** Undefined before it was accepted once. */
  accepted: AcceptedSession | undefined;
  /** The server said that it will stop, and when to come back, in ms; 0 where it did not. */
  comeBackAfterMs = 0;
  readonly #handlers: ClientSessionHandlers;
  readonly #visitors = new Map<number, { readonly target: LocalTarget; readonly visitor: string }>();
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor(budget: MemoryBudget, linkLifeMs: number | undefined, handlers: ClientSessionHandlers) {
    this.#handlers = handlers;
    this.driver = new SessionDriver(
      { role: 'client', budget, linkLifeMs },
      {
        onEvent: (event) => handlers.onEvent(this, event),
        onLinkEnd: (error) => handlers.onLinkEnd(error),
        // Without a good-bye: the server holds the public ports until this process begins its next session.
        onBroken: (error) => {
          this.driver.detach();
          handlers.onLinkEnd(error);
        },
        onStreamClosed: (streamId, resetCode) => this.#onStreamClosed(streamId, resetCode),
      },
    );
  }

  /** As text; undefined before it was accepted once. */
  get id(): string | undefined {
    return this.accepted && Buffer.from(this.accepted.id).toString('hex');
  }

  /** What to say of it in message 3 of its next link. The present one acknowledges nothing from here on. */
  hello(instance: Uint8Array, linkNumber: number, heartbeat: HeartbeatSettings, agent: string): Hello {
    const { accepted } = this;
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

  /** A visitor came. Without a tunnel it is reset. */
  openStream(event: Extract<DriverEvent, { type: 'stream-opened' }>, tunnel: VisitedTunnel | undefined): void {
    const pipe = this.driver.addPipe(event.streamId);
    if (!tunnel) {
      pipe.reset('tunnel-closed');
      return;
    }
    const { service, port, proxyProtocol } = tunnel;
    const { visitor: from = UNKNOWN, destination } = decodeAddresses(event.attributes);
    const addresses = {
      ...from,
      destination: destination?.address ?? '',
      destinationPort: destination?.port ?? port,
    };
    const visitor = { target: service.target, visitor: nameOf(from) };
    this.#visitors.set(event.streamId, visitor);
    this.#handlers.onStream({ state: 'opened', ...visitor });
    service.serve({
      pipe,
      addresses,
      header: proxyProtocol && proxyHeader(proxyProtocol, addresses),
      answers: () => this.driver.answersWithin(PROBE_MS),
    });
  }

  /** The link is gone: the server forgets the session after a while, and to hold connections longer would help nobody. */
  expireAfter(delayMs: number, onExpired: () => void): void {
    this.#expiryTimer = setTimeout(onExpired, delayMs);
  }

  /** The session has a link again, or is over. */
  stopExpiry(): void {
    clearTimeout(this.#expiryTimer);
  }

  /** The session is over: every connection is reset. Returns how many there were. */
  dispose(code: ErrorCode): number {
    this.stopExpiry();
    return this.driver.dispose(code);
  }

  #onStreamClosed(streamId: number, code: string | undefined): void {
    const visitor = this.#visitors.get(streamId);
    if (!visitor) return;
    this.#visitors.delete(streamId);
    this.#handlers.onStream(
      code === undefined ? { state: 'closed', ...visitor } : { state: 'reset', ...visitor, code },
    );
  }
}

/** The server does not know the address of a visitor that was gone before it was accepted. */
const UNKNOWN: AddressAndPort = { address: '', port: 0 };

function nameOf({ address, port }: AddressAndPort): string {
  return address === '' ? 'unknown' : formatHostAndPort(address, port);
}
