import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { TunnelError } from '../errors/errors.ts';
import type { Transport } from '../handshake/transport.ts';
import { MAX_RECORD_BYTES } from '../wire/constants.ts';
import { RecordOpener, RecordSealer } from '../crypto/crypto.ts';
import { surviveFailedWrites } from './failed-writes.ts';
import { freeMemory, LEAST_FREED_BYTES } from './memory.ts';
import { readEnding } from './socket-ending.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { webSocketHeader } from './web-socket-header.ts';

/** A link that was told to close is destroyed after this, whether the peer answered or not, in ms. */
const CLOSE_GRACE_MS = 1_000;

/** What is read until a message ends is a record and what came with it. */
const CHUNKS_LIMIT_BYTES = MAX_RECORD_BYTES + 128 * 1024;

/** Smaller records are put together: that is cheaper than to tell the kernel of several pieces. */
const COPY_BELOW_BYTES = 8 * 1024;

export interface RecordLinkHandlers {
  onRecord(plaintext: Uint8Array): void;
  /** Everything queued went to the kernel. */
  onDrain(): void;
  /** Told once; not for one's own `destroy`. */
  onEnd(error: TunnelError): void;
}

/**
 * A WebSocket whose handshake is done: encrypted records go out and come in.
 *
 * Records are written to the socket by themselves, in the pieces that the cipher gave, because `ws` sends nothing but one
 * buffer: putting them together would cost a tenth of all time. It stays in charge of everything else.
 */
export class RecordLink {
  readonly #role: 'client' | 'server';
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  readonly #readRefusal: ((message: Uint8Array) => TunnelError | undefined) | undefined;
  #handlers: RecordLinkHandlers | undefined;
  /** What was read since the message before the present one ended, to be freed with it. */
  #chunks: Buffer[] = [];
  #chunksBytes = 0;
  #isChunkInUse = false;
  /** Why the connection is at its end, where the socket itself does not say so. */
  #failure: NodeJS.ErrnoException | undefined;
  #patience: NodeJS.Timeout | undefined;

  /** `readRefusal` is asked about a first message that is no record: a client may have been refused. */
  constructor(
    webSocket: WebSocket,
    socket: Socket,
    transport: Transport,
    role: 'client' | 'server',
    readRefusal?: (message: Uint8Array) => TunnelError | undefined,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#role = role;
    this.#sealer = new RecordSealer(transport.sendKey);
    this.#opener = new RecordOpener(transport.receiveKey);
    this.#readRefusal = readRefusal;
  }

  /** Records flow from here on; a paused WebSocket is resumed. */
  start(handlers: RecordLinkHandlers): void {
    this.#handlers = handlers;
    this.#webSocket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    this.#webSocket.on('error', (error) => this.#onError(error));
    this.#webSocket.on('close', (code, reason) => this.#onClose(code, reason));
    this.#webSocket.on('ping', () => (this.#isChunkInUse = true));
    this.#socket.on('drain', this.#onDrain);
    this.#socket.on('data', this.#onChunk);
    this.#socket.on('end', this.#onEnd);
    // What the peer said before it left may be a refusal or a good-bye.
    surviveFailedWrites(this.#socket, (error) => this.#onWriteFailed(error));
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.resume();
    else setImmediate(() => this.#end(new TunnelError('link-reset', { detail: 'it ended without a word' })));
  }

  /** Bytes that wait in this process for the socket. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes that went through the socket since it was opened. */
  get drainedBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Records so far in the direction that had more. */
  get recordCount(): number {
    return Math.max(this.#sealer.count, this.#opener.count);
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** Seals one record's plaintext and sends it. */
  send(parts: readonly Uint8Array[]): void {
    const socket = this.#socket;
    // Behind a close frame nothing may follow.
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    const pieces = this.#sealer.seal(parts);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const header = webSocketHeader(bytes, this.#role === 'client');
    if (bytes < COPY_BELOW_BYTES) {
      socket.write(Buffer.concat([header, ...pieces]));
      return;
    }
    socket.cork();
    socket.write(header);
    for (const piece of pieces) socket.write(piece, () => freeMemory(piece));
    socket.uncork();
  }

  /** Ends the link politely: what was sent still goes out. No handler is called any more. */
  close(code: number, reason: string): void {
    this.#handlers = undefined;
    this.#stopListening();
    const timer = setTimeout(() => this.#webSocket.terminate(), CLOSE_GRACE_MS);
    this.#webSocket.once('close', () => clearTimeout(timer));
    this.#webSocket.resume();
    this.#webSocket.close(code, reason);
  }

  /** Ends the link at once. No handler is called any more. */
  destroy(): void {
    this.#handlers = undefined;
    this.#stopListening();
    this.#webSocket.terminate();
  }

  #stopListening(): void {
    clearTimeout(this.#patience);
    this.#socket.off('drain', this.#onDrain);
    this.#socket.off('data', this.#onChunk);
    this.#socket.off('end', this.#onEnd);
  }

  readonly #onDrain = (): void => this.#handlers?.onDrain();

  /** Only to tell of it as what it was: `ws` takes no more bytes, and a resume brings them again. */
  readonly #onEnd = (): void => {
    if (readEnding(this.#socket, () => {}) === 'reset') this.#failure ??= connectionReset();
  };

  /** The socket comes to its end soon, once everything is read. */
  #onWriteFailed(error: NodeJS.ErrnoException): void {
    this.#failure = error;
    if (this.#handlers) this.#patience = setTimeout(() => this.#onError(error), CLOSE_GRACE_MS).unref();
  }

  /** Behind the listener of `ws`, which is done with a chunk when this is called, but for what goes on in the next one. */
  readonly #onChunk = (chunk: Buffer): void => {
    // The answer to a ping is a view of it.
    const isInUse = this.#isChunkInUse;
    this.#isChunkInUse = false;
    // Behind a close frame comes no message with which it would be let go.
    if (isInUse || chunk.length < LEAST_FREED_BYTES || this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    // What is no record, such as pongs, is left to the garbage collector.
    if (this.#chunksBytes + chunk.length > CHUNKS_LIMIT_BYTES) this.#forgetChunks();
    this.#chunks.push(chunk);
    this.#chunksBytes += chunk.length;
  };

  #forgetChunks(): void {
    this.#chunks = [];
    this.#chunksBytes = 0;
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.#handlers) return;
    if (!isBinary) {
      this.#end(new TunnelError('protocol-error', { detail: 'a text message' }));
      return;
    }
    const isFirst = this.#opener.count === 0;
    const plaintext = this.#opener.open(data);
    if (!plaintext) {
      this.#end((isFirst && this.#readRefusal?.(data)) || new TunnelError('record-unreadable'));
      return;
    }
    // The message ended in a later chunk than these. Where `ws` did not put it together, it lies in one of them.
    freeMemory(data);
    for (const chunk of this.#chunks) freeMemory(chunk);
    this.#forgetChunks();
    this.#handlers.onRecord(plaintext);
  }

  #onError(error: NodeJS.ErrnoException): void {
    const isProtocol = error.code?.startsWith('WS_ERR') === true;
    const code = isProtocol ? 'protocol-error' : 'link-reset';
    this.#end(new TunnelError(code, { detail: describe(error), cause: error }));
  }

  #onClose(code: number, reason: Buffer): void {
    if (code !== 1006) {
      this.#end(new TunnelError('link-closed', { detail: `WebSocket code ${code} ${reason.toString()}`.trim() }));
      return;
    }
    // The connection ended without a word.
    const cause = this.#failure ?? this.#socket.errored ?? undefined;
    const detail = this.#failure ? describe(this.#failure) : 'it ended without a word';
    this.#end(new TunnelError('link-reset', { detail, cause }));
  }

  #end(error: TunnelError): void {
    const handlers = this.#handlers;
    this.destroy();
    handlers?.onEnd(error);
  }
}

function connectionReset(): NodeJS.ErrnoException {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

/** In words, with the code behind it; what has no code is in words already. */
function describe(error: NodeJS.ErrnoException): string {
  if (error.code === undefined) return error.message;
  const words = error.code.startsWith('WS_ERR') ? error.message : describeSystemError(error);
  return `${words} (${error.code})`;
}
