import type { Socket } from 'node:net';

/** What the destination socket may hold unwritten before it counts as blocked. */
const maxUnwrittenBytes = 256 * 1024;

/** What a delayed direction may hold: 25 ms at 20 Gbit/s. Where it is full, reading stops. */
const maxQueuedBytes = 64 * 1024 * 1024;

/** A delayed direction goes on reading for this long after its destination has stopped to take what is due. */
const overdueToleranceMs = 50;

/** A throttled direction is written in slices of this many milliseconds, and may catch up on late timers by `catchUpMs`. */
const throttleSliceMs = 10;
const catchUpMs = 50;

/** How long before a cut its last bytes are sent. */
const lastBytesHeadStartMs = 5;

/** What happens to a connection after the last byte before a cut. */
export type CutEnding = 'reset' | 'end' | 'silence';

/** What a pipe tells its connection. */
export interface PipeOwner {
  /** Sees, and may change, every chunk as it comes in; nothing goes on for an empty one. */
  received(chunk: Buffer): Uint8Array;
  forwarded(bytes: number): void;
  /** The destination is to be reset, since the source was. */
  resetDestination(): void;
  cut(ending: CutEnding): void;
}

interface Queued {
  readonly dueMs: number;
  /** `undefined` is the end of the stream. */
  bytes: Uint8Array | undefined;
}

/** One direction of a relayed connection: a queue of chunks with due times, one timer, order kept. */
export class Pipe {
  delayMs = 0;
  readonly #source: Socket;
  readonly #destination: Socket;
  readonly #owner: PipeOwner;
  readonly #queue: Queued[] = [];
  /** Index of the queue's head: `shift()` on a long array costs its length. */
  #head = 0;
  #queuedBytes = 0;
  #bytesPerSecond: number | undefined;
  #throttledUntilMs = 0;
  #state: 'idle' | 'moving' | 'silent' | 'discarding' = 'idle';
  #cut: { remainingBytes: number; readonly ending: CutEnding } | undefined;
  #resetDueMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, destination: Socket, owner: PipeOwner) {
    this.#source = source;
    this.#destination = destination;
    this.#owner = owner;
    source.on('data', (chunk: Buffer) => this.#receive(chunk));
    source.on('end', () => this.#enqueue(undefined));
    destination.on('drain', () => this.#flush());
    source.pause();
  }

  set bytesPerSecond(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#throttledUntilMs = 0;
    this.#flush();
  }

  /** Lets bytes move; also the way back from `silence()`. */
  move(): void {
    if (this.#state === 'discarding') return;
    this.#state = 'moving';
    this.#flush();
  }

  silence(): void {
    if (this.#state === 'discarding') return;
    this.#state = 'silent';
    clearTimeout(this.#timer);
    this.#source.pause();
  }

  /** Forwards exactly `bytes` more, then ends the connection as `ending` says. */
  cutAfter(bytes: number, ending: CutEnding): void {
    if (this.#state === 'discarding') return;
    this.#cut = { remainingBytes: bytes, ending };
    if (bytes === 0) this.#endAtCut(ending);
  }

  /** Passes a reset of the source on, behind the delay, but not behind a destination that takes nothing. */
  passReset(): void {
    if (this.#state === 'discarding') return;
    this.#resetDueMs ??= performance.now() + this.delayMs;
    this.#flush();
  }

  /** Forwards nothing any more, and reads on so that the source's own end is noticed. */
  discard(): void {
    this.#state = 'discarding';
    clearTimeout(this.#timer);
    this.#queue.length = this.#head = this.#queuedBytes = 0;
    this.#source.resume();
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'discarding') return;
    const bytes = this.#owner.received(chunk);
    if (bytes.length > 0) this.#enqueue(bytes);
  }

  #enqueue(bytes: Uint8Array | undefined): void {
    if (this.#state === 'discarding') return;
    this.#queue.push({ dueMs: performance.now() + this.delayMs, bytes });
    this.#queuedBytes += bytes?.length ?? 0;
    this.#flush();
  }

  #flush(): void {
    if (this.#state !== 'moving') return;
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    // One writev for all that is due; without it every chunk is a system call of its own.
    this.#destination.cork();
    let nextMs = this.#writeDue(nowMs);
    this.#destination.uncork();
    // Writing can end in a cut, which changes the state.
    if (!this.#isMoving()) return;
    if (this.#resetDueMs !== undefined) {
      if (this.#resetDueMs <= nowMs) {
        this.discard();
        this.#owner.resetDestination();
        return;
      }
      nextMs = Math.min(nextMs, this.#resetDueMs);
    }
    if (nextMs !== Infinity) this.#timer = setTimeout(() => this.#flush(), Math.ceil(nextMs - nowMs));
    this.#readIfRoom(nowMs);
  }

  /** Writes what is due and returns when to go on: `Infinity` is "when something happens". */
  #writeDue(nowMs: number): number {
    for (;;) {
      const head = this.#queue[this.#head];
      if (head === undefined) {
        this.#queue.length = this.#head = 0;
        return Infinity;
      }
      if (this.#isBlocked()) return Infinity;
      const dueMs = Math.max(head.dueMs, this.#throttledUntilMs);
      if (dueMs > nowMs) return dueMs;
      if (head.bytes === undefined) {
        this.#destination.end();
        this.#dropHead();
      } else if (!this.#writeSome(head, head.bytes, nowMs)) {
        return Infinity;
      }
    }
  }

  /** Writes the head of the queue, or as much of it as throttle and cut allow; `false` once cut. */
  #writeSome(head: Queued, bytes: Uint8Array, nowMs: number): boolean {
    const rate = this.#bytesPerSecond;
    const cut = this.#cut;
    const length = Math.min(
      bytes.length,
      rate === undefined ? Infinity : Math.max(1, Math.floor((rate * throttleSliceMs) / 1000)),
      cut === undefined ? Infinity : cut.remainingBytes,
    );
    const part = bytes.subarray(0, length);
    head.bytes = bytes.subarray(length);
    if (head.bytes.length === 0) this.#dropHead();
    this.#queuedBytes -= length;
    if (rate !== undefined) {
      this.#throttledUntilMs = Math.max(this.#throttledUntilMs, nowMs - catchUpMs) + (length / rate) * 1000;
    }
    this.#owner.forwarded(length);
    if (cut !== undefined) cut.remainingBytes -= length;
    if (cut === undefined || cut.remainingBytes > 0) {
      this.#destination.write(part);
      return true;
    }
    if (cut.ending === 'silence') this.silence();
    else this.discard();
    // Only once the kernel has the last byte, since a reset drops what it has not; and a moment later, since libuv
    // takes a reset that it finds together with data for an end. The immediate is for receivers in this very thread.
    const endAtCut = (): void => this.#endAtCut(cut.ending);
    this.#destination.write(part, () => setTimeout(() => setImmediate(endAtCut), lastBytesHeadStartMs));
    return false;
  }

  #endAtCut(ending: CutEnding): void {
    this.#cut = undefined;
    if (ending !== 'silence') this.discard();
    this.#owner.cut(ending);
  }

  #dropHead(): void {
    this.#head++;
    // Compact now and then, so that a queue that never runs empty does not grow for ever.
    if (this.#head === 4096) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #readIfRoom(nowMs: number): void {
    if (this.#isFull(nowMs)) this.#source.pause();
    else if (this.#source.isPaused()) this.#source.resume();
  }

  #isFull(nowMs: number): boolean {
    if (this.#queuedBytes >= this.#maxQueuedBytes()) return true;
    if (!this.#isBlocked()) return false;
    const headDueMs = this.#queue[this.#head]?.dueMs ?? nowMs;
    return this.delayMs === 0 || nowMs - headDueMs > overdueToleranceMs;
  }

  /** A throttled direction holds what fits into its delay and a little more, like a router with a sane buffer. */
  #maxQueuedBytes(): number {
    if (this.#bytesPerSecond === undefined) return maxQueuedBytes;
    const inFlightBytes = (this.#bytesPerSecond * (this.delayMs + 100)) / 1000;
    return Math.min(maxQueuedBytes, Math.max(64 * 1024, inFlightBytes));
  }

  #isMoving(): boolean {
    return this.#state === 'moving';
  }

  #isBlocked(): boolean {
    return this.#destination.writableLength >= maxUnwrittenBytes;
  }
}
