import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HALF_CLOSED_IDLE_MS } from '../session/constants.ts';
import type { Session } from '../session/session.ts';
import { monotonicNow } from './clock.ts';
import { Gathering, isSmall } from './gathering.ts';
import type { SharedMemory } from './memory.ts';
import { startReading, stopReading } from './reading.ts';

/** Bytes of streams that one session carried, without what the protocol adds. */
export interface Traffic {
  /** From the peer. */
  receivedBytes: number;
  /** To the peer, as the sockets gave them. */
  sentBytes: number;
}

/**
 * What a stream is joined to: a TCP socket, or what behaves as one. The pipe takes over what it reads from it, memory and all;
 * what it writes is valid until the write's callback.
 */
export type PipeSocket = Duplex &
  Pick<Socket, 'connecting' | 'timeout'> & {
    resetAndDestroy(): unknown;
    /** Emits `timeout` when nothing moved for so long, also in a write that is under way. */
    setTimeout(timeoutMs: number, onTimeout?: () => void): unknown;
  };

export interface StreamPipeHandlers {
  /** The session may have something to send. */
  flushSoon(): void;
  /** The socket is closed; `resetCode` says why the stream was reset, undefined for a clean end. */
  onClosed(resetCode: string | undefined): void;
}

/**
 * Joins one stream of a session to one socket: bytes, half-closes and resets, both ways. What arrives before there is
 * a socket waits; it is never more than the stream's first credit.
 */
export class StreamPipe {
  readonly streamId: number;
  readonly #session: Session;
  readonly #handlers: StreamPipeHandlers;
  readonly #traffic: Traffic;
  readonly #records: SharedMemory;
  #socket: PipeSocket | undefined;
  /** What came before there was a socket. */
  #waiting: Uint8Array[] = [];
  /** Small pieces behind what waits. Where there is a socket, they wait for what it was given before. */
  #gathering: Gathering | undefined;
  #wasIdleAtCork = false;
  /** Bytes that the socket did not pass to the kernel yet. */
  #unflushedBytes = 0;
  #isEndDue = false;
  #areMovesExpected = false;
  #resetCode: string | undefined;
  #cancelConnecting: (() => void) | undefined;

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

  /** A socket is being made; `cancel` is called where the stream is reset before it is there. */
  expectSocket(cancel: () => void): void {
    this.#cancelConnecting = cancel;
  }

  /** The socket must have been made with `allowHalfOpen`. It belongs to the pipe from here on. */
  attach(socket: PipeSocket): void {
    this.#socket = socket;
    this.#cancelConnecting = undefined;
    socket.on('data', (chunk: Buffer) => {
      this.#traffic.sentBytes += chunk.length;
      if (this.#session.write(this.streamId, chunk) <= 0) {
        if (this.#session.isCrowded) stopReading(socket);
        else socket.pause();
      }
      this.#handlers.flushSoon();
    });
    socket.on('end', () => {
      this.#session.end(this.streamId, monotonicNow());
      this.#handlers.flushSoon();
    });
    socket.on('error', () => this.#resetStream('stream-reset'));
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
    const isWaiting = !this.#socket || this.#unflushedBytes > 0;
    if (isWaiting && isSmall(data)) {
      this.#gather(data);
    } else {
      this.#passGathered();
      this.#pass(isWaiting && !isAlone ? new Uint8Array(data) : data);
    }
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

  /** The stream is over: the socket's other end gets a reset too, never a clean end, since data may be missing. */
  resetByPeer(code: string): void {
    if (this.#resetCode !== undefined) return;
    this.#resetCode = code;
    this.#waiting = [];
    if (this.#socket) {
      // What came just before may still get there.
      this.uncork();
      this.#gathering = undefined;
      resetSocket(this.#socket);
      return;
    }
    this.#gathering = undefined;
    this.#cancelConnecting?.();
    this.#handlers.onClosed(code);
  }

  /** Ends the stream from this side, before or instead of a socket. */
  reset(code: string): void {
    this.#session.reset(this.streamId, code);
    this.#handlers.flushSoon();
    this.resetByPeer(code);
  }

  /** The stream can take more again. */
  resume(): void {
    if (this.#socket) startReading(this.#socket);
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
      if (this.#unflushedBytes === 0) this.#passGathered();
      this.#endIfDue();
      this.#session.consumed(this.streamId, length, monotonicNow());
      this.#handlers.flushSoon();
    });
  }

  /** Only once everything is flushed: libuv cannot reset a connection whose FIN waits behind data. */
  #endIfDue(): void {
    const socket = this.#socket;
    if (!socket || !this.#isEndDue) return;
    if (this.#unflushedBytes === 0) {
      this.#expectMoves(socket, false);
      socket.end();
    } else {
      this.#expectMoves(socket, true);
    }
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

  #resetStream(code: string): void {
    if (this.#resetCode !== undefined) return;
    this.#resetCode = code;
    this.#session.reset(this.streamId, code);
    this.#handlers.flushSoon();
  }

  #onClose(socket: PipeSocket): void {
    // Closed before both directions had their end: the peer must not take it for one.
    if (!socket.readableEnded || !socket.writableFinished) this.#resetStream('stream-reset');
    this.#handlers.onClosed(this.#resetCode);
  }
}

/** Closes with RST, where the state of the socket allows it. */
function resetSocket(socket: PipeSocket): void {
  const isFinOnItsWay = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || isFinOnItsWay) socket.destroy();
  else socket.resetAndDestroy();
}
