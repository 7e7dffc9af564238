import { ByteReader, malformed } from './byte-reader.ts';
import { type Attribute, decodeAddresses } from './attributes.ts';
import {
  ATTRIBUTE_LIMIT,
  FRAME_HEADER_BYTES,
  PUBLIC_ADDRESS_BYTES,
  PUBLIC_ADDRESS_LIMIT,
  RESUME_TOKEN_BYTES,
  SESSION_ID_BYTES,
  TERM_LIMIT,
} from './constants.ts';
import { parsePublicAddress } from './public-address.ts';
import {
  FRAME_TYPE,
  IGNORABLE_TYPES,
  type Frame,
  type HeartbeatFrame,
  type OpenFrame,
  type TunnelGrantedFrame,
  type TunnelRequestFrame,
} from './frame.ts';
import { AUTH_DIGEST_BYTES, AUTH_SALT_BYTES, REWRITES_ORIGIN, TERM_TYPE, type Term, UPSTREAMS } from './term.ts';

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
    case FRAME_TYPE.tunnelAddresses:
      return { type: 'tunnel-addresses', tunnelId: p.u32(), addresses: decodePublicAddresses(p) };
    default:
      if (type >= IGNORABLE_TYPES.first && type <= IGNORABLE_TYPES.last) return undefined;
      throw malformed(`a frame of unknown type 0x${type.toString(16).padStart(2, '0')}`);
  }
}

function decodeGrant(p: ByteReader): TunnelGrantedFrame {
  const tunnelId = p.u32();
  const name = p.text(p.u8());
  return { type: 'tunnel-granted', tunnelId, name, addresses: decodePublicAddresses(p) };
}

function decodePublicAddresses(p: ByteReader): readonly string[] {
  const count = p.u8();
  if (count < 1 || count > PUBLIC_ADDRESS_LIMIT) throw malformed(`a grant of ${count} addresses`);
  return Array.from({ length: count }, () => decodeAddress(p));
}

function decodeAddress(p: ByteReader): string {
  const length = p.u16();
  if (length > PUBLIC_ADDRESS_BYTES) throw malformed('a public address that is too long');
  const address = p.text(length);
  if (!parsePublicAddress(address)) throw malformed('a grant of what is not a public address');
  return address;
}

function decodeOpen(p: ByteReader): OpenFrame {
  const frame = { streamId: p.u32(), tunnelId: p.u32(), creditBytes: p.u32(), takenBytes: p.u32() };
  const attributes: Attribute[] = [];
  while (p.remaining > 0) {
    if (attributes.length === ATTRIBUTE_LIMIT) throw malformed('too many attributes');
    const type = p.u8();
    attributes.push({ type, value: new Uint8Array(p.bytes(p.u16())) });
  }
  // Whoever reads them later has nobody to complain to.
  decodeAddresses(attributes);
  return { type: 'open', ...frame, attributes };
}

function decodeTunnelRequest(p: ByteReader): TunnelRequestFrame {
  const frame = { tunnelId: p.u32(), kind: p.u8(), name: p.text(p.u8()), label: p.text(p.u8()) };
  const terms: Term[] = [];
  while (p.remaining > 0) {
    if (terms.length === TERM_LIMIT) throw malformed('too many terms');
    terms.push(decodeTerm(p));
  }
  return { type: 'tunnel-request', ...frame, terms };
}

function decodeTerm(p: ByteReader): Term {
  const type = p.u8();
  const bytes = p.u16();
  switch (type) {
    case TERM_TYPE.allow:
      return { term: 'allow', network: p.text(bytes) };
    case TERM_TYPE.deny:
      return { term: 'deny', network: p.text(bytes) };
    case TERM_TYPE.maxConnections: {
      if (bytes !== 4) throw malformed('a limit of visitors that is not 4 bytes');
      const limit = p.u32();
      if (limit === 0) throw malformed('a limit of no visitors');
      return { term: 'max-connections', limit };
    }
    case TERM_TYPE.basicAuth: {
      if (bytes !== AUTH_SALT_BYTES + AUTH_DIGEST_BYTES) throw malformed('credentials of the wrong length');
      const salt = new Uint8Array(p.bytes(AUTH_SALT_BYTES));
      return { term: 'basic-auth', salt, digest: new Uint8Array(p.bytes(AUTH_DIGEST_BYTES)) };
    }
    case TERM_TYPE.hostHeader: {
      if (bytes === 0) throw malformed('a host header without flags');
      const flags = p.u8();
      return { term: 'host-header', rewritesOrigin: (flags & REWRITES_ORIGIN) !== 0, host: p.text(bytes - 1) };
    }
    case TERM_TYPE.setHeader:
      return { term: 'set-header', ...decodeHeader(p, bytes) };
    case TERM_TYPE.removeHeader:
      return { term: 'remove-header', name: p.text(bytes) };
    case TERM_TYPE.setResponseHeader:
      return { term: 'set-response-header', ...decodeHeader(p, bytes) };
    case TERM_TYPE.upstream: {
      if (bytes !== 1) throw malformed('an upstream that is not one byte');
      const number = p.u8();
      const speaks = UPSTREAMS[number];
      return speaks === undefined
        ? { term: 'unknown', type, value: Uint8Array.of(number) }
        : { term: 'upstream', speaks };
    }
    default:
      return { term: 'unknown', type, value: new Uint8Array(p.bytes(bytes)) };
  }
}

function decodeHeader(p: ByteReader, bytes: number): { name: string; value: string } {
  if (bytes === 0) throw malformed('a header without a name');
  const nameBytes = p.u8();
  if (1 + nameBytes > bytes) throw malformed('a header name that is longer than its term');
  return { name: p.text(nameBytes), value: p.text(bytes - 1 - nameBytes) };
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
