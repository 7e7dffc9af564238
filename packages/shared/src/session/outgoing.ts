import { malformed } from '../wire/byte-reader.ts';
import { DATA_HEADER_BYTES, FRAME_HEADER_BYTES, MAX_PLAINTEXT_BYTES } from '../wire/constants.ts';
import { encodeFrame } from '../wire/encode.ts';
import type { NumberedFrame, OpenFrame } from '../wire/frame.ts';
import {
  ACKNOWLEDGEMENT_BYTES,
  CONTROL_QUEUE_LIMIT,
  LEAST_PIECE_BYTES,
  LOG_ENTRY_OVERHEAD_BYTES,
  LOG_LIMIT_BYTES,
  QUANTUM_BYTES,
  UNCONFIRMED_REPLAY_BYTES,
} from './constants.ts';
import { FairQueue } from './fair-queue.ts';
import type { Flight } from './flight.ts';
import { OutgoingLog, type LogEntry } from './outgoing-log.ts';
import type { RecordBuilder } from '../link/record-builder.ts';
import type { Stream } from './stream.ts';

type ControlEntry =
  | { readonly kind: 'control'; readonly frame: Uint8Array }
  | { readonly kind: 'open'; readonly stream: Stream; readonly frame: Uint8Array }
  | { readonly kind: 'reset'; readonly stream: Stream };

/** END: header and stream id. */
const END_BYTES = FRAME_HEADER_BYTES + 4;

/**
 * The sending half of a session: what is numbered, in which order, and what is resent on a new link. Frames are
 * numbered by their position, so a link only needs to know the number of its first one; gaps are filled with VOID.
 */
export class Outgoing {
  readonly #log = new OutgoingLog();
  readonly #control = new Set<ControlEntry>();
  /** By stream, the OPEN frames that wait among them. */
  readonly #opens = new Map<Stream, ControlEntry>();
  readonly #fair = new FairQueue();
  /** Number of the next numbered frame on the current link. Below `next` while the link is catching up. */
  #position = 1;
  #unconfirmedBytes = 0;
  /** Size of the record before its first numbered frame. */
  #startBytes = 0;

  /** Number of the last frame acknowledged by the peer. */
  get acknowledged(): number {
    return this.#log.acknowledged;
  }

  /** Number of the next new frame. */
  get next(): number {
    return this.#log.next;
  }

  /** A peer that keeps sending requests without taking the answers violates the protocol. */
  get hasRoomForAnswers(): boolean {
    return this.#control.size < CONTROL_QUEUE_LIMIT;
  }

  get logBytes(): number {
    return this.#log.bytes;
  }

  /**
   * On a new link everything unacknowledged is sent again. `next` is the number that the peer was told for the link's
   * first frame; some frames from there on may have been acknowledged since.
   */
  beginLink(next: number = this.#log.acknowledged + 1): number {
    this.#position = next;
    this.#unconfirmedBytes = 0;
    return next;
  }

  /** A numbered frame that is not stream data; goes out before data. */
  sendControl(frame: NumberedFrame): void {
    this.#control.add({ kind: 'control', frame: encodeFrame(frame) });
  }

  sendOpen(stream: Stream, frame: OpenFrame): void {
    const entry: ControlEntry = { kind: 'open', stream, frame: encodeFrame(frame) };
    this.#control.add(entry);
    this.#opens.set(stream, entry);
  }

  /** Withdraws the OPEN of a stream that is already over. False if it has been sent. */
  withdrawOpen(stream: Stream): boolean {
    const entry = this.#opens.get(stream);
    if (!entry) return false;
    this.#opens.delete(stream);
    this.#control.delete(entry);
    this.#fair.remove(stream);
    return true;
  }

  sendReset(stream: Stream): void {
    this.#control.add({ kind: 'reset', stream });
  }

  /** The stream has data that it may send, or an END or RESET after it. */
  activate(stream: Stream): void {
    this.#fair.activate(stream);
  }

  /** The peer has everything up to `number`. Throws `protocol-error` if that frame was never sent. */
  acknowledge(number: number, each: (entry: LogEntry) => void): void {
    if (number >= this.#log.next) throw malformed('an acknowledgement of a frame that was not sent');
    this.#log.acknowledge(number, each);
  }

  /**
   * Adds numbered frames to the record. Until the link is confirmed (a client does not know yet what the server has)
   * only a little is sent, and new data only while the link's `flight` has room. `onSent` is called for each stream
   * that moved.
   */
  addTo(
    record: RecordBuilder,
    recordBytes: number,
    { isConfirmed, flight }: { readonly isConfirmed: boolean; readonly flight: Pick<Flight, 'limitBytes' | 'full'> },
    onSent: (stream: Stream) => void,
  ): void {
    this.#startBytes = record.bytes;
    if (this.#replay(record, isConfirmed) && this.#sendControls(record, isConfirmed)) {
      this.#sendData(record, recordBytes, isConfirmed, flight, onSent);
    }
  }

  /** Drops data in the log that will never be resent because its stream was reset. */
  scrub(): void {
    this.#log.scrub(({ isReset }) => isReset);
  }

  #mayAdd(record: RecordBuilder, bytes: number, confirmed: boolean): boolean {
    if (!confirmed && this.#unconfirmedBytes + bytes > UNCONFIRMED_REPLAY_BYTES) return false;
    if (bytes <= record.room) return true;
    // Numbered frames cannot be split again: one that is larger than the link's records exceeds the limit, as the only
    // numbered frame of its record. Unnumbered frames in that record must not matter, or a link that always has credit
    // to send would never replay it.
    return record.bytes === this.#startBytes && record.bytes + bytes <= MAX_PLAINTEXT_BYTES - ACKNOWLEDGEMENT_BYTES;
  }

  /** Resends what the link has to catch up with. True once it has. */
  #replay(record: RecordBuilder, confirmed: boolean): boolean {
    while (this.#position < this.#log.next) {
      const withdrawn = this.#countWithdrawn();
      if (withdrawn > 0) {
        if (!this.#mayAdd(record, END_BYTES, confirmed)) return false;
        record.add({ type: 'void', count: withdrawn });
        this.#position += withdrawn;
        continue;
      }
      const entry = this.#log.at(this.#position);
      const bytes = entry.kind === 'data' ? entry.data.length + DATA_HEADER_BYTES : entry.frame.length;
      if (!this.#mayAdd(record, bytes, confirmed)) return false;
      this.#emit(record, entry);
    }
    return true;
  }

  /** How many frames from the position on need not be sent: the peer has them, or their stream has been reset since. */
  #countWithdrawn(): number {
    let number = Math.max(this.#position, this.#log.acknowledged + 1);
    while (number < this.#log.next) {
      const entry = this.#log.at(number);
      if (entry.kind !== 'data' && entry.kind !== 'end') break;
      if (!entry.stream.isReset) break;
      number += 1;
    }
    return number - this.#position;
  }

  #sendControls(record: RecordBuilder, confirmed: boolean): boolean {
    for (const first of this.#control) {
      const frame = first.kind === 'reset' ? resetFrame(first.stream) : first.frame;
      if (!this.#mayAdd(record, frame.length, confirmed) || this.#logRoom() < frame.length) return false;
      this.#control.delete(first);
      if (first.kind === 'open') this.#opens.delete(first.stream);
      if (first.kind === 'reset') first.stream.stepOutgoing('reset-sent');
      this.#append(record, first.kind === 'reset' ? { ...first, frame } : { kind: 'control', frame });
    }
    return true;
  }

  #sendData(
    record: RecordBuilder,
    recordBytes: number,
    confirmed: boolean,
    flight: Pick<Flight, 'limitBytes' | 'full'>,
    onSent: (stream: Stream) => void,
  ): void {
    const quantumBytes = Math.max(LEAST_PIECE_BYTES, Math.min(QUANTUM_BYTES, Math.floor(recordBytes / 3)));
    for (;;) {
      const stream = this.#fair.next(quantumBytes, hasWork);
      if (!stream) return;
      if (this.#log.bytes >= flight.limitBytes) {
        flight.full();
        return;
      }
      const room = this.#room(record, confirmed);
      // In large records each read from a socket stays whole, so that its memory can be freed at once when it is
      // acknowledged.
      const wholeBytes = quantumBytes === QUANTUM_BYTES ? Math.min(stream.nextChunkBytes, QUANTUM_BYTES) : 0;
      const wanted = Math.min(stream.sendableBytes, Math.max(stream.deficitBytes, wholeBytes));
      const bytes = Math.min(wanted, room - DATA_HEADER_BYTES);
      const isFirst = record.bytes === this.#startBytes;
      if (bytes < Math.min(wanted, isFirst ? LEAST_PIECE_BYTES : Math.max(LEAST_PIECE_BYTES, wholeBytes))) return;
      if (room < END_BYTES) return;
      if (wanted > 0) {
        const data = stream.dequeue(bytes);
        stream.deficitBytes -= data.length;
        this.#append(record, { kind: 'data', stream, data });
      }
      if (stream.isEndDue && this.#room(record, confirmed) >= END_BYTES) {
        stream.stepOutgoing('end-sent');
        this.#append(record, { kind: 'end', stream, frame: encodeFrame({ type: 'end', streamId: stream.id }) });
      }
      if (stream.isResetDue) {
        const frame = resetFrame(stream);
        if (this.#room(record, confirmed) < frame.length) return;
        stream.stepOutgoing('reset-sent');
        this.#append(record, { kind: 'reset', stream, frame });
      }
      onSent(stream);
    }
  }

  /** Bytes of new frames for which record, log and an unconfirmed link still have room. */
  #room(record: RecordBuilder, confirmed: boolean): number {
    const unconfirmedRoom = confirmed ? Infinity : UNCONFIRMED_REPLAY_BYTES - this.#unconfirmedBytes;
    return Math.min(record.room, this.#logRoom(), unconfirmedRoom);
  }

  #append(record: RecordBuilder, entry: LogEntry): void {
    this.#log.append(entry);
    if (entry.kind === 'data') entry.stream.loggedBytes += entry.data.length;
    this.#emit(record, entry);
  }

  #emit(record: RecordBuilder, entry: LogEntry): void {
    const before = record.bytes;
    if (entry.kind === 'data') record.addData(entry.stream.id, entry.data);
    else record.addEncoded(entry.frame);
    this.#position += 1;
    this.#unconfirmedBytes += record.bytes - before;
  }

  #logRoom(): number {
    return LOG_LIMIT_BYTES - this.#log.bytes - LOG_ENTRY_OVERHEAD_BYTES;
  }
}

function hasWork(stream: Stream): boolean {
  return stream.sendableBytes > 0 || stream.isEndDue || stream.isResetDue;
}

function resetFrame(stream: Stream): Uint8Array {
  return encodeFrame({ type: 'reset', streamId: stream.id, code: stream.resetCode });
}
