import { COMPACT_CHUNKS, GATHER_BELOW_BYTES, GATHER_BYTES, SEND_QUEUE_BYTES } from './constants.ts';
import { Fifo } from './fifo.ts';
import type { MemoryShare } from './memory/memory-budget.ts';
import type { ReceiveWindow } from './memory/receive-window.ts';
import {
  INCOMING,
  isOver,
  OUTGOING,
  type IncomingEvent,
  type IncomingState,
  type OutgoingEvent,
  type OutgoingState,
} from './stream-state.ts';

/** One visitor's connection inside a session: its states, what waits to be sent, and its credit both ways. */
export class Stream {
  readonly id: number;
  readonly window: ReceiveWindow;
  outgoing: OutgoingState = 'open';
  incoming: IncomingState = 'open';
  resetCode = '';
  /** When the stream last made progress; watched while it is half-closed. */
  movedAt: number;
  /** State of this stream in the fair queue. */
  turn: 'none' | 'fresh' | 'queued' | 'removed' = 'none';
  deficitBytes = 0;
  /** The local side was told to stop writing and is waiting to continue. */
  isHeld = false;

  /** When something was last handed to a link. */
  sentAt: number;
  /** How much of the client's offered first credit this stream has taken. */
  takenBytes = 0;
  /** How much of what was handed to a link is kept until it is acknowledged. */
  loggedBytes = 0;

  readonly #memory: MemoryShare;
  readonly #queue = new Fifo<Uint8Array>();
  #queuedBytes = 0;
  #compactAtChunks = COMPACT_CHUNKS;
  /** The offset up to which bytes have been numbered. */
  #sent = 0;
  #credit: number;

  /** `creditBytes` may be sent before the peer grants anything. */
  constructor(id: number, now: number, window: ReceiveWindow, memory: MemoryShare, creditBytes: number) {
    this.id = id;
    this.movedAt = now;
    this.sentAt = now;
    this.window = window;
    this.#memory = memory;
    this.#credit = creditBytes;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many bytes may be handed to a link now. */
  get sendableBytes(): number {
    return Math.min(this.#queuedBytes, this.#credit - this.#sent);
  }

  /** Length of the next chunk in the queue. */
  get nextChunkBytes(): number {
    return this.#queue.peek()?.length ?? 0;
  }

  /** How many more bytes the local side may write; 0 or less means stop. */
  get writableBytes(): number {
    const bytes = Math.min(this.#credit - this.#sent, SEND_QUEUE_BYTES) - this.#queuedBytes;
    // A crowded session takes one chunk from each stream at a time: all of them move, and none waits for another.
    return this.#queuedBytes > 0 && this.#memory.isCrowded ? Math.min(0, bytes) : bytes;
  }

  /** An END can be sent: it was requested and nothing is queued before it. */
  get isEndDue(): boolean {
    return (this.outgoing === 'ending' || this.outgoing === 'closing') && this.#queuedBytes === 0;
  }

  /** A RESET that waited for queued bytes can be sent. */
  get isResetDue(): boolean {
    return this.outgoing === 'failing' && this.#queuedBytes === 0;
  }

  /** Nothing was ever written, so a RESET cannot overtake anything. */
  get isUnwritten(): boolean {
    return this.outgoing === 'open' && this.#sent === 0 && this.#queuedBytes === 0;
  }

  /** One direction is closed, or the local side is gone, and something has yet to move. */
  get isHalfClosed(): boolean {
    if (this.isLeft) return this.outgoing === 'closing' || this.outgoing === 'failing';
    if (this.incoming === 'ended') return this.outgoing === 'open' || this.outgoing === 'ending';
    return this.incoming === 'open' && this.outgoing !== 'open';
  }

  get isOver(): boolean {
    return isOver(this.outgoing, this.incoming);
  }

  /** This side reset the stream, on its own or in response to the peer: what it sent before is withdrawn. */
  get isReset(): boolean {
    return this.outgoing === 'resetting' || this.outgoing === 'reset' || this.outgoing === 'gone';
  }

  /** The local side gets no more events. */
  get isLeft(): boolean {
    return this.isReset || this.outgoing === 'closing' || this.outgoing === 'failing' || this.outgoing === 'failed';
  }

  stepOutgoing(event: OutgoingEvent): void {
    const next = OUTGOING[this.outgoing][event];
    if (!next) throw new Error(`stream ${this.id}: ${event} while ${this.outgoing}`);
    this.outgoing = next;
  }

  /** False if the peer may not do this in the stream's state. */
  stepIncoming(event: IncomingEvent): boolean {
    const next = INCOMING[this.incoming][event];
    if (next) this.incoming = next;
    return next !== undefined;
  }

  enqueue(data: Uint8Array): void {
    this.#queue.push(data);
    this.#queuedBytes += data.length;
    this.#memory.wait(data.length);
    if (this.#queue.length >= this.#compactAtChunks) this.#compact();
  }

  /** Merges small chunks. If many remain, the next time is when there are twice as many. */
  #compact(): void {
    const chunks: Uint8Array[] = [];
    while (this.#queue.length > 0) chunks.push(this.#next(Infinity));
    for (const chunk of chunks) this.#queue.push(chunk);
    this.#compactAtChunks = Math.max(COMPACT_CHUNKS, 2 * chunks.length);
  }

  /** Takes the next bytes to send, at most `limit`; they count as numbered. */
  dequeue(limit: number): Uint8Array {
    const data = this.#next(limit);
    this.#queuedBytes -= data.length;
    this.#memory.wait(-data.length);
    this.#sent += data.length;
    return data;
  }

  #next(limit: number): Uint8Array {
    const first = this.#queue.peek();
    if (!first) throw new RangeError(`stream ${this.id} has nothing queued`);
    const gatheredBytes = this.#gatherableBytes(Math.min(limit, GATHER_BYTES));
    return gatheredBytes > first.length ? this.#gather(gatheredBytes) : this.#take(first, limit);
  }

  /** Takes the first chunk, or as much of it as may be sent. */
  #take(first: Uint8Array, limit: number): Uint8Array {
    if (first.length <= limit) {
      this.#queue.shift();
      return first;
    }
    this.#queue.replaceFirst(first.subarray(limit));
    return first.subarray(0, limit);
  }

  /** How many bytes wait in consecutive small chunks, up to `limit`. */
  #gatherableBytes(limit: number): number {
    let bytes = 0;
    for (let index = 0; bytes < limit; index += 1) {
      const chunk = this.#queue.at(index);
      if (!chunk || chunk.length >= GATHER_BELOW_BYTES) return bytes;
      bytes += chunk.length;
    }
    return limit;
  }

  /** Takes several chunks as one piece. */
  #gather(bytes: number): Uint8Array {
    const data = new Uint8Array(bytes);
    for (let filled = 0; filled < data.length;) {
      const part = this.#take(this.#queue.peek()!, data.length - filled);
      data.set(part, filled);
      filled += part.length;
    }
    return data;
  }

  dropQueue(): void {
    this.#queue.clear();
    this.#memory.wait(-this.#queuedBytes);
    this.#queuedBytes = 0;
  }

  /** The peer grants up to `offset`. Offsets only rise; a late, lower one is ignored. */
  raiseCredit(offset: number): void {
    if (offset > this.#credit) this.#credit = offset;
  }
}
