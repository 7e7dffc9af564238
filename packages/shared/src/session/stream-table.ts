import { malformed } from '../wire/byte-reader.ts';
import { STREAM_LIMIT } from '../wire/constants.ts';
import type { Waiting } from './memory/heaviest.ts';
import type { ReceiveWindow } from './memory/receive-window.ts';
import type { Stream } from './stream.ts';

const MAX_U32 = 0xffff_ffff;

/** The streams of a session, and which ids have been used: each id only once. */
export class StreamTable {
  readonly #role: 'client' | 'server';
  readonly #streams = new Map<number, Stream>();
  /** Windows of streams that are over while the local side still holds some of their data. */
  readonly #heldWindows = new Map<number, ReceiveWindow>();
  /** Server-opened streams have odd ids, client-opened ones (none yet) even ids. */
  #nextOwnId: number;
  #highestPeerId = 0;

  constructor(role: 'client' | 'server') {
    this.#role = role;
    this.#nextOwnId = role === 'server' ? 1 : 2;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** The id of this side's next stream; undefined at the limit of streams. */
  get nextOwnId(): number | undefined {
    const taken = this.#streams.size + this.#heldWindows.size;
    return taken >= STREAM_LIMIT || this.#nextOwnId > MAX_U32 ? undefined : this.#nextOwnId;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  values(): Iterable<Stream> {
    return this.#streams.values();
  }

  /** Throws `protocol-error` if the peer names a stream that is not open. */
  require(id: number): Stream {
    const stream = this.#streams.get(id);
    if (!stream) throw malformed(`a frame for stream ${id}, which is not open`);
    return stream;
  }

  /**
   * A frame for a stream that is over may still be in flight; one for a stream that never existed violates the
   * protocol.
   */
  requireKnown(id: number): void {
    const wasOpened = id > 0 && (this.#isOwn(id) ? id < this.#nextOwnId : id <= this.#highestPeerId);
    if (!wasOpened) throw malformed(`a frame for stream ${id}, which was never opened`);
  }

  /** Throws `protocol-error` if the peer may not open a stream with this id. */
  requireNew(id: number): void {
    if (id === 0 || this.#isOwn(id)) throw malformed('a stream id of the other side');
    if (id <= this.#highestPeerId) throw malformed('a stream id that was used before');
    // The peer may not know yet that slots are taken here.
    if (this.#streams.size >= 2 * STREAM_LIMIT) throw malformed('too many streams');
  }

  add(stream: Stream): void {
    this.#streams.set(stream.id, stream);
    if (this.#isOwn(stream.id)) this.#nextOwnId = stream.id + 2;
    else this.#highestPeerId = stream.id;
  }

  /** The stream is over; what the local side still holds of it continues to count. */
  remove(stream: Stream): void {
    this.#streams.delete(stream.id);
    if (stream.window.isHeld) this.#heldWindows.set(stream.id, stream.window);
  }

  /** The window of a stream, even if that is over, as long as some of its data is held. */
  windowOf(id: number): ReceiveWindow | undefined {
    return this.#streams.get(id)?.window ?? this.#heldWindows.get(id);
  }

  /** Nothing of this stream, which may be over, is held any more. */
  forgetWindow(id: number): void {
    this.#heldWindows.delete(id);
  }

  /** What each of them holds, except what is already withdrawn. */
  *waiting(now: number): Iterable<Waiting> {
    for (const { id, window, isReset, queuedBytes, loggedBytes, sentAt } of this.#streams.values()) {
      if (isReset) continue;
      const unsentBytes = queuedBytes + loggedBytes;
      yield { id, heldBytes: window.heldBytes, heldSince: window.movedAt, unsentBytes, unsentSince: sentAt };
    }
    for (const [id, { heldBytes, movedAt }] of this.#heldWindows) {
      yield { id, heldBytes, heldSince: movedAt, unsentBytes: 0, unsentSince: now };
    }
  }

  /** Returns the memory of all of them to the budget. */
  dispose(): void {
    for (const stream of this.#streams.values()) {
      stream.window.release();
      stream.dropQueue();
    }
    for (const window of this.#heldWindows.values()) window.release();
    this.#streams.clear();
    this.#heldWindows.clear();
  }

  #isOwn(id: number): boolean {
    return (id % 2 === 1) === (this.#role === 'server');
  }
}
