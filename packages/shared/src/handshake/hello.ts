import {
  INSTANCE_BYTES,
  MAX_DETAIL_BYTES,
  MAX_VERSIONS,
  RESUME_TOKEN_BYTES,
  SESSION_ID_BYTES,
  ZERO_BLOCK_BYTES,
} from './constants.ts';
import { HandshakeError } from './error.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import { FieldWriter, readFields, utf8Bytes } from './fields.ts';

// The payloads of the handshake's messages. Numbers are big-endian. Bytes after the known fields are ignored, so that a
// later version can append some. Texts come from the peer and may contain control characters: escape them before
// showing.

/** Payload of message 1: what the client can do. */
export interface Offer {
  /** 1 to 16 protocol versions, each from 1 to 65535. */
  readonly versions: readonly number[];
  /** 32 feature bits. */
  readonly features: number;
}

/** Payload of message 2: what the server chose. */
export interface Answer {
  /** One of those offered; 0 if there is none in common. */
  readonly version: number;
  /** The feature bits that both sides know. */
  readonly features: number;
}

/** A session to resume over this link. */
export interface Resume {
  /** 16 bytes. */
  readonly sessionId: Uint8Array;
  /** 32 bytes, secret. */
  readonly token: Uint8Array;
  /** Number of the last numbered frame received. */
  readonly received: number;
  /** Number of the first numbered frame that will follow on this link. */
  readonly next: number;
}

/** Payload of message 3: who the client is and what it wants. */
export interface Hello {
  /** 16 random bytes of the client's process. */
  readonly instance: Uint8Array;
  /** Increases with every link of the instance; 1 to 2^53 - 1. */
  readonly linkNumber: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** The client's program and version, at most 255 bytes of UTF-8. */
  readonly agent: string;
  /**
   * How much each stream may carry to the client before its first `credit`. Set by the hello that begins the session.
   */
  readonly firstCreditBytes: number;
  /** The most that the first credits of all open streams may total. */
  readonly firstCreditTotalBytes: number;
  /** Absent if the client wants a new session. */
  readonly resume?: Resume;
}

/** Why the server refused message 3. */
export interface Refusal {
  /** 1 to 255 characters from `a-z`, `0-9` and `-`. */
  readonly code: string;
  /** The least time to stay away; 0 if there is no hint. */
  readonly retryAfterMs: number;
  /** For people; truncated to 512 bytes of UTF-8 when encoded. */
  readonly detail: string;
}

/**
 * The hello commits to its key by beginning with these zeros, which are checked. ChaCha20-Poly1305 does not: one
 * ciphertext can authenticate under many keys (Len, Grubbs, Ristenpart: "Partitioning Oracle Attacks", 2021). For it to
 * be a hello under two of them, their keystreams would have to agree in 32 bytes.
 */
const ZERO_BLOCK = new Uint8Array(ZERO_BLOCK_BYTES);

const WANTS_NEW = 0;
const WANTS_RESUME = 1;
const CODE = /^[a-z0-9-]+$/;

function requireThat(condition: boolean, message: string): void {
  if (!condition) throw new HandshakeError('malformed', message);
}

export function encodeOffer(offer: Offer): Uint8Array {
  requireVersions(offer.versions);
  const writer = new FieldWriter().u8(offer.versions.length);
  for (const version of offer.versions) writer.u16(version);
  return writer.u32(offer.features).finish();
}

export function decodeOffer(payload: Uint8Array): Offer {
  const reader = readFields(payload);
  const versionCount = reader.u8();
  // Checked before the loop too, so that a bad count costs nothing.
  requireThat(versionCount <= MAX_VERSIONS, 'the offer has too many versions');
  const versions: number[] = [];
  for (let index = 0; index < versionCount; index += 1) versions.push(reader.u16());
  requireVersions(versions);
  return { versions, features: reader.u32() };
}

function requireVersions(versions: readonly number[]): void {
  requireThat(versions.length >= 1 && versions.length <= MAX_VERSIONS, `an offer has 1 to ${MAX_VERSIONS} versions`);
  requireThat(!versions.includes(0), 'version 0 cannot be offered: it says that none is in common');
}

export function encodeAnswer(answer: Answer): Uint8Array {
  return new FieldWriter().u16(answer.version).u32(answer.features).finish();
}

export function decodeAnswer(payload: Uint8Array): Answer {
  const reader = readFields(payload);
  return { version: reader.u16(), features: reader.u32() };
}

/** Throws HandshakeError `malformed` if the answer has anything that was not offered. */
export function requireOffered(answer: Answer, offer: Offer): void {
  requireThat(answer.version === 0 || offer.versions.includes(answer.version), 'the answer has a version not offered');
  requireThat((answer.features & ~offer.features) === 0, 'the answer has features not offered');
}

export function encodeHello(hello: Hello): Uint8Array {
  requireThat(hello.linkNumber >= 1, 'link numbers start at 1');
  const agent = utf8Bytes(hello.agent);
  const writer = new FieldWriter()
    .raw(ZERO_BLOCK)
    .bytes(hello.instance, INSTANCE_BYTES)
    .u64(hello.linkNumber)
    .u32(hello.heartbeatIntervalMs)
    .u32(hello.heartbeatTimeoutMs)
    .u8(agent.length)
    .raw(agent)
    .u32(hello.firstCreditBytes)
    .u32(hello.firstCreditTotalBytes);
  if (hello.resume === undefined) return writer.u8(WANTS_NEW).finish();
  return writer
    .u8(WANTS_RESUME)
    .bytes(hello.resume.sessionId, SESSION_ID_BYTES)
    .bytes(hello.resume.token, RESUME_TOKEN_BYTES)
    .u64(hello.resume.received)
    .u64(hello.resume.next)
    .finish();
}

export function decodeHello(payload: Uint8Array): Hello {
  const reader = readFields(payload);
  const isCommitted = reader.bytes(ZERO_BLOCK_BYTES).every((byte) => byte === 0);
  requireThat(isCommitted, 'the hello does not begin with zeros');
  const hello: Hello = {
    instance: new Uint8Array(reader.bytes(INSTANCE_BYTES)),
    linkNumber: reader.u64(),
    heartbeatIntervalMs: reader.u32(),
    heartbeatTimeoutMs: reader.u32(),
    agent: reader.text(reader.u8()),
    firstCreditBytes: reader.u32(),
    firstCreditTotalBytes: reader.u32(),
  };
  requireThat(hello.linkNumber >= 1, 'link numbers start at 1');
  const wants = reader.u8();
  if (wants === WANTS_NEW) return hello;
  requireThat(wants === WANTS_RESUME, 'the hello wants something unknown');
  return { ...hello, resume: decodeResume(reader) };
}

function decodeResume(reader: ByteReader): Resume {
  return {
    sessionId: new Uint8Array(reader.bytes(SESSION_ID_BYTES)),
    token: new Uint8Array(reader.bytes(RESUME_TOKEN_BYTES)),
    received: reader.u64(),
    next: reader.u64(),
  };
}

export function encodeRefusal(refusal: Refusal): Uint8Array {
  requireThat(CODE.test(refusal.code), 'a code has only a-z, 0-9 and -');
  const code = utf8Bytes(refusal.code);
  // Truncated rather than refused: a long text must not keep the client from receiving the code.
  const detail = cutUtf8(utf8Bytes(refusal.detail), MAX_DETAIL_BYTES);
  return new FieldWriter().u8(code.length).raw(code).u32(refusal.retryAfterMs).u16(detail.length).raw(detail).finish();
}

export function decodeRefusal(payload: Uint8Array): Refusal {
  const reader = readFields(payload);
  const code = reader.text(reader.u8());
  requireThat(CODE.test(code), 'a code has only a-z, 0-9 and -');
  const retryAfterMs = reader.u32();
  const detailBytes = reader.u16();
  requireThat(detailBytes <= MAX_DETAIL_BYTES, 'the detail is too long');
  return { code, retryAfterMs, detail: reader.text(detailBytes) };
}

/** The longest prefix of at most `max` bytes that does not end inside a character. */
function cutUtf8(text: Uint8Array, max: number): Uint8Array {
  if (text.length <= max) return text;
  let end = max;
  while (end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end -= 1; // 10xxxxxx: a continuation byte
  return text.subarray(0, end);
}
