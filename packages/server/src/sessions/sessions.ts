import { encodeFrame, type ErrorCode, TunnelError } from '@tunnel/shared';
import { encodeKey, monotonicNow } from '@tunnel/shared/node';
import type { ProvenLink } from '../links/link-acceptor.ts';
import { Ends } from '../shares/ends.ts';
import { ServerSession, type ServerSessionOptions } from './server-session.ts';
import { type SessionOwner, SessionTable } from './session-table.ts';
import type { SessionsStatus } from '../observe/status.ts';

/** Clients that there is no room for are told to come back after a while, in ms. */
const CAPACITY_RETRY_MS = 30_000;

/** The server is about to stop. */
interface Drain {
  /** When clients may come back, and over how long they are spread, in ms. */
  readonly retryAfterMs: number;
  readonly spreadMs: number;
  /** Monotonic ms. */
  readonly endsAt: number;
}

/** Told of every link that is turned away; `sessionId` is that of the session that it was to carry on. */
type OnRefused = (error: TunnelError, link: ProvenLink, sessionId?: string) => void;

/** All sessions of a server, and who may begin or carry on which. */
export class Sessions {
  readonly #options: Omit<ServerSessionOptions, 'onEnd'>;
  readonly #onRefused: OnRefused;
  readonly #table = new SessionTable<ServerSession>();
  readonly #ends = new Ends();
  #drain: Drain | undefined;
  /** Of sessions that are over. */
  readonly #past = { visitors: 0, bytesIn: 0, bytesOut: 0 };

  constructor(options: Omit<ServerSessionOptions, 'onEnd'>, onRefused: OnRefused) {
    this.#options = options;
    this.#onRefused = onRefused;
  }

  get all(): Iterable<ServerSession> {
    return this.#table.sessions();
  }

  get count(): number {
    return this.#table.size;
  }

  get status(): SessionsStatus {
    const status = {
      ...this.#past,
      linkedSessions: 0,
      waitingSessions: 0,
      publicPorts: this.#options.endpoints.count,
      streams: 0,
      resumeLogBytes: 0,
    };
    const roundTripsMs: number[] = [];
    for (const { driver, visitorCount } of this.all) {
      const { traffic } = driver;
      if (driver.hasLink) status.linkedSessions += 1;
      else status.waitingSessions += 1;
      status.streams += driver.pipeCount;
      status.visitors += visitorCount;
      status.bytesIn += traffic.sentBytes;
      status.bytesOut += traffic.receivedBytes;
      status.resumeLogBytes += driver.logBytes;
      if (driver.roundTripMs !== undefined) roundTripsMs.push(driver.roundTripMs);
    }
    return { ...status, roundTripsMs: roundTripsMs.toSorted((a, b) => a - b) };
  }

  /** Whether sessions come from there. */
  comeFrom(source: string): boolean {
    return this.#table.hasFrom(source);
  }

  /** A client proved who it is: begins a session, carries one on, or refuses. */
  proven(link: ProvenLink): void {
    const owner = this.#ownerOf(link);
    const existing = this.#table.get(owner.process);
    const { resume, linkNumber } = link.hello;
    if (this.#drain && !(resume && existing?.id === idOf(resume) && existing.hasVisitors)) {
      this.#refuse(link, 'server-stopped', { retryAfterMs: this.#drain.retryAfterMs + this.#drain.spreadMs });
    } else if (existing && linkNumber <= existing.linkNumber) {
      this.#refuse(link, 'stale-link');
    } else if (!resume) {
      this.#begin(link, owner, existing);
    } else if (existing?.id === idOf(resume) && existing.admits(link)) {
      existing.carryOn(link, resume);
      this.#table.moved(owner);
      if (this.#drain) announce(existing, this.#drain);
    } else {
      this.#refuse(link, 'session-unknown');
    }
  }

  /** Tells all to come back, and ends each session once its visitors are gone. Only those that have some can be carried on. */
  drain(retryAfterMs: number, spreadMs: number, graceMs: number): void {
    this.#drain = { retryAfterMs, spreadMs, endsAt: monotonicNow() + graceMs };
    for (const session of this.all) announce(session, this.#drain);
  }

  /** Waits until all are over, `timeoutMs` at most. */
  ended(timeoutMs: number): Promise<void> {
    return this.#ends.wait(this.count === 0, timeoutMs);
  }

  /** Who is admitted, or what for, changed: ends what is not permitted any more. */
  review(): void {
    for (const session of this.all) session.review();
  }

  /** The endpoint with this name is reached under other addresses from here on. */
  moved(name: string): void {
    for (const session of this.all) session.moved(name);
  }

  endAll(code: ErrorCode): void {
    for (const session of this.all) session.end(code);
  }

  #begin(link: ProvenLink, owner: SessionOwner, existing: ServerSession | undefined): void {
    if (existing) {
      existing.end('link-replaced');
    } else {
      const room = this.#table.roomFor(owner, this.#options.access.entryOf(owner.key)?.sessions);
      if (room.kind === 'none') {
        this.#refuse(link, 'at-capacity', { retryAfterMs: CAPACITY_RETRY_MS, detail: room.reason });
        return;
      }
      if (room.kind === 'instead-of') this.#makeRoom(room.session);
    }
    const onEnd = (ended: ServerSession): void => {
      this.#table.delete(owner.process, ended);
      this.#past.visitors += ended.visitorCount;
      this.#past.bytesIn += ended.driver.traffic.sentBytes;
      this.#past.bytesOut += ended.driver.traffic.receivedBytes;
      if (this.count === 0) this.#ends.reached();
    };
    const session = new ServerSession({ ...this.#options, onEnd }, link);
    this.#table.add(session, owner);
    session.begin(link);
  }

  #makeRoom(session: ServerSession): void {
    this.#options.emit('client-disconnected', {
      ...session.info,
      code: 'at-capacity',
      reason: 'there are too many sessions, and it made room',
      ended: true,
    });
    session.end('at-capacity');
  }

  #ownerOf({ clientKey, hello, source }: ProvenLink): SessionOwner {
    const key = encodeKey(clientKey);
    const isListed = this.#options.access.entryOf(key) !== undefined;
    return {
      key,
      process: `${key}/${Buffer.from(hello.instance).toString('hex')}`,
      peer: isListed ? `key ${key}` : `address ${source}`,
      source,
    };
  }

  #refuse(
    link: ProvenLink,
    code: ErrorCode,
    { retryAfterMs = 0, detail = '' }: { readonly retryAfterMs?: number; readonly detail?: string } = {},
  ): void {
    link.records.send([encodeFrame({ type: 'refused', code, retryAfterMs, detail })]);
    link.records.close(1008, code);
    const { resume } = link.hello;
    this.#onRefused(new TunnelError(code, { detail }), link, resume && idOf(resume));
  }
}

function announce(session: ServerSession, { retryAfterMs, spreadMs, endsAt }: Drain): void {
  session.drain(retryAfterMs, spreadMs, Math.max(0, Math.round(endsAt - monotonicNow())));
}

function idOf({ sessionId }: { readonly sessionId: Uint8Array }): string {
  return Buffer.from(sessionId).toString('hex');
}
