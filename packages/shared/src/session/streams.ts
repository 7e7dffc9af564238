import type { RecordBuilder } from '../link/record-builder.ts';
import { malformed } from '../wire/byte-reader.ts';
import type { Attribute } from '../wire/attributes.ts';
import type { DataFrame, OpenFrame } from '../wire/frame.ts';
import { CREDIT_BYTES, WRITABLE_AGAIN_BYTES } from './constants.ts';
import type { EventQueue } from './events.ts';
import { HalfClosedStreams } from './half-closed.ts';
import { LEAST_WINDOW_BYTES } from './memory/constants.ts';
import type { FirstCreditLedger } from './memory/first-credit.ts';
import { heaviest } from './memory/heaviest.ts';
import type { MemoryBudget, MemoryShare } from './memory/memory-budget.ts';
import { ReceiveWindow } from './memory/receive-window.ts';
import type { LogEntry } from './outgoing-log.ts';
import type { Outgoing } from './outgoing.ts';
import { StreamTable } from './stream-table.ts';
import { Stream } from './stream.ts';

/** What the streams of a session share with the rest of it. */
export interface StreamsContext {
  readonly role: 'client' | 'server';
  readonly budget: MemoryBudget;
  readonly memory: MemoryShare;
  readonly firstCredit: FirstCreditLedger;
  readonly outgoing: Outgoing;
  readonly events: EventQueue;
}

/** The streams of a session from open to over: what the local side does and what the peer does. */
export class Streams {
  readonly #role: 'client' | 'server';
  readonly #budget: MemoryBudget;
  readonly #memory: MemoryShare;
  readonly #firstCredit: FirstCreditLedger;
  readonly #outgoing: Outgoing;
  readonly #events: EventQueue;
  readonly #table: StreamTable;
  readonly #halfClosed = new HalfClosedStreams();
  readonly #creditDue = new Set<Stream>();

  constructor(context: StreamsContext) {
    this.#role = context.role;
    this.#budget = context.budget;
    this.#memory = context.memory;
    this.#firstCredit = context.firstCredit;
    this.#outgoing = context.outgoing;
    this.#events = context.events;
    this.#table = new StreamTable(context.role);
  }

  get size(): number {
    return this.#table.size;
  }

  /** What arrived for this stream but was not consumed yet, in bytes. */
  heldBytes(streamId: number): number {
    return this.#table.windowOf(streamId)?.heldBytes ?? 0;
  }

  // ── links and time ──

  beginLink(now: number): void {
    for (const stream of this.#table.values()) {
      // The last grant may have been lost. If none was made yet, the peer may not even have the OPEN that the credit is
      // for.
      if (stream.incoming === 'open' && stream.window.hasGranted) this.#creditDue.add(stream);
    }
    this.#halfClosed.restart(now);
  }

  /** Grants what is due while the record has room. */
  addCredits(record: RecordBuilder): void {
    for (const stream of this.#creditDue) {
      if (record.room < CREDIT_BYTES) break;
      record.add({ type: 'credit', streamId: stream.id, offset: stream.window.grant() });
      this.#creditDue.delete(stream);
    }
  }

  /** When `tick` has something to do; Infinity if there is nothing to wait for. */
  get deadline(): number {
    return this.#halfClosed.deadline;
  }

  tick(now: number): void {
    this.#halfClosed.expire(now, (stream) => this.#resetIdle(stream.id));
  }

  /** Resets the streams that hold most for longest until about this many bytes are free. */
  giveUp(bytes: number, now: number): void {
    for (const id of heaviest(this.#table.waiting(now), bytes, now)) this.#resetIdle(id);
  }

  dispose(): void {
    this.#table.dispose();
    this.#creditDue.clear();
    this.#halfClosed.clear();
  }

  // ── what the local side does ──

  open(tunnelId: number, attributes: readonly Attribute[], now: number): number | undefined {
    const streamId = this.#table.nextOwnId;
    if (streamId === undefined) return undefined;
    const creditBytes = LEAST_WINDOW_BYTES + this.#memory.firstPromiseBytes;
    const takenBytes = this.#firstCredit.nextBytes;
    const stream = this.#add(streamId, now, { receiveBytes: creditBytes, sendBytes: takenBytes, takenBytes });
    this.#outgoing.sendOpen(stream, { type: 'open', streamId, tunnelId, creditBytes, takenBytes, attributes });
    return streamId;
  }

  write(streamId: number, data: Uint8Array, now: number): number {
    const stream = this.#table.get(streamId);
    if (!stream || stream.outgoing !== 'open') return 0;
    if (data.length > 0) {
      stream.enqueue(data);
      this.#budget.keepWithinLimit(now);
      if (stream.outgoing !== 'open') return 0;
    }
    if (stream.sendableBytes > 0) this.#outgoing.activate(stream);
    stream.isHeld = stream.writableBytes <= 0;
    return stream.writableBytes;
  }

  end(streamId: number, now: number): void {
    const stream = this.#table.get(streamId);
    if (!stream || stream.outgoing !== 'open') return;
    stream.stepOutgoing('end');
    if (stream.isEndDue) this.#outgoing.activate(stream);
    this.#touch(stream, now);
  }

  reset(streamId: number, code: string): void {
    this.#drop(streamId);
    const stream = this.#table.get(streamId);
    if (!stream || stream.isReset || isSaid(stream)) return;
    stream.stepIncoming('discard');
    if (stream.outgoing === 'failed') stream.stepOutgoing('reset');
    else if (this.#outgoing.withdrawOpen(stream)) this.#forget(stream);
    else this.#resetOutgoing(stream, code);
  }

  fail(streamId: number, code: string, now: number): void {
    const stream = this.#table.get(streamId);
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

  consumed(streamId: number, bytes: number, now: number, roundTripMs: number): void {
    const window = this.#table.windowOf(streamId);
    if (!window) return;
    const isGrantDue = window.consume(bytes, now, roundTripMs);
    if (window.heldBytes <= 0) this.#table.forgetWindow(streamId);
    const stream = this.#table.get(streamId);
    if (!stream) return;
    if (isGrantDue && stream.incoming === 'open') this.#creditDue.add(stream);
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
  }

  // ── what the peer does ──

  receiveOpen({ streamId, tunnelId, creditBytes, takenBytes, attributes }: OpenFrame, now: number): void {
    this.#table.requireNew(streamId);
    this.#firstCredit.requireOffered(takenBytes);
    const stream = this.#add(streamId, now, { receiveBytes: takenBytes, sendBytes: creditBytes, takenBytes });
    if (this.#role === 'server') {
      this.reset(streamId, 'stream-unexpected');
      return;
    }
    if (stream.window.isGrantDue) this.#creditDue.add(stream);
    this.#events.push({ type: 'stream-opened', streamId, tunnelId, attributes });
  }

  receiveData({ streamId, data }: DataFrame, now: number): void {
    const stream = this.#table.require(streamId);
    stream.window.receive(data.length);
    this.#events.keep(streamId);
    if (stream.incoming === 'open') this.#events.push({ type: 'stream-data', streamId, data });
    else if (stream.incoming !== 'discarding') throw malformed('data after the end of its stream');
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
  }

  receiveEnd(streamId: number, now: number): void {
    const stream = this.#table.require(streamId);
    const wasOpen = stream.incoming === 'open';
    if (!stream.stepIncoming('end')) throw malformed('a second end of a stream');
    if (wasOpen) this.#events.push({ type: 'stream-ended', streamId });
    this.#creditDue.delete(stream);
    stream.window.end();
    this.#touch(stream, now);
  }

  receiveReset(streamId: number, code: string): void {
    const stream = this.#table.get(streamId);
    if (!stream) {
      this.#table.requireKnown(streamId);
      return; // crossed with the stream's last acknowledgement
    }
    const isNews = !stream.isLeft;
    if (!stream.stepIncoming('reset')) throw malformed('a second reset of a stream');
    if (isNews) this.#events.push({ type: 'stream-reset', streamId, code });
    this.#events.discard(streamId);
    this.#halfClosed.delete(stream);
    this.#creditDue.delete(stream);
    // Earlier data may still be on its way to the local side.
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

  receiveCredit(streamId: number, offset: number): void {
    const stream = this.#table.get(streamId);
    if (!stream) {
      this.#table.requireKnown(streamId);
      return; // crossed with the stream's end
    }
    stream.raiseCredit(offset);
    if (stream.sendableBytes > 0) this.#outgoing.activate(stream);
    this.#tellWritable(stream);
  }

  // ── fate of sent frames ──

  /** Something of this stream was handed to a link. */
  sent(stream: Stream, now: number): void {
    stream.sentAt = now;
    if (this.#halfClosed.has(stream)) this.#touch(stream, now);
    this.#tellWritable(stream);
  }

  /** The peer has this frame. */
  acknowledged(entry: LogEntry): void {
    if (entry.kind === 'data') entry.stream.loggedBytes -= entry.data.length;
    if (entry.kind !== 'end' && entry.kind !== 'reset') return;
    entry.stream.stepOutgoing(entry.kind === 'end' ? 'end-acknowledged' : 'reset-acknowledged');
    this.#closeIfOver(entry.stream);
  }

  // ── internals ──

  /** Adds a stream that may receive and send this much before any CREDIT. */
  #add(
    id: number,
    now: number,
    first: { readonly receiveBytes: number; readonly sendBytes: number; readonly takenBytes: number },
  ): Stream {
    const window = new ReceiveWindow(now, this.#memory, first.receiveBytes);
    const stream = new Stream(id, now, window, this.#memory, first.sendBytes);
    stream.takenBytes = first.takenBytes;
    this.#firstCredit.take(first.takenBytes);
    this.#table.add(stream);
    return stream;
  }

  #remove(stream: Stream): void {
    this.#halfClosed.delete(stream);
    this.#table.remove(stream);
    this.#firstCredit.giveBack(stream.takenBytes);
  }

  #closeIfOver(stream: Stream): boolean {
    if (stream.isOver) this.#remove(stream);
    return stream.isOver;
  }

  /** The stream made progress or its half-closed state changed. */
  #touch(stream: Stream, now: number): void {
    if (!this.#closeIfOver(stream)) this.#halfClosed.touch(stream, now);
  }

  #tellWritable(stream: Stream): void {
    if (!stream.isHeld || stream.outgoing !== 'open') return;
    // With nothing queued, even a single byte is enough: waiting for more could mean waiting forever.
    const enoughBytes = stream.queuedBytes === 0 ? 1 : WRITABLE_AGAIN_BYTES;
    if (stream.writableBytes < enoughBytes) return;
    stream.isHeld = false;
    this.#events.push({ type: 'stream-writable', streamId: stream.id });
  }

  #resetIdle(streamId: number): void {
    const isLeft = this.#table.get(streamId)?.isLeft === true;
    this.reset(streamId, 'stream-idle');
    if (!isLeft) this.#events.push({ type: 'stream-reset', streamId, code: 'stream-idle' });
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
    this.#remove(stream);
  }

  /** The local side takes no more of what arrived. */
  #drop(streamId: number): void {
    this.#table.windowOf(streamId)?.release();
    this.#table.forgetWindow(streamId);
  }
}

/** Both directions have ended: the peer has no use for a reset. */
function isSaid({ outgoing, incoming }: Stream): boolean {
  return outgoing === 'ended' && (incoming === 'ended' || incoming === 'reset');
}
