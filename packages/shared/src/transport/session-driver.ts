import { TunnelError } from '../errors/errors.ts';
import type { HeartbeatSettings } from '../link/heartbeat.ts';
import type { SessionEvent } from '../session/events.ts';
import type { Attribute } from '../wire/attributes.ts';
import { RecordBuilder } from '../link/record-builder.ts';
import { RecordPace } from '../link/record-pace.ts';
import type { FirstCredit } from '../session/memory/first-credit.ts';
import type { MemoryBudget } from '../session/memory/memory-budget.ts';
import { type Notice, type ResumePoint, Session, type TunnelFrame } from '../session/session.ts';
import { monotonicNow } from './clock.ts';
import { MAX_RECORDS } from '../crypto/crypto.ts';
import { freeMemory, SharedMemory } from './memory.ts';
import type { RecordLink } from './record-link.ts';
import { StreamPipe, type Traffic } from './stream-pipe.ts';

/** Events that are not about a stream's bytes: for the client or the server around the session. */
export type DriverEvent =
  | Exclude<SessionEvent, { type: 'stream-data' | 'stream-ended' | 'stream-reset' | 'stream-writable' }>
  /** The link carried so much, or is so old, that another one with fresh keys should follow. */
  | { readonly type: 'link-worn' };

export interface SessionDriverHandlers {
  onEvent(event: DriverEvent): void;
  /** The link is gone; the session is kept. Not told for `detach`. */
  onLinkEnd(error: TunnelError): void;
  /** The peer broke the protocol in a way that every further link would repeat. The link still stands, for a last word. */
  onBroken(error: TunnelError): void;
  /** A stream's socket is closed on this side. */
  onStreamClosed(streamId: number, resetCode: string | undefined): void;
}

/** A link is replaced after this many records in either direction, or this long, in ms: another has fresh keys. */
const LINK_RECORDS = 2 ** 31;
const LINK_LIFE_MS = 24 * 60 * 60 * 1000;
/** What a link that is about to close is given besides what waits for it. */
const LAST_RECORD_BYTES = 4 * 1024;
/** Where that does not work out it is said again after this, in ms. */
const WORN_AGAIN_MS = 60_000;

type AcceptArguments = Parameters<Session['acceptLink']> extends [number, ...infer Rest] ? Rest : never;

/** One for the process: `Session.nextRecord` and `RecordLink.send` are done with it before anyone else needs it. */
const builder = new RecordBuilder();

/**
 * Drives a session with real sockets and real time: feeds it records, sends what it has to send, keeps its one timer, and
 * joins its streams to sockets.
 */
export class SessionDriver {
  readonly #session: Session;
  readonly #handlers: SessionDriverHandlers;
  readonly #pipes = new Map<number, StreamPipe>();
  readonly #traffic: Traffic = { receivedBytes: 0, sentBytes: 0 };
  readonly #records = new SharedMemory();
  /** What was written to in the present `#dispatch`. */
  readonly #corked = new Set<StreamPipe>();
  readonly #linkLifeMs: number;
  #link: { readonly records: RecordLink; readonly pace: RecordPace; wornAt: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #isFlushDue = false;
  /** Those who wait for the next record, and are told whether it came. */
  readonly #probes = new Set<(hasAnswered: boolean) => void>();
  #isDisposed = false;

  /** `linkLifeMs`: how long a link is used; other than a day only in tests. */
  constructor(
    options: {
      readonly role: 'client' | 'server';
      readonly budget: MemoryBudget;
      readonly linkLifeMs?: number | undefined;
    },
    handlers: SessionDriverHandlers,
  ) {
    const { role, budget, linkLifeMs = LINK_LIFE_MS } = options;
    this.#session = new Session({ role, budget, onForgotten: freeMemory });
    this.#session.onGivenUp = () => this.#wakeSoon();
    this.#handlers = handlers;
    this.#linkLifeMs = linkLifeMs;
  }

  // ── links ──

  /** A client's next link: message 3 was sent on it. `roundTripMs` and `features` are the handshake's. */
  beginLink(records: RecordLink, own: HeartbeatSettings, roundTripMs: number, features: number): void {
    this.#session.beginLink(monotonicNow(), own, roundTripMs, features);
    this.#attach(records);
  }

  /** A server's next link: sends `accepted`. `canResumeFrom(peer)` must hold. */
  acceptLink(records: RecordLink, ...accepted: AcceptArguments): void {
    this.#session.acceptLink(monotonicNow(), ...accepted);
    this.#attach(records);
  }

  #attach(records: RecordLink): void {
    const now = monotonicNow();
    this.#link = { records, pace: new RecordPace(now), wornAt: now + this.#linkLifeMs };
    records.start({
      onRecord: (plaintext) => this.#receive(plaintext),
      onDrain: () => this.#flush(),
      onEnd: (error) => this.#dropLink(error),
    });
    // At once: a hello that is followed by its records needs no further round trip.
    this.#flush();
  }

  /** Lets go of the link without ado. */
  detach(): void {
    this.#link?.records.destroy();
    this.#forgetLink();
  }

  /** Sends what is queued and closes the link politely. A last notice, such as a good-bye, goes out on a busy link, too. */
  close(webSocketCode: number, reason: string): void {
    this.#flush();
    const link = this.#link;
    if (link) {
      const last = this.#session.nextRecord(monotonicNow(), builder, LAST_RECORD_BYTES);
      if (last) link.records.send(last);
      link.records.close(webSocketCode, reason);
    }
    this.#forgetLink();
  }

  get hasLink(): boolean {
    return this.#session.hasLink;
  }

  /** The last round trip measured on this link, in ms. */
  get roundTripMs(): number | undefined {
    return this.#session.roundTripMs;
  }

  /** What is kept for a resume, in bytes with overhead. */
  get logBytes(): number {
    return this.#session.logBytes;
  }

  /** What the peer did wrong would come again on every link: the session has no future. */
  get isBroken(): boolean {
    return this.#session.isBroken;
  }

  /** For each hello of a client's session: the first one counts. */
  get firstCredit(): FirstCredit {
    return this.#session.firstCredit;
  }

  /** Where a client's session stands, for the hello of its next link. The present one acknowledges nothing until `beginLink`. */
  helloPoint(): ResumePoint {
    return this.#session.helloPoint();
  }

  /** What `hello` returned was not sent. */
  withdrawHello(): void {
    this.#session.withdrawHello();
  }

  /** Whether a peer that says this of the session can be carried on. */
  canResumeFrom(peer: ResumePoint): boolean {
    return this.#session.canResumeFrom(peer);
  }

  // ── what it sends ──

  /** Arrives once and in order, also over a resume. */
  sendTunnelFrame(frame: TunnelFrame): void {
    this.#session.sendTunnelFrame(frame);
    this.#flushSoon();
  }

  /** Lost if the link breaks before it goes out. */
  sendNotice(frame: Notice): void {
    this.#session.sendNotice(frame);
    this.#flushSoon();
  }

  /** It goes out with everything else of this turn of the event loop. */
  #flushSoon(): void {
    if (this.#isFlushDue || !this.#link) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** Another session's doing may have events for this one, and that in the middle of anything. */
  #wakeSoon(): void {
    setImmediate(() => {
      if (this.#isDisposed) return;
      this.#dispatch();
      this.#flush();
    });
  }

  /** Asks the other side for a sign of life: whether anything came within `timeoutMs`. */
  answersWithin(timeoutMs: number): Promise<boolean> {
    if (!this.#link) return Promise.resolve(false);
    this.#session.probe(monotonicNow());
    this.#flushSoon();
    return new Promise((resolve) => {
      const settle = (hasAnswered: boolean): void => {
        clearTimeout(timer);
        this.#probes.delete(settle);
        resolve(hasAnswered);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#probes.add(settle);
    });
  }

  // ── streams ──

  /** Opens a stream for a visitor (servers only); undefined at the limit of streams. */
  openStream(tunnelId: number, attributes: readonly Attribute[]): StreamPipe | undefined {
    const streamId = this.#session.openStream(tunnelId, attributes, monotonicNow());
    if (streamId === undefined) return undefined;
    // A turn later than anything else: one that is reset as soon as it stands is then withdrawn, and what a visitor says first
    // goes out in one record with its OPEN.
    setImmediate(() => this.#flushSoon());
    return this.addPipe(streamId);
  }

  /** The pipe of a stream that the peer opened. */
  addPipe(streamId: number): StreamPipe {
    const handlers = {
      flushSoon: () => this.#flushSoon(),
      onClosed: (resetCode: string | undefined) => {
        this.#pipes.delete(streamId);
        this.#handlers.onStreamClosed(streamId, resetCode);
      },
    };
    const pipe = new StreamPipe(streamId, this.#session, handlers, this.#traffic, this.#records);
    this.#pipes.set(streamId, pipe);
    return pipe;
  }

  /** What its streams carried so far. */
  get traffic(): Readonly<Traffic> {
    return this.#traffic;
  }

  /** Connections of this session that are open on this side. */
  get pipeCount(): number {
    return this.#pipes.size;
  }

  /** Streams that are not over: also those whose connection has ended here, until the peer has all that it said. */
  get streamCount(): number {
    return this.#session.streamCount;
  }

  /** The session is over: every connection is reset. Returns how many there were. */
  dispose(code: string): number {
    const lost = this.#pipes.size;
    this.#isDisposed = true;
    this.detach();
    for (const settle of this.#probes) settle(false);
    for (const pipe of this.#pipes.values()) pipe.reset(code);
    this.#session.dispose();
    return lost;
  }

  #receive(plaintext: Uint8Array): void {
    const link = this.#link;
    if (!link) return;
    for (const settle of this.#probes) settle(true);
    try {
      this.#session.receive(plaintext, monotonicNow(), link.records.bytesRead);
    } catch (error) {
      this.#dispatch();
      if (!(error instanceof TunnelError)) throw error;
      if (this.#link !== link) return;
      if (this.#session.isBroken) this.#handlers.onBroken(error);
      else this.#dropLink(error);
      return;
    }
    this.#dispatch();
    this.#flushSoon();
  }

  #flush(): void {
    for (let link = this.#link; link; link = this.#link) {
      const now = monotonicNow();
      const { records, pace } = link;
      if (records.recordCount >= MAX_RECORDS) {
        this.#dropLink(new TunnelError('link-replaced', { detail: 'its keys are used up' }));
        return;
      }
      const limitBytes = pace.next(now, records.queuedBytes, records.drainedBytes);
      if (records.queuedBytes >= limitBytes) break;
      const parts = this.#session.nextRecord(now, builder, limitBytes);
      if (!parts) break;
      records.send(parts);
      this.#dispatch();
    }
    this.#armTimer();
  }

  #dispatch(): void {
    for (let events = this.#session.takeEvents(); events.length > 0; events = this.#session.takeEvents()) {
      const isOneStream = areOfOneStream(events);
      for (const event of events) {
        // The session may have come to its end with the event before.
        if (this.#isDisposed) return;
        if (event.type === 'stream-data' && events.length > 1) this.#cork(event.streamId);
        this.#handle(event, isOneStream);
      }
      for (const pipe of this.#corked) pipe.uncork();
      this.#corked.clear();
    }
  }

  #handle(event: SessionEvent, isOneStream: boolean): void {
    switch (event.type) {
      case 'stream-data':
        this.#pipes.get(event.streamId)?.deliver(event.data, isOneStream);
        return;
      case 'stream-ended':
        this.#pipes.get(event.streamId)?.endByPeer();
        return;
      case 'stream-reset':
        this.#pipes.get(event.streamId)?.resetByPeer(event.code);
        return;
      case 'stream-writable':
        this.#pipes.get(event.streamId)?.resume();
        return;
      default:
        this.#handlers.onEvent(event);
    }
  }

  /** What comes together for a stream goes on in one `writev`: that is a tenth more throughput. */
  #cork(streamId: number): void {
    const pipe = this.#pipes.get(streamId);
    if (!pipe || this.#corked.has(pipe)) return;
    pipe.cork();
    this.#corked.add(pipe);
  }

  #dropLink(error: TunnelError): void {
    this.detach();
    this.#handlers.onLinkEnd(error);
  }

  #forgetLink(): void {
    this.#link = undefined;
    this.#session.endLink();
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }

  /** One timer for everything; it is moved only when something is due earlier. */
  #armTimer(): void {
    const deadline = this.#session.deadline;
    if (deadline >= this.#timerAt || deadline === Infinity) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, Math.ceil(deadline - monotonicNow())));
  }

  #onTimer(): void {
    this.#timerAt = Infinity;
    const link = this.#link;
    if (!link) return;
    const now = monotonicNow();
    // Moved on meanwhile: nothing is due yet.
    if (this.#session.deadline <= now && this.#session.tick(now, link.records.bytesRead) === 'dead') {
      const seconds = (this.#session.heartbeatTimeoutMs ?? 0) / 1000;
      this.#dropLink(new TunnelError('heartbeat-timeout', { detail: `nothing was heard for ${seconds}s` }));
      return;
    }
    if (now >= link.wornAt || link.records.recordCount >= LINK_RECORDS) {
      link.wornAt = now + WORN_AGAIN_MS;
      this.#handlers.onEvent({ type: 'link-worn' });
    }
    this.#dispatch();
    this.#flush();
  }
}

/** Whether all data that came is one stream's. */
function areOfOneStream(events: readonly SessionEvent[]): boolean {
  let streamId: number | undefined;
  for (const event of events) {
    if (event.type !== 'stream-data') continue;
    if (event.streamId !== (streamId ??= event.streamId)) return false;
  }
  return true;
}
