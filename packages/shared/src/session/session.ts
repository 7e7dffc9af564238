import { malformed } from '../wire/byte-reader.ts';
import type { Attribute } from '../wire/attributes.ts';
import { FEATURE, MAX_PLAINTEXT_BYTES, STREAM_LIMIT } from '../wire/constants.ts';
import { FrameReader } from '../wire/decode.ts';
import { encodeFrame } from '../wire/encode.ts';
import {
  NUMBERED_TYPES,
  type AcceptedFrame,
  type DataFrame,
  type DrainFrame,
  type Frame,
  type GoodbyeFrame,
  type NumberedFrame,
  type UnnumberedFrame,
  type VisitorsRefusedFrame,
} from '../wire/frame.ts';
import { Acknowledger } from './acknowledger.ts';
import {
  ACKNOWLEDGEMENT_BYTES,
  CREDIT_BYTES,
  CROWDED_LOG_BYTES,
  FAULT_LIMIT,
  HALF_CLOSED_IDLE_MS,
  HEARTBEAT_BYTES,
  NOTICE_LIMIT,
  WRITABLE_AGAIN_BYTES,
} from './constants.ts';
import { LEAST_WINDOW_BYTES } from './memory/constants.ts';
import type { SessionEvent } from './events.ts';
import { Fifo } from './fifo.ts';
import { Heartbeat, type HeartbeatSettings } from '../link/heartbeat.ts';
import { Flight } from './flight.ts';
import type { LogEntry } from './outgoing-log.ts';
import { Outgoing } from './outgoing.ts';
import { FirstCreditLedger, firstCreditOffer, type FirstCredit } from './memory/first-credit.ts';
import { heaviest, type Waiting } from './memory/heaviest.ts';
import type { MemoryBudget, MemoryShare } from './memory/memory-budget.ts';
import { ReceiveWindow } from './memory/receive-window.ts';
import type { RecordBuilder } from '../link/record-builder.ts';
import { Stream } from './stream.ts';

/** What the two sides say of a session when a link begins: it may be cut, and both know what the other has. */
export interface ResumePoint {
  /** Number of the last numbered frame that was received; 0 for none. */
  readonly received: number;
  /** Number of the first numbered frame that follows on this link. */
  readonly next: number;
}

/** What a server knows from a hello. */
export interface PeerHello extends ResumePoint, FirstCredit {
  readonly heartbeat: HeartbeatSettings;
  /** The feature bits that both sides know. */
  readonly features: number;
}

/** Numbered frames about tunnels. */
export type TunnelFrame = Extract<NumberedFrame, { tunnelId: number }> & { type: `tunnel-${string}` };

/** Unnumbered frames that a session sends when it is told to. */
export type Notice = GoodbyeFrame | DrainFrame | VisitorsRefusedFrame;

interface Link {
  readonly features: number;
  readonly heartbeat: Heartbeat;
  readonly flight: Flight;
  /** Number of the next numbered frame that the peer sends on this link. Unknown to a client until `accepted`. */
  incomingNext: number;
  /** A client does not know what the server has before `accepted`. */
  isConfirmed: boolean;
  /** Highest number sent on an earlier link: acknowledging it says nothing about this one. */
  readonly sentBefore: number;
  isAnswered: boolean;
}

const MAX_U32 = 0xffff_ffff;

/**
 * What a client and a server share across links: streams, their order, what is not acknowledged. One object for either side.
 *
 * No I/O and no clock: `now` is monotonic milliseconds, records come in through `receive` and go out through `nextRecord`,
 * `deadline` says when `tick` has something to do, and `takeEvents` says what happened. What the peer may not do throws
 * `TunnelError` with `protocol-error`: the owner then drops the link, and ends the session if `isBroken` says so.
 */
export class Session {
  readonly #role: 'client' | 'server';
  readonly #budget: MemoryBudget;
  readonly #memory: MemoryShare;
  readonly #outgoing = new Outgoing();
  readonly #acknowledger = new Acknowledger();
  readonly #streams = new Map<number, Stream>();
  /** Of streams that are over while the local side still holds some of what arrived. */
  readonly #heldWindows = new Map<number, ReceiveWindow>();
  /** In the order in which they last moved. */
  readonly #halfClosed = new Set<Stream>();
  readonly #creditDue = new Set<Stream>();
  #events: SessionEvent[] = [];
  /** Streams whose `stream-opened` nobody took yet, and on which nothing came since. */
  readonly #unannounced = new Set<number>();
  /** Those of them that are over already: nobody is told of them. */
  readonly #stillborn = new Set<number>();
  /** `accepted` and notices, encoded. */
  readonly #unnumbered = new Fifo<Uint8Array>();
  #link: Link | undefined;
  /** Server-opened streams have odd ids, client-opened ones (none yet) even ids. */
  #nextStreamId: number;
  #highestPeerStreamId = 0;
  #leastRoundTripMs = 0;
  /** Links in a row that ended in a protocol error, since something new was last received or acknowledged. */
  #faults = 0;
  #isBroken = false;
  /** When something was last received or sent. */
  #now = 0;
  readonly #firstCredit: FirstCreditLedger;
  /** What the hello that is on its way says. */
  #helloPoint: ResumePoint | undefined;
  readonly #onForgotten: ((data: Uint8Array) => void) | undefined;
  /** Streams were reset for want of memory, maybe on behalf of another session: there are events to take and resets to send. */
  onGivenUp: (() => void) | undefined;

  /** `onForgotten` is told of data that was written and that the session has no use for any more: the peer has it. */
  constructor(options: {
    readonly role: 'client' | 'server';
    readonly budget: MemoryBudget;
    readonly onForgotten?: (data: Uint8Array) => void;
  }) {
    this.#role = options.role;
    this.#budget = options.budget;
    this.#memory = options.budget.share((bytes, now) => this.#giveUp(bytes, now));
    this.#onForgotten = options.onForgotten;
    this.#nextStreamId = options.role === 'server' ? 1 : 2;
    const offer = options.role === 'client' ? firstCreditOffer(options.budget, this.#memory) : undefined;
    this.#firstCredit = new FirstCreditLedger(offer);
  }

  // ── links ──

  /** For the hellos of this session (clients only): the first one counts. */
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
   * Where this side stands, for the hello of the next link (clients only). Until `beginLink` the present link acknowledges
   * and grants nothing, or the server could find the hello out of date before it has read it.
   */
  helloPoint(): ResumePoint {
    return (this.#helloPoint = this.resumePoint);
  }

  /** The hello was not sent: the present link goes on as before. */
  withdrawHello(): void {
    this.#helloPoint = undefined;
  }

  /** Whether a peer that says this of the session can be carried on. */
  canResumeFrom(peer: ResumePoint): boolean {
    // A client may have acknowledged more on its old link than its hello says: it has that, since it has its `received` from
    // there. One that does not, such as a process that was set back, finds `next` of `accepted` to be beyond what it has. Of a
    // server, which says `accepted` at one go, it would mean that frames are lost.
    const hasAcknowledged = this.#role === 'server' || peer.received >= this.#outgoing.acknowledged;
    return hasAcknowledged && peer.received < this.#outgoing.next && peer.next <= this.#acknowledger.received + 1;
  }

  /** A client's link begins: message 3 was sent, `accepted` is on its way. `roundTripMs` is the handshake's. */
  beginLink(now: number, own: HeartbeatSettings, roundTripMs: number, features: number): void {
    this.#startLink(now, new Heartbeat(own, now, roundTripMs), features, 0, false);
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
    this.#startLink(now, heartbeat, peer.features, peer.next, true);
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

  /** The link is gone; streams stand still until the next one. */
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

  /** Makes the link prove that it lives: a heartbeat goes out at once and asks for an answer. */
  probe(now: number): void {
    this.#link?.heartbeat.probe(now);
  }

  // ── records and time ──

  /**
   * One record's plaintext came. `bytesRead` is what was read from the link's socket so far. Throws `protocol-error`; events
   * of the frames before the offending one are kept.
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
      // The peer keeps a numbered frame and would only send it again. Before `accepted` it is its place that is wrong.
      if (this.#faults >= FAULT_LIMIT || (isNumbered(reader.type) && link.isConfirmed)) this.#isBroken = true;
      throw error;
    }
  }

  /** What the peer did wrong would come again on every link: the session has no future. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * The next record's plaintext, in parts that are valid until the builder is used again; undefined where nothing is to be
   * sent now. `limitBytes` bounds its size.
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
    for (const stream of this.#creditDue) {
      if (record.room < CREDIT_BYTES || this.#helloPoint) break;
      record.add({ type: 'credit', streamId: stream.id, offset: stream.window.grant() });
      this.#creditDue.delete(stream);
    }
    const { isConfirmed } = link;
    const flight = this.#memory.isCrowded ? crowded(link.flight) : link.flight;
    this.#outgoing.addTo(record, recordBytes, { isConfirmed, flight }, (stream) => this.#onSent(stream, now));
    this.#memory.keep(this.#outgoing.logBytes);
    const acknowledged = this.#helloPoint ? undefined : this.#acknowledger.take(now, record.bytes > 0);
    if (acknowledged !== undefined) record.add({ type: 'acknowledgement', number: acknowledged });
    if (record.bytes === 0) return undefined;
    // A record takes back what an earlier heartbeat said of the pause to come, so none may be long after it.
    if (record.bytes > heartbeatBytes) link.heartbeat.active();
    return record.finish();
  }

  /**
   * When `tick` has something to do: monotonic ms, Infinity without a link. After a `tick` it is in the future, also where
   * the link takes no record and what is due has to wait.
   */
  get deadline(): number {
    if (!this.#link) return Infinity;
    const oldest = this.#halfClosed.values().next().value;
    return Math.min(
      this.#link.heartbeat.deadline,
      this.#acknowledger.dueAt,
      oldest ? oldest.movedAt + HALF_CLOSED_IDLE_MS : Infinity,
    );
  }

  /**
   * Time passed; `nextRecord` may have something to send. 'dead': nothing was heard from the peer in time, the owner drops
   * the link.
   */
  tick(now: number, bytesRead: number): 'alive' | 'dead' {
    if (!this.#link) return 'alive';
    const verdict = this.#link.heartbeat.tick(now, bytesRead);
    if (verdict === 'dead') return 'dead';
    if (verdict === 'doubtful') this.#events.push({ type: 'link-doubtful' });
    this.#acknowledger.tick(now);
    for (const stream of this.#halfClosed) {
      if (stream.movedAt + HALF_CLOSED_IDLE_MS > now) break;
      this.#resetIdle(stream.id);
    }
    return 'alive';
  }

  takeEvents(): readonly SessionEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    this.#unannounced.clear();
    if (this.#stillborn.size === 0) return events;
    const told = events.filter((event) => !('streamId' in event && this.#stillborn.has(event.streamId)));
    this.#stillborn.clear();
    return told;
  }

  // ── streams ──

  get streamCount(): number {
    return this.#streams.size;
  }

  /** What is kept for a resume, in bytes with overhead. */
  get logBytes(): number {
    return this.#outgoing.logBytes;
  }

  /** It uses its share of the process's memory: what is not read is not to be read ahead either. */
  get isCrowded(): boolean {
    return this.#memory.isCrowded;
  }

  /** What arrived for this stream and was not consumed yet, in bytes. */
  heldBytes(streamId: number): number {
    return this.#windowOf(streamId)?.heldBytes ?? 0;
  }

  /** A visitor came (servers only). Undefined at the limit of streams. Data may be written at once. */
  openStream(tunnelId: number, attributes: readonly Attribute[], now: number): number | undefined {
    const taken = this.#streams.size + this.#heldWindows.size;
    if (taken >= STREAM_LIMIT || this.#nextStreamId > MAX_U32) return undefined;
    const creditBytes = LEAST_WINDOW_BYTES + this.#memory.firstPromiseBytes;
    const takenBytes = this.#firstCredit.nextBytes;
    const stream = this.#addStream(this.#nextStreamId, now, creditBytes, takenBytes);
    stream.takenBytes = takenBytes;
    this.#firstCredit.take(takenBytes);
    this.#nextStreamId += 2;
    const streamId = stream.id;
    this.#outgoing.sendOpen(stream, { type: 'open', streamId, tunnelId, creditBytes, takenBytes, attributes });
    // A visitor must not wait as long as an idle link may be quiet.
    if (this.#link?.heartbeat.isStretched) this.#link.heartbeat.probe(now);
    return stream.id;
  }

  /** Takes `data` over. Returns how many more bytes may be written; at 0 or below, wait for `stream-writable`. */
  write(streamId: number, data: Uint8Array): number {
    const stream = this.#streams.get(streamId);
    if (!stream || stream.outgoing !== 'open') return 0;
    if (data.length > 0) {
      stream.enqueue(data);
      this.#budget.keepWithinLimit(this.#now);
      if (stream.outgoing !== 'open') return 0;
    }
    if (stream.sendableBytes > 0) this.#outgoing.activate(stream);
    stream.isHeld = stream.writableBytes <= 0;
    return stream.writableBytes;
  }

  /** Nothing more will be written (half-close). */
  end(streamId: number, now: number): void {
    const stream = this.#streams.get(streamId);
    if (!stream || stream.outgoing !== 'open') return;
    stream.stepOutgoing('end');
    if (stream.isEndDue) this.#outgoing.activate(stream);
    this.#touch(stream, now);
  }

  /**
   * Ends the stream in both directions, at once: what is queued or unacknowledged is withdrawn. The peer never hears of a stream
   * that it was not told of yet.
   */
  reset(streamId: number, code: string): void {
    this.#drop(streamId);
    const stream = this.#streams.get(streamId);
    if (!stream || stream.isReset || isSaid(stream)) return;
    stream.stepIncoming('discard');
    if (stream.outgoing === 'failed') stream.stepOutgoing('reset');
    else if (this.#outgoing.withdrawOpen(stream)) this.#forget(stream);
    else this.#resetOutgoing(stream, code);
  }

  /**
   * The local side is gone, as by a reset of its own: the stream ends in both directions, but what was written before still
   * goes to the peer, and its END, and the RESET after that. What the peer does not take for long is dropped after all.
   */
  fail(streamId: number, code: string, now: number): void {
    const stream = this.#streams.get(streamId);
    if (!stream || stream.isUnwritten) {
      this.reset(streamId, code);
      return;
    }
    this.#drop(streamId);
    if (stream.isLeft || isSaid(stream)) return;
    stream.stepIncoming('discard');
    stream.stepOutgoing('fail');
    stream.resetCode = code;
    this.#creditDue.delete(stream);
    this.#outgoing.activate(stream);
    this.#touch(stream, now);
  }

  /** The local side took `bytes` of what arrived: the peer may send more. */
  consumed(streamId: number, bytes: number, now: number): void {
    const window = this.#windowOf(streamId);
    if (!window) return;
    const isGrantDue = window.consume(bytes, now, this.#leastRoundTripMs);
    if (window.heldBytes <= 0) this.#heldWindows.delete(streamId);
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    if (isGrantDue && stream.incoming === 'open') this.#creditDue.add(stream);
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
  }

  // ── the session itself ──

  /** Numbered frames about tunnels. They arrive once and in order, also over a resume. */
  sendTunnelFrame(frame: TunnelFrame): void {
    this.#outgoing.sendControl(frame);
  }

  /** Unnumbered; lost where the link breaks before it goes out. Counts of visitors are lost on a link that stands still, too. */
  sendNotice(frame: Notice): void {
    if (!this.#link) return;
    if (frame.type === 'visitors-refused') {
      if (!hasFeature(this.#link, FEATURE.visitorCounts) || this.#unnumbered.length >= NOTICE_LIMIT) return;
    }
    this.#unnumbered.push(encodeFrame(frame));
  }

  /** Gives back what the session uses of the process's memory budget. It is not used after this. */
  dispose(): void {
    for (const stream of this.#streams.values()) {
      stream.window.release();
      stream.dropQueue();
    }
    for (const window of this.#heldWindows.values()) window.release();
    this.#memory.keep(0);
    this.#creditDue.clear();
    this.#streams.clear();
    this.#heldWindows.clear();
    this.#halfClosed.clear();
    this.endLink();
  }

  // ── inside ──

  #startLink(now: number, heartbeat: Heartbeat, features: number, incomingNext: number, isConfirmed: boolean): void {
    this.#acknowledger.beginLink();
    this.#outgoing.beginLink(this.#helloPoint?.next);
    this.#helloPoint = undefined;
    this.#unnumbered.clear();
    this.#leastRoundTripMs = heartbeat.leastRoundTripMs;
    const sentBefore = this.#outgoing.next - 1;
    this.#link = {
      features,
      heartbeat,
      flight: new Flight(now, heartbeat.leastRoundTripMs),
      incomingNext,
      isConfirmed,
      sentBefore,
      isAnswered: false,
    };
    for (const stream of this.#streams.values()) {
      // The last grant may be lost. Where none was made yet, the peer may not even have the OPEN that the credit is for.
      if (stream.incoming === 'open' && stream.window.hasGranted) this.#creditDue.add(stream);
    }
    // Idle time without a link does not count.
    for (const stream of this.#halfClosed) stream.movedAt = now;
  }

  #receiveFrame(frame: Frame, link: Link, now: number): void {
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

  #receiveUnnumbered(frame: UnnumberedFrame, link: Link, now: number): void {
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
        if (frame.number > link.sentBefore) this.#answered(link);
        return;
      case 'credit':
        this.#receiveCredit(frame.streamId, frame.offset);
        return;
      case 'heartbeat':
        link.heartbeat.frameReceived(frame, now);
        if (frame.echo && link.heartbeat.roundTripMs !== undefined) link.flight.roundTrip(link.heartbeat.roundTripMs);
        this.#leastRoundTripMs = link.heartbeat.leastRoundTripMs;
        if (link.heartbeat.isAnswered) this.#answered(link);
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
        if (!hasFeature(link, FEATURE.visitorCounts)) throw malformed('counts of visitors that were not agreed on');
        this.#events.push(frame);
    }
  }

  #receiveAcknowledgement(number: number, link: Link, now: number): void {
    const before = this.#outgoing.logBytes;
    this.#acknowledge(number);
    link.flight.acknowledged(before - this.#outgoing.logBytes, now);
  }

  #receiveAccepted(frame: AcceptedFrame, link: Link): void {
    if (this.#role === 'server' || link.isConfirmed) throw malformed('an unexpected accepted');
    if (!this.canResumeFrom(frame)) this.#break('the server resumes from where this session never was');
    link.isConfirmed = true;
    link.incomingNext = frame.next;
    link.heartbeat.agree({ intervalMs: frame.heartbeatIntervalMs, timeoutMs: frame.heartbeatTimeoutMs });
    this.#acknowledge(frame.received);
    this.#events.push({ type: 'accepted', frame });
  }

  #answered(link: Link): void {
    if (link.isAnswered) return;
    link.isAnswered = true;
    this.#events.push({ type: 'answered' });
  }

  #receiveNumbered(frame: NumberedFrame, link: Link, now: number): void {
    if (!link.isConfirmed) throw malformed('a numbered frame before accepted');
    const received = this.#acknowledger.received;
    const number = link.incomingNext;
    const last = frame.type === 'void' ? number + frame.count - 1 : number;
    if (last >= Number.MAX_SAFE_INTEGER) throw malformed('more frames than can be counted');
    link.incomingNext = last + 1;
    if (last <= received) return; // came on an earlier link
    this.#faults = 0;
    link.heartbeat.active();
    if (frame.type !== 'void') this.#apply(frame, now);
    this.#acknowledger.receive(last, frame.type === 'data' ? frame.data.length : 0, now);
  }

  #apply(frame: Exclude<NumberedFrame, { type: 'void' }>, now: number): void {
    switch (frame.type) {
      case 'data':
        this.#receiveData(frame, now);
        return;
      case 'open':
        this.#receiveOpen(frame, now);
        return;
      case 'end': {
        const stream = this.#liveStream(frame.streamId);
        const wasOpen = stream.incoming === 'open';
        if (!stream.stepIncoming('end')) throw malformed('a second end of a stream');
        if (wasOpen) this.#events.push({ type: 'stream-ended', streamId: stream.id });
        this.#creditDue.delete(stream);
        stream.window.end();
        this.#touch(stream, now);
        return;
      }
      case 'reset':
        this.#receiveReset(frame.streamId, frame.code);
        return;
      case 'tunnel-request':
        if (this.#role === 'client') throw malformed('only clients ask for tunnels');
        this.#events.push(frame);
        return;
      case 'tunnel-granted':
      case 'tunnel-refused':
        if (this.#role === 'server') throw malformed('only servers grant tunnels');
        this.#events.push(frame);
        return;
      case 'tunnel-close':
        this.#events.push(frame);
    }
  }

  #receiveOpen(frame: Extract<NumberedFrame, { type: 'open' }>, now: number): void {
    const isOdd = frame.streamId % 2 === 1;
    if (frame.streamId === 0 || isOdd === (this.#role === 'server')) throw malformed('a stream id of the other side');
    if (frame.streamId <= this.#highestPeerStreamId) throw malformed('a stream id that was used before');
    // The peer may not have heard yet that slots are used up here.
    if (this.#streams.size >= 2 * STREAM_LIMIT) throw malformed('too many streams');
    this.#firstCredit.requireOffered(frame.takenBytes);
    this.#highestPeerStreamId = frame.streamId;
    const { streamId, tunnelId, takenBytes, attributes } = frame;
    const stream = this.#addStream(streamId, now, takenBytes, frame.creditBytes);
    stream.takenBytes = takenBytes;
    this.#firstCredit.take(takenBytes);
    if (this.#role === 'server') {
      this.reset(streamId, 'stream-unexpected');
      return;
    }
    if (stream.window.isGrantDue) this.#creditDue.add(stream);
    this.#events.push({ type: 'stream-opened', streamId, tunnelId, attributes });
    this.#unannounced.add(streamId);
  }

  #receiveData(frame: DataFrame, now: number): void {
    const stream = this.#liveStream(frame.streamId);
    stream.window.receive(frame.data.length);
    this.#unannounced.delete(stream.id);
    if (stream.incoming === 'open') this.#events.push({ type: 'stream-data', streamId: stream.id, data: frame.data });
    else if (stream.incoming !== 'discarding') throw malformed('data after the end of its stream');
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
  }

  #receiveReset(streamId: number, code: string): void {
    const stream = this.#streams.get(streamId);
    if (!stream) {
      this.#requireKnown(streamId);
      return; // it crossed with the stream's last acknowledgement
    }
    const isNews = !stream.isLeft;
    if (!stream.stepIncoming('reset')) throw malformed('a second reset of a stream');
    if (isNews) this.#events.push({ type: 'stream-reset', streamId, code });
    if (this.#unannounced.has(streamId)) this.#stillborn.add(streamId);
    this.#halfClosed.delete(stream);
    this.#creditDue.delete(stream);
    // What came before may still be on its way to the local side.
    stream.window.end();
    const { outgoing } = stream;
    if (outgoing === 'open' || outgoing === 'ending') {
      this.#resetOutgoing(stream, 'stream-reset');
    } else if (outgoing === 'closing' || outgoing === 'failing') {
      this.#resetOutgoing(stream, stream.resetCode);
    } else {
      if (outgoing === 'failed') stream.stepOutgoing('reset');
      this.#closeIfOver(stream);
    }
  }

  #receiveCredit(streamId: number, offset: number): void {
    const stream = this.#streams.get(streamId);
    if (!stream) {
      this.#requireKnown(streamId);
      return; // it crossed with the stream's end
    }
    stream.raiseCredit(offset);
    if (stream.sendableBytes > 0) this.#outgoing.activate(stream);
    this.#tellWritable(stream);
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
    if (entry.kind === 'data') {
      entry.stream.loggedBytes -= entry.data.length;
      this.#onForgotten?.(entry.data);
    }
    if (entry.kind !== 'end' && entry.kind !== 'reset') return;
    entry.stream.stepOutgoing(entry.kind === 'end' ? 'end-acknowledged' : 'reset-acknowledged');
    this.#closeIfOver(entry.stream);
  }

  /** Resets the streams of which most waits for longest, until about so many bytes are free. Returns how many are. */
  #giveUp(bytes: number, now: number): number {
    const before = this.#memory.waitingBytes;
    for (const id of heaviest(this.#waiting(now), bytes, now)) this.#resetIdle(id);
    this.#outgoing.scrub();
    this.#memory.keep(this.#outgoing.logBytes);
    this.onGivenUp?.();
    return before - this.#memory.waitingBytes;
  }

  *#waiting(now: number): Iterable<Waiting> {
    for (const { id, window, isReset, queuedBytes, loggedBytes, sentAt } of this.#streams.values()) {
      if (isReset) continue;
      const unsentBytes = queuedBytes + loggedBytes;
      yield { id, heldBytes: window.heldBytes, heldSince: window.movedAt, unsentBytes, unsentSince: sentAt };
    }
    for (const [id, { heldBytes, movedAt }] of this.#heldWindows) {
      yield { id, heldBytes, heldSince: movedAt, unsentBytes: 0, unsentSince: now };
    }
  }

  #resetIdle(streamId: number): void {
    const isLeft = this.#streams.get(streamId)?.isLeft === true;
    this.reset(streamId, 'stream-idle');
    if (!isLeft) this.#events.push({ type: 'stream-reset', streamId, code: 'stream-idle' });
  }

  #onSent(stream: Stream, now: number): void {
    stream.sentAt = now;
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
    this.#tellWritable(stream);
  }

  #tellWritable(stream: Stream): void {
    if (!stream.isHeld || stream.outgoing !== 'open') return;
    // However little a peer grants at a time: with nothing queued, waiting for more could be waiting for ever.
    const enoughBytes = stream.queuedBytes === 0 ? 1 : WRITABLE_AGAIN_BYTES;
    if (stream.writableBytes < enoughBytes) return;
    stream.isHeld = false;
    this.#events.push({ type: 'stream-writable', streamId: stream.id });
  }

  /** It may receive and send so much before any CREDIT. */
  #addStream(id: number, now: number, receiveBytes: number, sendBytes: number): Stream {
    const window = new ReceiveWindow(now, this.#memory, receiveBytes);
    const stream = new Stream(id, now, window, this.#memory, sendBytes);
    this.#streams.set(id, stream);
    return stream;
  }

  #resetOutgoing(stream: Stream, code: string): void {
    stream.stepOutgoing('reset');
    stream.resetCode = code;
    stream.dropQueue();
    this.#halfClosed.delete(stream);
    this.#creditDue.delete(stream);
    this.#outgoing.sendReset(stream);
  }

  /** The peer was never told of this stream. */
  #forget(stream: Stream): void {
    stream.stepOutgoing('reset');
    stream.dropQueue();
    this.#creditDue.delete(stream);
    this.#halfClosed.delete(stream);
    this.#remove(stream);
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#firstCredit.giveBack(stream.takenBytes);
  }

  /** The local side takes no more of what arrived. */
  #drop(streamId: number): void {
    this.#windowOf(streamId)?.release();
    this.#heldWindows.delete(streamId);
  }

  #windowOf(streamId: number): ReceiveWindow | undefined {
    return this.#streams.get(streamId)?.window ?? this.#heldWindows.get(streamId);
  }

  #liveStream(id: number): Stream {
    const stream = this.#streams.get(id);
    if (!stream) throw malformed(`a frame for stream ${id}, which is not open`);
    return stream;
  }

  /** A frame for a stream that is over may still be on its way; one for a stream that never was breaks the protocol. */
  #requireKnown(id: number): void {
    const isOwn = (id % 2 === 1) === (this.#role === 'server');
    const wasOpened = id > 0 && (isOwn ? id < this.#nextStreamId : id <= this.#highestPeerStreamId);
    if (!wasOpened) throw malformed(`a frame for stream ${id}, which was never opened`);
  }

  /** Something moved on this stream, or its half-closed state changed. */
  #touch(stream: Stream, now: number): void {
    this.#halfClosed.delete(stream);
    if (this.#closeIfOver(stream)) return;
    stream.movedAt = now;
    if (stream.isHalfClosed) this.#halfClosed.add(stream);
  }

  #closeIfOver(stream: Stream): boolean {
    if (!stream.isOver) return false;
    this.#halfClosed.delete(stream);
    this.#remove(stream);
    if (stream.window.isHeld) this.#heldWindows.set(stream.id, stream.window);
    return true;
  }
}

function hasFeature(link: Link, bit: number): boolean {
  return (link.features & bit) !== 0;
}

function isNumbered(type: number | undefined): boolean {
  return type !== undefined && type >= NUMBERED_TYPES.first && type <= NUMBERED_TYPES.last;
}

/** The flight of a session that uses its share of memory already. It says nothing about the link that more is not sent. */
function crowded(flight: Flight): Pick<Flight, 'limitBytes' | 'full'> {
  return { limitBytes: Math.min(flight.limitBytes, CROWDED_LOG_BYTES), full: () => {} };
}

/** Everything was said in both directions: the peer has no use for a reset. */
function isSaid({ outgoing, incoming }: Stream): boolean {
  return outgoing === 'ended' && (incoming === 'ended' || incoming === 'reset');
}
