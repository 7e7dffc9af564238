import { ByteReader, malformed } from './byte-reader.ts';
import { FRAME_HEADER_BYTES, RESUME_TOKEN_BYTES, SESSION_ID_BYTES, VISITOR_RULE_LIMIT } from './constants.ts';
import { isPublicHost } from './public-host.ts';
import {
  FRAME_TYPE,
  IGNORABLE_TYPES,
  RULE_KIND,
  type Frame,
  type HeartbeatFrame,
  type OpenFrame,
  type TunnelGrantedFrame,
  type TunnelRequestFrame,
  type VisitorRule,
} from './frame.ts';

/**
 * Data that is a smaller part of its record than this is copied: a view keeps the whole record in memory for as long as a slow
 * reader leaves it lying there, and a record can be 256 KiB around one byte.
 */
const VIEW_FROM_FRACTION = 1 / 8;

/**
 * Reads the frames of one record's plaintext, one at a time. Bytes of DATA frames are views into the record, or copies where
 * they are a small part of it.
 *
 * Throws `TunnelError` with code `protocol-error`, and nothing else, whatever the input.
 */
export class FrameReader {
  readonly #record: Uint8Array;
  #offset = 0;
  #type: number | undefined;

  constructor(record: Uint8Array) {
    this.#record = record;
  }

  /** Type of the frame that `next` read last, or threw at; undefined where not even a whole frame was there. */
  get type(): number | undefined {
    return this.#type;
  }

  /** The next frame, or undefined at the end of the record. Unknown frames that may be ignored are passed over. */
  next(): Frame | undefined {
    const record = this.#record;
    while (this.#offset < record.length) {
      this.#type = undefined;
      const start = this.#offset + FRAME_HEADER_BYTES;
      if (start > record.length) throw malformed('a frame header is cut off');
      const type = record[start - 4]!;
      const length = (record[start - 3]! << 16) | (record[start - 2]! << 8) | record[start - 1]!;
      const end = start + length;
      if (end > record.length) throw malformed('a frame ends beyond its record');
      this.#offset = end;
      this.#type = type;
      if (type === FRAME_TYPE.data) return decodeData(record, start, end);
      const payload = new ByteReader(record, start, end);
      const frame = decodePayload(type, payload);
      if (payload.remaining > 0 && frame) throw malformed(`a ${frame.type} frame is too long`);
      if (frame) return frame;
    }
    return undefined;
  }
}

/** All frames of one record's plaintext. */
export function decodeFrames(record: Uint8Array): Frame[] {
  const reader = new FrameReader(record);
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
}

function decodeData(record: Uint8Array, start: number, end: number): Frame {
  if (end - start < 5) throw malformed('a data frame without data');
  const b = record;
  const streamId = ((b[start]! << 24) | (b[start + 1]! << 16) | (b[start + 2]! << 8) | b[start + 3]!) >>> 0;
  const view = record.subarray(start + 4, end);
  // Not `slice`: of a Node Buffer that is a view again.
  return {
    type: 'data',
    streamId,
    data: view.length < record.length * VIEW_FROM_FRACTION ? new Uint8Array(view) : view,
  };
}

function decodePayload(type: number, p: ByteReader): Frame | undefined {
  switch (type) {
    case FRAME_TYPE.accepted:
      return {
        type: 'accepted',
        sessionId: new Uint8Array(p.bytes(SESSION_ID_BYTES)),
        token: new Uint8Array(p.bytes(RESUME_TOKEN_BYTES)),
        received: p.u64(),
        next: p.u64(),
        resumeWindowMs: p.u32(),
        heartbeatIntervalMs: p.u32(),
        heartbeatTimeoutMs: p.u32(),
        agent: p.text(p.u8()),
      };
    case FRAME_TYPE.refused:
      return { type: 'refused', code: p.text(p.u8()), retryAfterMs: p.u32(), detail: p.text(p.u16()) };
    case FRAME_TYPE.acknowledgement:
      return { type: 'acknowledgement', number: p.u64() };
    case FRAME_TYPE.credit:
      return { type: 'credit', streamId: p.u32(), offset: p.u64() };
    case FRAME_TYPE.heartbeat:
      return decodeHeartbeat(p);
    case FRAME_TYPE.goodbye:
      return { type: 'goodbye', code: p.text(p.u8()) };
    case FRAME_TYPE.drain:
      return { type: 'drain', retryAfterMs: p.u32(), spreadMs: p.u32(), graceMs: p.u32() };
    case FRAME_TYPE.visitorsRefused:
      return { type: 'visitors-refused', tunnelId: p.u32(), denied: p.u64(), overLimit: p.u64() };
    case FRAME_TYPE.open:
      return decodeOpen(p);
    case FRAME_TYPE.end:
      return { type: 'end', streamId: p.u32() };
    case FRAME_TYPE.reset:
      return { type: 'reset', streamId: p.u32(), code: p.text(p.u8()) };
    case FRAME_TYPE.void: {
      const count = p.u32();
      if (count === 0) throw malformed('a void frame that stands for nothing');
      return { type: 'void', count };
    }
    case FRAME_TYPE.tunnelRequest:
      return decodeTunnelRequest(p);
    case FRAME_TYPE.tunnelGranted:
      return decodeGrant(p);
    case FRAME_TYPE.tunnelRefused:
      return { type: 'tunnel-refused', tunnelId: p.u32(), code: p.text(p.u8()), detail: p.text(p.u16()) };
    case FRAME_TYPE.tunnelClose:
      return { type: 'tunnel-close', tunnelId: p.u32(), code: p.text(p.u8()) };
    default:
      if (type >= IGNORABLE_TYPES.first && type <= IGNORABLE_TYPES.last) return undefined;
      throw malformed(`a frame of unknown type 0x${type.toString(16).padStart(2, '0')}`);
  }
}

function decodeGrant(p: ByteReader): TunnelGrantedFrame {
  const frame: TunnelGrantedFrame = {
    type: 'tunnel-granted',
    tunnelId: p.u32(),
    port: p.u16(),
    host: p.text(p.u8()),
  };
  // It becomes part of a URL that people click on and scripts use.
  if (frame.host !== '' && !isPublicHost(frame.host))
    throw malformed('a granted host that is neither name nor address');
  return frame;
}

function decodeOpen(p: ByteReader): OpenFrame {
  const frame: OpenFrame = {
    type: 'open',
    streamId: p.u32(),
    tunnelId: p.u32(),
    port: p.u16(),
    address: p.text(p.u8()),
  };
  return p.remaining === 0 ? frame : { ...frame, destination: p.text(p.u8()) };
}

function decodeTunnelRequest(p: ByteReader): TunnelRequestFrame {
  const frame: TunnelRequestFrame = {
    type: 'tunnel-request',
    tunnelId: p.u32(),
    port: p.u16(),
    name: p.text(p.u8()),
  };
  if (p.remaining === 0) return frame;
  const rules: VisitorRule[] = [];
  while (p.remaining > 0) {
    if (rules.length === VISITOR_RULE_LIMIT) throw malformed('too many rules for visitors');
    rules.push(decodeRule(p));
  }
  return { ...frame, rules };
}

function decodeRule(p: ByteReader): VisitorRule {
  const kind = p.u8();
  const bytes = p.u8();
  switch (kind) {
    case RULE_KIND.allow:
      return { rule: 'allow', network: p.text(bytes) };
    case RULE_KIND.deny:
      return { rule: 'deny', network: p.text(bytes) };
    case RULE_KIND.maxConnections: {
      if (bytes !== 4) throw malformed('a limit of visitors that is not 4 bytes');
      const limit = p.u32();
      if (limit === 0) throw malformed('a limit of no visitors');
      return { rule: 'max-connections', limit };
    }
    default:
      return { rule: 'unknown', kind, value: new Uint8Array(p.bytes(bytes)) };
  }
}

const ANSWER_NOW = 1;
const HAS_ECHO = 2;

function decodeHeartbeat(p: ByteReader): HeartbeatFrame {
  const flags = p.u8();
  const timestamp = p.u32();
  const echoed = p.u32();
  const heldMs = p.u32();
  return {
    type: 'heartbeat',
    answerNow: (flags & ANSWER_NOW) !== 0,
    timestamp,
    echo: (flags & HAS_ECHO) === 0 ? undefined : { timestamp: echoed, heldMs },
    nextWithinMs: p.u32(),
  };
}
