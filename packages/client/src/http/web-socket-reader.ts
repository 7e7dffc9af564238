import { RecordedBytes } from './recorded-bytes.ts';

/** Of a message's payload, its beginning is kept up to this. */
export const MESSAGE_LIMIT_BYTES = 16 * 1024;

export type WebSocketMessageKind = 'text' | 'binary' | 'close' | 'ping' | 'pong';

export interface WebSocketMessage {
  readonly kind: WebSocketMessageKind;
  /** The payload is compressed, as an extension has it (RFC 7692). */
  readonly isCompressed: boolean;
  readonly payload: RecordedBytes;
}

// RFC 6455, section 5.2
const FIN = 0x80;
const RSV1 = 0x40;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const CONTINUATION = 0;
const KINDS: Readonly<Record<number, WebSocketMessageKind>> = {
  1: 'text',
  2: 'binary',
  8: 'close',
  9: 'ping',
  10: 'pong',
};
const FIRST_CONTROL_OPCODE = 8;
const MAX_HEADER_BYTES = 14;

interface Frame {
  readonly isLast: boolean;
  readonly message: WebSocketMessage;
  readonly mask: Uint8Array | undefined;
  leftBytes: number;
  offset: number;
}

/** Finds the messages in one direction of a WebSocket. What it cannot read ends the looking on. */
export class WebSocketReader {
  readonly #onMessage: (message: WebSocketMessage) => void;
  readonly #header: Uint8Array = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  #frame: Frame | undefined;
  /** A message of which only some frames have come. Control frames may come between them. */
  #fragmented: WebSocketMessage | undefined;
  #hasFailed = false;

  constructor(onMessage: (message: WebSocketMessage) => void) {
    this.#onMessage = onMessage;
  }

  push(data: Uint8Array): void {
    let rest = data;
    while (rest.length > 0 && !this.#hasFailed) {
      rest = rest.subarray(this.#frame ? this.#takePayload(this.#frame, rest) : this.#takeHeader(rest));
    }
  }

  #takeHeader(data: Uint8Array): number {
    let used = 0;
    do {
      this.#header[this.#headerBytes] = data[used] ?? 0;
      this.#headerBytes += 1;
      used += 1;
      if (this.#headerBytes === headerLength(this.#header, this.#headerBytes)) {
        this.#headerBytes = 0;
        this.#begin();
        break;
      }
    } while (used < data.length);
    return used;
  }

  #begin(): void {
    const [first = 0, second = 0] = this.#header;
    const opcode = first & OPCODE;
    const isContinuation = opcode === CONTINUATION;
    const kind = KINDS[opcode];
    const message = isContinuation
      ? this.#fragmented
      : kind && { kind, isCompressed: (first & RSV1) !== 0, payload: new RecordedBytes(MESSAGE_LIMIT_BYTES) };
    const length = payloadLength(this.#header);
    if (!message || !Number.isSafeInteger(length)) {
      this.#hasFailed = true;
      return;
    }
    const end = headerLength(this.#header, MAX_HEADER_BYTES);
    const isLast = (first & FIN) !== 0;
    if (opcode < FIRST_CONTROL_OPCODE) this.#fragmented = isLast ? undefined : message;
    const mask = (second & MASKED) === 0 ? undefined : this.#header.slice(end - 4, end);
    this.#frame = { isLast, message, mask, leftBytes: length, offset: 0 };
    if (length === 0) this.#endFrame(this.#frame);
  }

  #takePayload(frame: Frame, data: Uint8Array): number {
    const part = data.subarray(0, frame.leftBytes);
    const { mask, message, offset } = frame;
    // Only what is kept has to be readable.
    message.payload.add(mask && message.payload.isWhole ? unmasked(part, mask, offset) : part);
    frame.offset += part.length;
    frame.leftBytes -= part.length;
    if (frame.leftBytes === 0) this.#endFrame(frame);
    return part.length;
  }

  #endFrame({ isLast, message }: Frame): void {
    this.#frame = undefined;
    if (isLast) this.#onMessage(message);
  }
}

/** How long a header is, of which so many bytes are known. */
function headerLength(header: Uint8Array, knownBytes: number): number {
  if (knownBytes < 2) return 2;
  const [, second = 0] = header;
  const length = second & LENGTH;
  const extended = length === 127 ? 8 : length === 126 ? 2 : 0;
  return 2 + extended + ((second & MASKED) === 0 ? 0 : 4);
}

function payloadLength(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset);
  const length = (header[1] ?? 0) & LENGTH;
  if (length === 127) return Number(view.getBigUint64(2));
  return length === 126 ? view.getUint16(2) : length;
}

function unmasked(data: Uint8Array, mask: Uint8Array, offset: number): Uint8Array {
  const plain = data.slice(0, MESSAGE_LIMIT_BYTES);
  for (let index = 0; index < plain.length; index += 1) {
    plain[index] = (plain[index] ?? 0) ^ (mask[(offset + index) % 4] ?? 0);
  }
  // The length of what is beyond the limit still counts.
  return plain.length === data.length ? plain : Buffer.concat([plain, data.subarray(plain.length)]);
}
