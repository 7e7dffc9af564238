import { malformed } from '../wire/byte-reader.ts';
import type { Attribute } from '../wire/attributes.ts';
import { FEATURE, MAX_PLAINTEXT_BYTES } from '../wire/constants.ts';
import { FrameReader } from '../wire/decode.ts';
import { encodeFrame } from '../wire/encode.ts';
import {
  NUMBERED_TYPES,
  type AcceptedFrame,
  type DrainFrame,
  type Frame,
  type GoodbyeFrame,
  type NumberedFrame,
  type UnnumberedFrame,
  type VisitorsRefusedFrame,
} from '../wire/frame.ts';
import { Acknowledger } from './acknowledger.ts';
import { ACKNOWLEDGEMENT_BYTES, CROWDED_LOG_BYTES, FAULT_LIMIT, HEARTBEAT_BYTES, NOTICE_LIMIT } from './constants.ts';
import { EventQueue, type SessionEvent } from './events.ts';
import { Fifo } from './fifo.ts';
import { Heartbeat, type HeartbeatSettings } from '../link/heartbeat.ts';
import type { Flight } from './flight.ts';
import type { LogEntry } from './outgoing-log.ts';
import { Outgoing } from './outgoing.ts';
import { FirstCreditLedger, firstCreditOffer, type FirstCredit } from './memory/first-credit.ts';
import type { MemoryBudget, MemoryShare } from './memory/memory-budget.ts';
import type { RecordBuilder } from '../link/record-builder.ts';
import { SessionLink } from './session-link.ts';
import { Streams } from './streams.ts';

/** What each side says about a session when a link begins. */
export interface ResumePoint {
  /** Number of the last numbered frame received; 0 if none. */
  readonly received: number;
  /** Number of the first numbered frame that follows on this link. */
  readonly next: number;
}

/** What a server learns from a hello. */
export interface PeerHello extends ResumePoint, FirstCredit {
  readonly heartbeat: HeartbeatSettings;
  /** The feature bits that both sides know. */
  readonly features: number;
}

/** Numbered frames about tunnels. */
export type TunnelFrame = Extract<NumberedFrame, { tunnelId: number }> & { type: `tunnel-${string}` };

/** Unnumbered frames that a session sends on request. */
export type Notice = GoodbyeFrame | DrainFrame | VisitorsRefusedFrame;

/**
 * What a client and a server share across links: streams, their order, and what is unacknowledged. The same class
 * serves both sides.
 *
 * No I/O and no clock: `now` is monotonic milliseconds, records come in through `receive` and go out through
 * `nextRecord`, `deadline` says when `tick` has something to do, and `takeEvents` what happened. A violation by the
 * peer throws a `TunnelError` `protocol-error`: the owner then drops the link, and ends the session if `isBroken`.
 */
export class Session {
  readonly #role: 'client' | 'server';
  readonly #budget: MemoryBudget;
  readonly #memory: MemoryShare;
  readonly #outgoing = new Outgoing();
  readonly #acknowledger = new Acknowledger();
  readonly #events = new EventQueue();
  readonly #streams: Streams;
  /** `accepted` and notices, encoded. */
  readonly #unnumbered = new Fifo<Uint8Array>();
  #link: SessionLink | undefined;
  #leastRoundTripMs = 0;
  /** Consecutive links that ended in a protocol error since anything new was received or acknowledged. */
  #faults = 0;
  #isBroken = false;
  /** When something was last received or sent. */
  #now = 0;
  readonly #firstCredit: FirstCreditLedger;
  /** What the hello in flight says. */
  #helloPoint: ResumePoint | undefined;
  readonly #onForgotten: ((data: Uint8Array) => void) | undefined;
  /**
   * Streams were reset for lack of memory, maybe on behalf of another session: there are events to take and resets to
   * send.
   */
  onGivenUp: (() => void) | undefined;

  /** `onForgotten` is called with written data that the session no longer needs because the peer has it. */
  constructor(options: {
    readonly role: 'client' | 'server';
    readonly budget: MemoryBudget;
    readonly onForgotten?: (data: Uint8Array) => void;
  }) {
    this.#role = options.role;
    this.#budget = options.budget;
    this.#memory = options.budget.share((bytes, now) => this.#giveUp(bytes, now));
    this.#onForgotten = options.onForgotten;
    const offer = options.role === 'client' ? firstCreditOffer(options.budget, this.#memory) : undefined;
    this.#firstCredit = new FirstCreditLedger(offer);
    this.#streams = new Streams({
      role: options.role,
      budget: options.budget,
      memory: this.#memory,
      firstCredit: this.#firstCredit,
      outgoing: this.#outgoing,
      events: this.#events,
    });
  }

  // ── links ──

  /** The offer in the hellos of this session (clients only); only the first one counts. */
  get firstCredit(): FirstCredit {
    return this.#firstCredit.offer;
  }

  /** The feature bits that both sides know; 0 without a link. */
  get features(): number {
    return this.#link?.features ?? 0;
  }

  /** Where this side stands. */
  get resumePoint(): ResumePoint {
    return { received: this.#acknowledger.received, next: this.#outgoing.acknowledged + 1 };
  }

  /**
   * Where this side stands, for the hello of the next link (clients only). Until `beginLink` the current link neither
   * acknowledges nor grants anything, or the server could find the hello outdated before it has read it.
   */
  helloPoint(): ResumePoint {
    return (this.#helloPoint = this.resumePoint);
  }

  /** The hello was not sent: the current link continues as before. */
  withdrawHello(): void {
    this.#helloPoint = undefined;
  }

  /** Whether the session can be resumed with a peer that says this. */
  canResumeFrom(peer: ResumePoint): boolean {
    // A client may have acknowledged more on its old link than its hello says, and it does have those frames. One that
    // does not, such as a process restored to an earlier state, will find the `next` of `accepted` to be beyond what it
    // has. A server composes and sends `accepted` at once, so from a server this would mean lost frames.
    const hasAcknowledged = this.#role === 'server' || peer.received >= this.#outgoing.acknowledged;
    return hasAcknowledged && peer.received < this.#outgoing.next && peer.next <= this.#acknowledger.received + 1;
  }

  /** A client's link begins: message 3 was sent, and `accepted` is expected. `roundTripMs` is that of the handshake. */
  beginLink(now: number, own: HeartbeatSettings, roundTripMs: number, features: number): void {
    this.#startLink(now, new Heartbeat(own, now, roundTripMs), features);
  }

  /** A server's link begins: sends `accepted`. `canResumeFrom(peer)` must hold; for a new session the peer is at 0 and 1. */
  acceptLink(
    now: number,
    own: HeartbeatSettings,
    roundTripMs: number,
    peer: PeerHello,
    session: Pick<AcceptedFrame, 'sessionId' | 'token' | 'resumeWindowMs' | 'agent'>,
  ): void {
    this.#acknowledge(peer.received);
    const heartbeat = new Heartbeat(own, now, roundTripMs);
    heartbeat.agree(peer.heartbeat);
    this.#firstCredit.agree(peer);
    this.#startLink(now, heartbeat, peer.features, peer.next);
    this.#unnumbered.push(
      encodeFrame({
        type: 'accepted',
        ...session,
        ...this.resumePoint,
        heartbeatIntervalMs: own.intervalMs,
        heartbeatTimeoutMs: own.timeoutMs,
      }),
    );
  }

  /** The link is gone; streams pause until the next one. */
  endLink(): void {
    this.#link = undefined;
  }

  get hasLink(): boolean {
    return this.#link !== undefined;
  }

  /** The last round trip measured by heartbeats on this link, in ms. */
  get roundTripMs(): number | undefined {
    return this.#link?.heartbeat.roundTripMs;
  }

  /** The heartbeat timeout that both sides agreed on, in ms; undefined without a link. */
  get heartbeatTimeoutMs(): number | undefined {
    return this.#link?.heartbeat.timeoutMs;
  }

  /** Makes the link prove that it is alive: sends a heartbeat at once that asks for an answer. */
  probe(now: number): void {
    this.#link?.heartbeat.probe(now);
  }

  // ── records and time ──

  /**
   * The plaintext of a record arrived. `bytesRead` is the number of bytes read from the link's socket so far. Throws
   * `protocol-error`; events from frames before the offending one are kept.
   */
  receive(record: Uint8Array, now: number, bytesRead: number): void {
    const link = this.#link;
    if (!link) return;
    this.#now = now;
    link.heartbeat.recordReceived(now, bytesRead);
    const reader = new FrameReader(record);
    try {
      for (let frame = reader.next(); frame; frame = reader.next()) {
        this.#receiveFrame(frame, link, now);
        if (!this.#outgoing.hasRoomForAnswers) this.#break('more requests than answers can be kept for');
      }
      this.#budget.keepWithinLimit(now);
    } catch (error) {
      this.#faults += 1;
      // The peer keeps a numbered frame and would only send it again. Before `accepted` it is only its position that is
      // wrong.
      if (this.#faults >= FAULT_LIMIT || (isNumbered(reader.type) && link.isConfirmed)) this.#isBroken = true;
      throw error;
    }
  }

  /** The peer's violation would recur on every link: the session cannot go on. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * The next record's plaintext, in parts that are valid until the builder is reused; undefined if there is nothing to
   * send now. `limitBytes` bounds its size.
   */
  nextRecord(now: number, record: RecordBuilder, limitBytes: number): readonly Uint8Array[] | undefined {
    const link = this.#link;
    if (!link) return undefined;
    this.#now = now;
    const recordBytes = Math.min(limitBytes, MAX_PLAINTEXT_BYTES) - ACKNOWLEDGEMENT_BYTES;
    record.start(recordBytes);
    for (let frame = this.#unnumbered.peek(); frame; frame = this.#unnumbered.peek()) {
      if (frame.length + HEARTBEAT_BYTES > record.room) break;
      record.addEncoded(frame);
      this.#unnumbered.shift();
    }
    const bytesBefore = record.bytes;
    if (link.heartbeat.isDue(now)) record.add(link.heartbeat.frame(now));
    const heartbeatBytes = record.bytes - bytesBefore;
    if (!this.#helloPoint) this.#streams.addCredits(record);
    const { isConfirmed } = link;
    const flight = this.#memory.isCrowded ? crowded(link.flight) : link.flight;
    this.#outgoing.addTo(record, recordBytes, { isConfirmed, flight }, (stream) => this.#streams.sent(stream, now));
    this.#memory.keep(this.#outgoing.logBytes);
    const acknowledged = this.#helloPoint ? undefined : this.#acknowledger.take(now, record.bytes > 0);
    if (acknowledged !== undefined) record.add({ type: 'acknowledgement', number: acknowledged });
    if (record.bytes === 0) return undefined;
    // A record cancels the pause that an earlier heartbeat announced, so there must be no long pause after it.
    if (record.bytes > heartbeatBytes) link.heartbeat.active();
    return record.finish();
  }

  /**
   * When `tick` has something to do: monotonic ms, Infinity without a link. After a `tick` it is in the future, even if
   * the link takes no record and what is due has to wait.
   */
  get deadline(): number {
    if (!this.#link) return Infinity;
    return Math.min(this.#link.heartbeat.deadline, this.#acknowledger.dueAt, this.#streams.deadline);
  }

  /**
   * Time passed; `nextRecord` may have something to send. 'dead': nothing was heard from the peer in time, and the
   * owner must drop the link.
   */
  tick(now: number, bytesRead: number): 'alive' | 'dead' {
    if (!this.#link) return 'alive';
    const verdict = this.#link.heartbeat.tick(now, bytesRead);
    if (verdict === 'dead') return 'dead';
    if (verdict === 'doubtful') this.#events.push({ type: 'link-doubtful' });
    this.#acknowledger.tick(now);
    this.#streams.tick(now);
    return 'alive';
  }

  takeEvents(): readonly SessionEvent[] {
    return this.#events.take();
  }

  // ── streams ──

  get streamCount(): number {
    return this.#streams.size;
  }

  /** What is kept for a resume, in bytes including overhead. */
  get logBytes(): number {
    return this.#outgoing.logBytes;
  }

  /** This session has used up its share of the process's memory: do not read ahead. */
  get isCrowded(): boolean {
    return this.#memory.isCrowded;
  }

  /** What arrived for this stream but was not consumed yet, in bytes. */
  heldBytes(streamId: number): number {
    return this.#streams.heldBytes(streamId);
  }

  /** A visitor connected (servers only). Undefined at the limit of streams. Data may be written at once. */
  openStream(tunnelId: number, attributes: readonly Attribute[], now: number): number | undefined {
    const streamId = this.#streams.open(tunnelId, attributes, now);
    // A visitor must not wait for as long as an idle link may be silent.
    if (streamId !== undefined && this.#link?.heartbeat.isStretched === true) this.#link.heartbeat.probe(now);
    return streamId;
  }

  /**
   * Takes ownership of `data`. Returns how many more bytes may be written; at 0 or below, wait for `stream-writable`.
   */
  write(streamId: number, data: Uint8Array): number {
    return this.#streams.write(streamId, data, this.#now);
  }

  /** Nothing more will be written (half-close). */
  end(streamId: number, now: number): void {
    this.#streams.end(streamId, now);
  }

  /**
   * Ends the stream in both directions at once; anything queued or unacknowledged is withdrawn. A peer that has not
   * been told of the stream yet never hears of it.
   */
  reset(streamId: number, code: string): void {
    this.#streams.reset(streamId, code);
  }

  /**
   * The local side is gone, for example after a reset: the stream ends in both directions, but what was written before
   * is still delivered, then its END if any, then a RESET. What the peer does not take for a long time is dropped after
   * all.
   */
  fail(streamId: number, code: string, now: number): void {
    this.#streams.fail(streamId, code, now);
  }

  /** The local side took `bytes` of what arrived: the peer may send more. */
  consumed(streamId: number, bytes: number, now: number): void {
    this.#streams.consumed(streamId, bytes, now, this.#leastRoundTripMs);
  }

  // ── the session itself ──

  /** Numbered frames about tunnels. They arrive exactly once and in order, even across a resume. */
  sendTunnelFrame(frame: TunnelFrame): void {
    this.#outgoing.sendControl(frame);
  }

  /**
   * Unnumbered; lost if the link breaks before it goes out. Counts of refused visitors are also lost on a stalled link.
   */
  sendNotice(frame: Notice): void {
    if (!this.#link) return;
    if (frame.type === 'visitors-refused') {
      if (!this.#link.hasFeature(FEATURE.visitorCounts) || this.#unnumbered.length >= NOTICE_LIMIT) return;
    }
    this.#unnumbered.push(encodeFrame(frame));
  }

  /** Returns the session's memory to the process's budget. Do not use the session afterwards. */
  dispose(): void {
    this.#streams.dispose();
    this.#memory.keep(0);
    this.endLink();
  }

  // ── internals ──

  #startLink(now: number, heartbeat: Heartbeat, features: number, incomingNext?: number): void {
    this.#acknowledger.beginLink();
    this.#outgoing.beginLink(this.#helloPoint?.next);
    this.#helloPoint = undefined;
    this.#unnumbered.clear();
    this.#leastRoundTripMs = heartbeat.leastRoundTripMs;
    const sentBefore = this.#outgoing.next - 1;
    this.#link = new SessionLink({ now, heartbeat, features, sentBefore, incomingNext });
    this.#streams.beginLink(now);
  }

  #receiveFrame(frame: Frame, link: SessionLink, now: number): void {
    switch (frame.type) {
      case 'accepted':
      case 'refused':
      case 'acknowledgement':
      case 'credit':
      case 'heartbeat':
      case 'goodbye':
      case 'drain':
      case 'visitors-refused':
        this.#receiveUnnumbered(frame, link, now);
        return;
      default:
        this.#receiveNumbered(frame, link, now);
    }
  }

  #receiveUnnumbered(frame: UnnumberedFrame, link: SessionLink, now: number): void {
    const isVerdict = frame.type === 'accepted' || frame.type === 'refused';
    if (!link.isConfirmed && !isVerdict) throw malformed(`a frame of type ${frame.type} before accepted`);
    switch (frame.type) {
      case 'accepted':
        this.#receiveAccepted(frame, link);
        return;
      case 'refused':
        if (this.#role === 'server' || link.isConfirmed) throw malformed('an unexpected refusal');
        this.#events.push(frame);
        return;
      case 'acknowledgement':
        this.#receiveAcknowledgement(frame.number, link, now);
        if (link.acknowledged(frame.number)) this.#events.push({ type: 'answered' });
        return;
      case 'credit':
        this.#streams.receiveCredit(frame.streamId, frame.offset);
        return;
      case 'heartbeat':
        link.heartbeat.frameReceived(frame, now);
        if (frame.echo && link.heartbeat.roundTripMs !== undefined) link.flight.roundTrip(link.heartbeat.roundTripMs);
        this.#leastRoundTripMs = link.heartbeat.leastRoundTripMs;
        if (link.heard()) this.#events.push({ type: 'answered' });
        return;
      case 'goodbye':
        this.#events.push(frame);
        return;
      case 'drain':
        if (this.#role === 'server') throw malformed('only servers drain');
        this.#events.push(frame);
        return;
      case 'visitors-refused':
        if (this.#role === 'server') throw malformed('only servers refuse visitors');
        if (!link.hasFeature(FEATURE.visitorCounts)) throw malformed('counts of visitors that were not agreed on');
        this.#events.push(frame);
    }
  }

  #receiveAcknowledgement(number: number, link: SessionLink, now: number): void {
    const before = this.#outgoing.logBytes;
    this.#acknowledge(number);
    link.flight.acknowledged(before - this.#outgoing.logBytes, now);
  }

  #receiveAccepted(frame: AcceptedFrame, link: SessionLink): void {
    if (this.#role === 'server' || link.isConfirmed) throw malformed('an unexpected accepted');
    if (!this.canResumeFrom(frame)) this.#break('the server resumes from where this session never was');
    link.confirm(frame.next);
    link.heartbeat.agree({ intervalMs: frame.heartbeatIntervalMs, timeoutMs: frame.heartbeatTimeoutMs });
    this.#acknowledge(frame.received);
    this.#events.push({ type: 'accepted', frame });
  }

  #receiveNumbered(frame: NumberedFrame, link: SessionLink, now: number): void {
    const number = link.count(frame);
    if (number <= this.#acknowledger.received) return; // came on an earlier link
    this.#faults = 0;
    link.heartbeat.active();
    if (frame.type !== 'void') this.#apply(frame, now);
    this.#acknowledger.receive(number, frame.type === 'data' ? frame.data.length : 0, now);
  }

  #apply(frame: Exclude<NumberedFrame, { type: 'void' }>, now: number): void {
    switch (frame.type) {
      case 'data':
        this.#streams.receiveData(frame, now);
        return;
      case 'open':
        this.#streams.receiveOpen(frame, now);
        return;
      case 'end':
        this.#streams.receiveEnd(frame.streamId, now);
        return;
      case 'reset':
        this.#streams.receiveReset(frame.streamId, frame.code);
        return;
      case 'tunnel-request':
        if (this.#role === 'client') throw malformed('only clients ask for tunnels');
        this.#events.push(frame);
        return;
      case 'tunnel-granted':
      case 'tunnel-refused':
      case 'tunnel-addresses':
        if (this.#role === 'server') throw malformed('only servers grant tunnels');
        this.#events.push(frame);
        return;
      case 'tunnel-close':
        this.#events.push(frame);
    }
  }

  #break(detail: string): never {
    this.#isBroken = true;
    throw malformed(detail);
  }

  #acknowledge(number: number): void {
    if (number > this.#outgoing.acknowledged) this.#faults = 0;
    this.#outgoing.acknowledge(number, (entry) => this.#onAcknowledged(entry));
    this.#memory.keep(this.#outgoing.logBytes);
  }

  #onAcknowledged(entry: LogEntry): void {
    this.#streams.acknowledged(entry);
    if (entry.kind === 'data') this.#onForgotten?.(entry.data);
  }

  /** Resets the streams that hold most for longest until about this many bytes are free. Returns how many are. */
  #giveUp(bytes: number, now: number): number {
    const before = this.#memory.waitingBytes;
    this.#streams.giveUp(bytes, now);
    this.#outgoing.scrub();
    this.#memory.keep(this.#outgoing.logBytes);
    this.onGivenUp?.();
    return before - this.#memory.waitingBytes;
  }
}

function isNumbered(type: number | undefined): boolean {
  return type !== undefined && type >= NUMBERED_TYPES.first && type <= NUMBERED_TYPES.last;
}

/** The flight of a session that has used up its share of memory. Holding back then says nothing about the link. */
function crowded(flight: Flight): Pick<Flight, 'limitBytes' | 'full'> {
  return { limitBytes: Math.min(flight.limitBytes, CROWDED_LOG_BYTES), full: () => {} };
}
