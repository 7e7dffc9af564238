import { FRAME_HEADER_BYTES, PUBLIC_ADDRESS_BYTES } from './constants.ts';
import { FRAME_TYPE, type DataFrame, type Frame } from './frame.ts';
import { REWRITES_ORIGIN, TERM_TYPE, type Term, UPSTREAMS } from './term.ts';

const utf8 = new TextEncoder();

/** The largest text that a field with a length of one byte holds. */
const MAX_SHORT_TEXT_BYTES = 255;
/** Details are for people; longer ones are cut. */
const MAX_DETAIL_BYTES = 512;

/** One frame as bytes. Texts that are too long for their field are cut at a character. */
export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.type === 'data') {
    const bytes = new Uint8Array(FRAME_HEADER_BYTES + 4 + frame.data.length);
    writeDataHeader(bytes, 0, frame.streamId, frame.data.length);
    bytes.set(frame.data, FRAME_HEADER_BYTES + 4);
    return bytes;
  }
  return encodeControl(frame);
}

/** Writes type, length and stream id of a DATA frame at `offset`; its data follows them. */
export function writeDataHeader(target: Uint8Array, offset: number, streamId: number, dataBytes: number): void {
  const length = dataBytes + 4;
  target[offset] = FRAME_TYPE.data;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
  target[offset + 4] = streamId >>> 24;
  target[offset + 5] = streamId >>> 16;
  target[offset + 6] = streamId >>> 8;
  target[offset + 7] = streamId;
}

function encodeControl(frame: Exclude<Frame, DataFrame>): Uint8Array {
  switch (frame.type) {
    case 'accepted':
      return new Payload(FRAME_TYPE.accepted)
        .bytes(frame.sessionId)
        .bytes(frame.token)
        .u64(frame.received)
        .u64(frame.next)
        .u32(frame.resumeWindowMs)
        .u32(frame.heartbeatIntervalMs)
        .u32(frame.heartbeatTimeoutMs)
        .shortText(frame.agent)
        .frame();
    case 'refused':
      return new Payload(FRAME_TYPE.refused)
        .shortText(frame.code)
        .u32(frame.retryAfterMs)
        .longText(frame.detail, MAX_DETAIL_BYTES)
        .frame();
    case 'acknowledgement':
      return new Payload(FRAME_TYPE.acknowledgement).u64(frame.number).frame();
    case 'credit':
      return new Payload(FRAME_TYPE.credit).u32(frame.streamId).u64(frame.offset).frame();
    case 'heartbeat':
      return new Payload(FRAME_TYPE.heartbeat)
        .u8((frame.answerNow ? 1 : 0) | (frame.echo ? 2 : 0))
        .u32(frame.timestamp)
        .u32(frame.echo?.timestamp ?? 0)
        .u32(frame.echo?.heldMs ?? 0)
        .u32(frame.nextWithinMs)
        .frame();
    case 'goodbye':
      return new Payload(FRAME_TYPE.goodbye).shortText(frame.code).frame();
    case 'drain':
      return new Payload(FRAME_TYPE.drain).u32(frame.retryAfterMs).u32(frame.spreadMs).u32(frame.graceMs).frame();
    case 'visitors-refused':
      return new Payload(FRAME_TYPE.visitorsRefused).u32(frame.tunnelId).u64(frame.denied).u64(frame.overLimit).frame();
    case 'open': {
      const payload = new Payload(FRAME_TYPE.open)
        .u32(frame.streamId)
        .u32(frame.tunnelId)
        .u32(frame.creditBytes)
        .u32(frame.takenBytes);
      for (const { type, value } of frame.attributes) payload.u8(type).u16(value.length).bytes(value);
      return payload.frame();
    }
    case 'end':
      return new Payload(FRAME_TYPE.end).u32(frame.streamId).frame();
    case 'reset':
      return new Payload(FRAME_TYPE.reset).u32(frame.streamId).shortText(frame.code).frame();
    case 'void':
      return new Payload(FRAME_TYPE.void).u32(frame.count).frame();
    case 'tunnel-request': {
      const payload = new Payload(FRAME_TYPE.tunnelRequest)
        .u32(frame.tunnelId)
        .u8(frame.kind)
        .shortText(frame.name)
        .shortText(frame.label);
      for (const term of frame.terms) addTerm(payload, term);
      return payload.frame();
    }
    case 'tunnel-granted': {
      const payload = new Payload(FRAME_TYPE.tunnelGranted).u32(frame.tunnelId).shortText(frame.name);
      addAddresses(payload, frame.addresses);
      return payload.frame();
    }
    case 'tunnel-addresses': {
      const payload = new Payload(FRAME_TYPE.tunnelAddresses).u32(frame.tunnelId);
      addAddresses(payload, frame.addresses);
      return payload.frame();
    }
    case 'tunnel-refused':
      return new Payload(FRAME_TYPE.tunnelRefused)
        .u32(frame.tunnelId)
        .shortText(frame.code)
        .longText(frame.detail, MAX_DETAIL_BYTES)
        .frame();
    case 'tunnel-close':
      return new Payload(FRAME_TYPE.tunnelClose).u32(frame.tunnelId).shortText(frame.code).frame();
  }
}

function addAddresses(payload: Payload, addresses: readonly string[]): void {
  payload.u8(addresses.length);
  for (const address of addresses) payload.longText(address, PUBLIC_ADDRESS_BYTES);
}

function addTerm(payload: Payload, term: Term): void {
  switch (term.term) {
    case 'allow':
    case 'deny':
      payload.u8(TERM_TYPE[term.term]).longText(term.network, MAX_SHORT_TEXT_BYTES);
      return;
    case 'max-connections':
      payload.u8(TERM_TYPE.maxConnections).u16(4).u32(term.limit);
      return;
    case 'basic-auth':
      payload
        .u8(TERM_TYPE.basicAuth)
        .u16(term.salt.length + term.digest.length)
        .bytes(term.salt)
        .bytes(term.digest);
      return;
    case 'host-header': {
      const host = utf8.encode(term.host);
      const flags = term.rewritesOrigin ? REWRITES_ORIGIN : 0;
      payload
        .u8(TERM_TYPE.hostHeader)
        .u16(1 + host.length)
        .u8(flags)
        .bytes(host);
      return;
    }
    case 'set-header':
      addHeader(payload, TERM_TYPE.setHeader, term);
      return;
    case 'set-response-header':
      addHeader(payload, TERM_TYPE.setResponseHeader, term);
      return;
    case 'remove-header': {
      const name = utf8.encode(term.name);
      payload.u8(TERM_TYPE.removeHeader).u16(name.length).bytes(name);
      return;
    }
    case 'upstream':
      payload.u8(TERM_TYPE.upstream).u16(1).u8(UPSTREAMS.indexOf(term.speaks));
      return;
    case 'unknown':
      payload.u8(term.type).u16(term.value.length).bytes(term.value);
  }
}

function addHeader(payload: Payload, type: number, { name, value }: { name: string; value: string }): void {
  const [nameBytes, valueBytes] = [utf8.encode(name), utf8.encode(value)];
  payload
    .u8(type)
    .u16(1 + nameBytes.length + valueBytes.length)
    .u8(nameBytes.length)
    .bytes(nameBytes)
    .bytes(valueBytes);
}

/** Collects the fields of one frame; its length is filled in at the end. */
class Payload {
  readonly #bytes: number[];

  constructor(type: number) {
    this.#bytes = [type, 0, 0, 0];
  }

  u8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  u64(value: number): this {
    return this.u32(Math.floor(value / 0x1_0000_0000)).u32(value % 0x1_0000_0000);
  }

  bytes(value: Uint8Array): this {
    this.#bytes.push(...value);
    return this;
  }

  shortText(value: string): this {
    const bytes = cut(value, MAX_SHORT_TEXT_BYTES);
    return this.u8(bytes.length).bytes(bytes);
  }

  longText(value: string, limit: number): this {
    const bytes = cut(value, limit);
    return this.u16(bytes.length).bytes(bytes);
  }

  frame(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes);
    const length = bytes.length - FRAME_HEADER_BYTES;
    bytes[1] = length >>> 16;
    bytes[2] = length >>> 8;
    bytes[3] = length;
    return bytes;
  }
}

/** UTF-8 bytes, at most `limit` of them, never half a character. */
function cut(text: string, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit);
  const { written } = utf8.encodeInto(text, bytes);
  return bytes.subarray(0, written);
}
