import { encodeFrame, type ErrorCode, TunnelError } from '@tunnel/shared';
import type { ClaimedLink } from './link-acceptor.ts';
import { ServerSession, type ServerSessionOptions } from './server-session.ts';
import type { SessionsStatus } from './status.ts';

/** Sessions that a server keeps; beyond it clients are told to come back after a while, in ms. */
const SESSION_LIMIT = 16_384;
const CAPACITY_RETRY_MS = 30_000;

/** Told of every link that is turned away; `sessionId` is that of the session that it was to carry on. */
type OnRefused = (error: TunnelError, link: ClaimedLink, sessionId?: string) => void;

/** All sessions of a server, and who may begin or carry on which. */
export class Sessions {
  readonly #options: Omit<ServerSessionOptions, 'onEnd'>;
  readonly #onRefused: OnRefused;
  /** By the client's key and instance: each process of a client has one session at most. */
  readonly #byOwner = new Map<string, ServerSession>();
  /** The server is about to stop: who comes is told to come back after this, in ms. */
  #retryAfterMs: number | undefined;
  /** Of sessions that are over. */
  readonly #past = { visitors: 0, bytesIn: 0, bytesOut: 0 };

  constructor(options: Omit<ServerSessionOptions, 'onEnd'>, onRefused: OnRefused) {
    this.#options = options;
    this.#onRefused = onRefused;
  }

  get all(): Iterable<ServerSession> {
    return this.#byOwner.values();
  }

  get count(): number {
    return this.#byOwner.size;
  }

  get status(): SessionsStatus {
    const status = {
      ...this.#past,
      linkedSessions: 0,
      waitingSessions: 0,
      publicPorts: this.#options.ports.count,
      streams: 0,
      resumeLogBytes: 0,
    };
    const roundTripsMs: number[] = [];
    for (const { driver, visitorCount } of this.all) {
      const { session, traffic } = driver;
      if (session.hasLink) status.linkedSessions += 1;
      else status.waitingSessions += 1;
      status.streams += driver.pipeCount;
      status.visitors += visitorCount;
      status.bytesIn += traffic.sentBytes;
      status.bytesOut += traffic.receivedBytes;
      status.resumeLogBytes += session.logBytes;
      if (session.roundTripMs !== undefined) roundTripsMs.push(session.roundTripMs);
    }
    return { ...status, roundTripsMs: roundTripsMs.toSorted((a, b) => a - b) };
  }

  /** A client proved who it is: begins a session, carries one on, or refuses. */
  claim(link: ClaimedLink): void {
    if (this.#retryAfterMs !== undefined) {
      this.#refuse(link, 'server-stopped', this.#retryAfterMs);
      return;
    }
    const owner = ownerOf(link);
    const existing = this.#byOwner.get(owner);
    const { resume, linkNumber } = link.claim;
    if (existing && linkNumber <= existing.linkNumber) {
      this.#refuse(link, 'stale-link');
    } else if (!resume && !existing && this.#byOwner.size >= SESSION_LIMIT) {
      this.#refuse(link, 'at-capacity', CAPACITY_RETRY_MS);
    } else if (!resume) {
      existing?.end('link-replaced');
      const onEnd = (ended: ServerSession): void => {
        if (this.#byOwner.get(owner) === ended) this.#byOwner.delete(owner);
        this.#past.visitors += ended.visitorCount;
        this.#past.bytesIn += ended.driver.traffic.sentBytes;
        this.#past.bytesOut += ended.driver.traffic.receivedBytes;
      };
      const session = new ServerSession({ ...this.#options, onEnd }, link);
      this.#byOwner.set(owner, session);
      session.begin(link);
    } else if (existing?.id === idOf(resume) && existing.admits(link)) {
      existing.carryOn(link, resume);
    } else {
      this.#refuse(link, 'session-unknown');
    }
  }

  /** Tells all to come back, and takes nobody any more. */
  drain(retryAfterMs: number, spreadMs: number, graceMs: number): void {
    this.#retryAfterMs = retryAfterMs + spreadMs;
    for (const session of this.all) session.drain(retryAfterMs, spreadMs, graceMs);
  }

  /** Who is admitted, or what for, changed: ends what is not permitted any more. */
  review(): void {
    for (const session of this.all) session.review();
  }

  endAll(code: ErrorCode): void {
    for (const session of this.all) session.end(code);
  }

  #refuse(link: ClaimedLink, code: ErrorCode, retryAfterMs = 0): void {
    link.records.send([encodeFrame({ type: 'refused', code, retryAfterMs, detail: '' })]);
    link.records.close(1008, code);
    const { resume } = link.claim;
    this.#onRefused(new TunnelError(code), link, resume && idOf(resume));
  }
}

function idOf({ sessionId }: { readonly sessionId: Uint8Array }): string {
  return Buffer.from(sessionId).toString('hex');
}

function ownerOf({ clientKey, claim }: ClaimedLink): string {
  return `${Buffer.from(clientKey).toString('hex')}/${Buffer.from(claim.instance).toString('hex')}`;
}
