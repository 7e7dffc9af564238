import { type HeartbeatSettings, TunnelError } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';
import type { EstablishedLink } from './establish-link.ts';
import type { UplinkSession } from './uplink-session.ts';

export interface LiveLinkOptions {
  readonly session: UplinkSession;
  readonly heartbeat: HeartbeatSettings;
  /** For an attempt as a whole, in ms: what is left of it is how long the server has to accept. */
  readonly connectTimeoutMs: number;
  /** Called once, before `ended` resolves. `wasUp`: the server had accepted it, or the link that it replaced. */
  readonly onEnd: (error: TunnelError, wasUp: boolean) => void;
}

/** What carries a session, from message 3 until there is nothing left to carry it: one link, and those that replace it. */
export class LiveLink {
  /** Why it ended. Never rejects. */
  readonly ended: Promise<TunnelError>;
  readonly session: UplinkSession;
  readonly #options: LiveLinkOptions;
  readonly #resolve: (error: TunnelError) => void;
  #current: EstablishedLink;
  /** A link that replaces one which was up counts as up: its end is the end of what the other one began. */
  #isUp = false;
  #isOver = false;
  #acceptanceTimer: NodeJS.Timeout | undefined;

  /** Nothing happens before `begin`. */
  constructor(link: EstablishedLink, options: LiveLinkOptions) {
    const { promise, resolve } = withResolvers<TunnelError>();
    this.ended = promise;
    this.#resolve = resolve;
    this.#current = link;
    this.session = options.session;
    this.#options = options;
  }

  /** The link that carries the session now. */
  get current(): EstablishedLink {
    return this.#current;
  }

  /** `attemptBeganAt`: in monotonic ms. */
  begin(attemptBeganAt: number): void {
    const { connectTimeoutMs, heartbeat } = this.#options;
    const { records, roundTripMs, features } = this.#current;
    clearTimeout(this.#acceptanceTimer);
    this.#acceptanceTimer = setTimeout(
      () => this.end(new TunnelError('attempt-timeout', { detail: 'given up while waiting for the server to accept' })),
      Math.max(0, attemptBeganAt + connectTimeoutMs - monotonicNow()),
    );
    this.session.driver.beginLink(records, heartbeat, roundTripMs, features);
  }

  /** The server accepted it. */
  accepted(): void {
    clearTimeout(this.#acceptanceTimer);
    this.session.stopExpiry();
    this.#isUp = true;
  }

  /** The session goes on over this link, and the present one is let go. */
  replaceBy(next: EstablishedLink): void {
    this.session.driver.detach();
    this.#current = next;
    this.begin(monotonicNow());
  }

  end(error: TunnelError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#acceptanceTimer);
    this.session.detach();
    this.#options.onEnd(error, this.#isUp);
    this.#resolve(error);
  }
}

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
