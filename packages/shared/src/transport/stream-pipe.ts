import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HALF_CLOSED_IDLE_MS } from '../session/constants.ts';
import type { Session } from '../session/session.ts';
import { monotonicNow } from './clock.ts';
import { surviveFailedWrites } from './failed-writes.ts';
import { Gathering, isSmall } from './gathering.ts';
import type { SharedMemory } from './memory.ts';
import { startReading, stopReading } from './reading.ts';
import { onceSent } from './send-queue.ts';
import { cameResetAfterEnd, readEnding } from './socket-ending.ts';

/** Bytes of streams that one session carried, without what the protocol adds. */
export interface Traffic {
  /** From the peer. */
  receivedBytes: number;
  /** To the peer, as the sockets gave them. */
  sentBytes: number;
}

/** A stream that was reset before there was a socket for its bytes waits for one no longer than this, in ms. */
const CONNECT_GRACE_MS = 1_000;

/**
 * What a stream is joined to: a TCP socket, or what behaves as one. The pipe takes over what it reads from it, memory and all;
 * what it writes is valid until the write's callback.
 */
export type PipeSocket = Duplex &
  Pick<Socket, 'bytesWritten' | 'connecting' | 'remoteAddress' | 'timeout'> & {
    /** `code`: why, for sockets that can say so. */
    resetAndDestroy(code?: string): unknown;
    /** Emits `timeout` when nothing moved for so long, also in a write that is under way. */
    setTimeout(timeoutMs: number, onTimeout?: () => void): unknown;
  };

/** Looks on while bytes pass, and must not throw. What it is given is valid during the call only. */
export interface StreamObserver {
  /** From the peer, when it comes. */
  received(data: Uint8Array): void;
  /** From the socket, when it is read. */
  sent(data: Uint8Array): void;
  /** The socket has said its end. */
  sentEnded(): void;
}

export interface StreamPipeHandlers {
  /** The session may have something to send. */
  flushSoon(): void;
  /** The socket is closed; `resetCode` says why the stream was reset, undefined for a clean end. */
  onClosed(resetCode: string | undefined): void;
}

type Fate =
  | { readonly kind: 'joined' }
  /** A write failed, so the socket's other end is gone. What it sent before is read to its end, then the stream is reset. */
  | { readonly kind: 'unwritable'; readonly hadEnded: boolean }
  /** The peer reset the stream. The socket is reset once it took what came before. */
  | { readonly kind: 'flushing'; readonly code: string }
  /** The stream was reset, and so is the socket. */
  | { readonly kind: 'over'; readonly code: string };

/**
 * Joins one stream of a session to one socket: bytes, half-closes and resets, both ways. A reset never overtakes the bytes that
 * came before it, nor does it pass for an end. What arrives before there is a socket waits; it is never more than the stream's
 * first credit.
 */
export class StreamPipe {
  readonly streamId: number;
  readonly #session: Session;
  readonly #handlers: StreamPipeHandlers;
  readonly #traffic: Traffic;
  readonly #records: SharedMemory;
  #fate: Fate = { kind: 'joined' };
  #socket: PipeSocket | undefined;
  #observer: StreamObserver | undefined;
  /** What came before there was a socket. */
  #waiting: Uint8Array[] = [];
  /** Small pieces behind what waits. Where there is a socket, they wait for what it was given before. */
  #gathering: Gathering | undefined;
  #wasIdleAtCork = false;
  /** Bytes that the socket did not pass to the kernel yet. */
  #unflushedBytes = 0;
  #isEndDue = false;
  #areMovesExpected = false;
  #cancelConnecting: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;

  /** `traffic` is counted up. `records` is what the data to deliver lies in. */
  constructor(
    streamId: number,
    session: Session,
    handlers: StreamPipeHandlers,
    traffic: Traffic,
    records: SharedMemory,
  ) {
    this.streamId = streamId;
    this.#session = session;
    this.#handlers = handlers;
    this.#traffic = traffic;
    this.#records = records;
  }

  /** Has somebody look on from here on. */
  observe(observer: StreamObserver): void {
    this.#observer = observer;
  }

  /** A socket is being made; `cancel` is called where the stream is reset before it is there. */
  expectSocket(cancel: () => void): void {
    this.#cancelConnecting = cancel;
  }

  /** The socket must have been made with `allowHalfOpen`. It belongs to the pipe from here on. */
  attach(socket: PipeSocket): void {
    this.#socket = socket;
    this.#cancelConnecting = undefined;
    clearTimeout(this.#patience);
    surviveFailedWrites(socket, (error) => this.#onWriteFailed(socket, error));
    socket.on('data', (chunk: Buffer) => this.#onData(socket, chunk));
    socket.on('end', () => this.#onEnd(socket));
    socket.on('error', () => this.#onError(socket));
    socket.on('close', () => this.#onClose(socket));
    for (const data of this.#waiting) this.#write(socket, data);
    this.#waiting = [];
    this.#passGathered();
    this.#endIfDue();
  }

  /**
   * Bytes of the peer's. `isAlone`: what lies around them in memory is this stream's, too. What waits in a queue must not hold
   * what belongs to others: a slow reader beside a fast one would hold up to eight times its window. Nor must it come in
   * pieces so small that the queue is larger than what is in it.
   */
  deliver(data: Uint8Array, isAlone: boolean): void {
    this.#traffic.receivedBytes += data.length;
    if (this.#fate.kind !== 'joined') return;
    const isWaiting = !this.#socket || this.#unflushedBytes > 0;
    if (isWaiting && isSmall(data)) {
      this.#gather(data);
    } else {
      this.#passGathered();
      this.#pass(isWaiting && !isAlone ? new Uint8Array(data) : data);
    }
    this.#observer?.received(data);
  }

  /** What is delivered until `uncork` goes to the socket's other end together. */
  cork(): void {
    this.#wasIdleAtCork = this.#unflushedBytes === 0;
    this.#socket?.cork();
  }

  uncork(): void {
    if (!this.#socket) return;
    if (this.#wasIdleAtCork) this.#passGathered();
    this.#socket.uncork();
  }

  /** The peer sends no more. */
  endByPeer(): void {
    this.#isEndDue = true;
    this.#endIfDue();
  }

  /**
   * The peer reset the stream. The socket's other end gets what came before, and then a reset too, never a clean end, since
   * data may be missing.
   */
  resetByPeer(code: string): void {
    switch (this.#fate.kind) {
      case 'flushing':
      case 'over':
        return;
      case 'unwritable':
        // Nobody is left to hear the last words.
        this.#close(code);
        return;
      case 'joined':
        this.#fate = { kind: 'flushing', code };
    }
    if (this.#socket) {
      this.#socket.pause();
      this.uncork();
      this.#endIfDue();
    } else if (this.#cancelConnecting && (this.#waiting.length > 0 || this.#gathering)) {
      this.#patience = setTimeout(() => this.#close(code), CONNECT_GRACE_MS);
    } else {
      this.#close(code);
    }
  }

  /** Ends the stream from this side, at once, before or instead of a socket. */
  reset(code: string): void {
    if (this.#fate.kind === 'over') return;
    this.#session.reset(this.streamId, code);
    this.#handlers.flushSoon();
    this.#close(code);
  }

  /** The stream can take more again. */
  resume(): void {
    if (this.#socket) startReading(this.#socket);
  }

  /** Ends the socket, at once. The session knows of it or is over. */
  #close(code: string): void {
    if (this.#fate.kind === 'over') return;
    this.#fate = { kind: 'over', code: this.#fate.kind === 'flushing' ? this.#fate.code : code };
    // Gives back what the session holds for it.
    this.#session.reset(this.streamId, code);
    this.#waiting = [];
    this.#gathering = undefined;
    clearTimeout(this.#patience);
    if (this.#socket) {
      resetSocket(this.#socket, this.#fate.code);
    } else {
      this.#cancelConnecting?.();
      this.#handlers.onClosed(this.#fate.code);
    }
  }

  #gather(data: Uint8Array): void {
    if (this.#gathering?.add(data)) return;
    this.#passGathered();
    this.#gathering = new Gathering();
    this.#gathering.add(data);
  }

  #passGathered(): void {
    const gathered = this.#gathering?.bytes;
    this.#gathering = undefined;
    if (gathered) this.#pass(gathered);
  }

  #pass(data: Uint8Array): void {
    this.#records.use(data);
    if (this.#socket) this.#write(this.#socket, data);
    else this.#waiting.push(data);
  }

  #write(socket: PipeSocket, data: Uint8Array): void {
    const { length, buffer } = data;
    this.#unflushedBytes += length;
    socket.write(data, () => {
      this.#unflushedBytes -= length;
      this.#records.done(buffer);
      // What did not arrive anywhere makes no room for more.
      if (this.#fate.kind === 'unwritable' || this.#fate.kind === 'over') return;
      if (this.#unflushedBytes === 0) this.#passGathered();
      this.#endIfDue();
      this.#session.consumed(this.streamId, length, monotonicNow());
      this.#handlers.flushSoon();
    });
  }

  /** Only once everything is flushed: libuv cannot reset a connection whose FIN waits behind data. */
  #endIfDue(): void {
    const socket = this.#socket;
    const { kind } = this.#fate;
    const isFlushing = kind === 'flushing';
    if (!socket || !(isFlushing || (kind === 'joined' && this.#isEndDue))) return;
    this.#expectMoves(socket, isFlushing || this.#unflushedBytes > 0);
    if (this.#unflushedBytes > 0) return;
    if (this.#isEndDue) socket.end();
    if (isFlushing) onceSent(socket, () => this.#close('stream-reset'));
  }

  /**
   * The session has done with a stream once both ends were said, and watches it no more. Who does not take the rest is reset.
   * Where somebody else has set the socket's timeout already, that one holds.
   */
  #expectMoves(socket: PipeSocket, isOn: boolean): void {
    if (isOn === this.#areMovesExpected || (isOn && socket.timeout)) return;
    this.#areMovesExpected = isOn;
    socket.setTimeout(isOn ? HALF_CLOSED_IDLE_MS : 0, this.#onIdle);
  }

  readonly #onIdle = (): void => this.reset('stream-idle');

  #onData(socket: PipeSocket, chunk: Buffer): void {
    this.#traffic.sentBytes += chunk.length;
    if (this.#session.write(this.streamId, chunk) <= 0) {
      if (this.#session.isCrowded) stopReading(socket);
      else socket.pause();
    }
    this.#handlers.flushSoon();
    this.#observer?.sent(chunk);
  }

  #onEnd(socket: PipeSocket): void {
    const fate = this.#fate;
    const isUnwritable = fate.kind === 'unwritable';
    const isEnd = isUnwritable ? fate.hadEnded : readEnding(socket, (data) => this.#onData(socket, data)) === 'end';
    if (isEnd) {
      this.#observer?.sentEnded();
      this.#session.end(this.streamId, monotonicNow());
      this.#handlers.flushSoon();
    }
    if (!isEnd || isUnwritable) {
      this.#fail();
      socket.destroy();
    }
  }

  #onWriteFailed(socket: PipeSocket, error: NodeJS.ErrnoException): void {
    if (this.#fate.kind === 'joined' && !socket.readableEnded) {
      this.#fate = { kind: 'unwritable', hadEnded: cameResetAfterEnd(socket, error) };
      // Whatever it is that it does not come to its end.
      this.#expectMoves(socket, true);
      return;
    }
    this.#fail();
    socket.destroy();
  }

  #onError(socket: PipeSocket): void {
    // What was read while the session took no more is lost with the socket.
    for (let chunk = socket.read() as Buffer | null; chunk; chunk = socket.read() as Buffer | null) {
      this.#onData(socket, chunk);
    }
    this.#fail();
  }

  /** The socket's other end is gone: what it said goes to the peer, and a reset behind it. */
  #fail(): void {
    switch (this.#fate.kind) {
      case 'flushing':
        this.#fate = { kind: 'over', code: this.#fate.code };
        this.#session.reset(this.streamId, this.#fate.code);
        return;
      case 'over':
        return;
      default:
        this.#fate = { kind: 'over', code: 'stream-reset' };
        this.#session.fail(this.streamId, 'stream-reset', monotonicNow());
        this.#handlers.flushSoon();
    }
  }

  #onClose(socket: PipeSocket): void {
    // Closed before both directions had their end: the peer must not take it for one.
    if (!socket.readableEnded || !socket.writableFinished || this.#fate.kind === 'flushing') this.#fail();
    this.#handlers.onClosed(this.#fate.kind === 'over' ? this.#fate.code : undefined);
  }
}

/** Closes with RST, where the state of the socket allows it. */
function resetSocket(socket: PipeSocket, code: string): void {
  const isFinOnItsWay = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || isFinOnItsWay) socket.destroy();
  else socket.resetAndDestroy(code);
}
