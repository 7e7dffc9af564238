import { HeadBuffer } from './head-buffer.ts';

/** How the reader of a head has what follows it read. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'known'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }
  /** Nothing is read before `release`: whether it is HTTP at all is for the other side to say. */
  | { readonly kind: 'held' }
  /** No HTTP any more, for good. */
  | { readonly kind: 'opaque' };

export interface MessageHandlers {
  /** Undefined: it is no such head. */
  onHead(text: string): Framing | undefined;
  /** A part of a body, without its framing. Valid during the call only. */
  onBody(data: Buffer): void;
  /** The same with its framing and trailers. Valid during the call only. */
  onFramed?(data: Buffer): void;
  /** What comes once it is no HTTP any more. Valid during the call only. */
  onOpaque?(data: Buffer): void;
  /** A message is over, with body and trailers. */
  onEnd(): void;
}

/** What comes behind an upgrade before it was answered is kept up to this many bytes. */
const HELD_LIMIT_BYTES = 65_536;
/** Of the line before a chunk, and of all trailers of a body together. */
const LINE_LIMIT_BYTES = 65_536;

const CR = 0x0d;
const LF = 0x0a;
/** The end of the line, blanks and extensions. */
const BEHIND_SIZE: readonly number[] = [CR, 0x20, 0x09, 0x3b];
/** 52 bits, which a number holds. */
const MAX_SIZE_DIGITS = 13;

type State =
  | { readonly kind: 'head' }
  | { readonly kind: 'body'; leftBytes: number }
  | { readonly kind: 'chunk-size'; size: number; digits: number; extensionBytes: number }
  | { readonly kind: 'chunk'; leftBytes: number }
  | { readonly kind: 'chunk-end'; leftBytes: number }
  | { readonly kind: 'trailers'; lineBytes: number; bytes: number }
  | { readonly kind: 'until-close' }
  | { readonly kind: 'held'; bytes: Buffer }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'failed' };

const IN_BODY: ReadonlySet<State['kind']> = new Set([
  'body',
  'chunk-size',
  'chunk',
  'chunk-end',
  'trailers',
  'until-close',
]);

/** Finds the messages of one direction of an HTTP/1.1 connection, however its bytes are cut into pieces. */
export class MessageReader {
  readonly #handlers: MessageHandlers;
  readonly #head = new HeadBuffer();
  #state: State = { kind: 'head' };
  /** A message came to its end, which is not told yet. */
  #isEndDue = false;

  constructor(handlers: MessageHandlers) {
    this.#handlers = handlers;
  }

  /** This is no HTTP/1.1, or more than is read. */
  get hasFailed(): boolean {
    return this.#state.kind === 'failed';
  }

  push(data: Uint8Array): void {
    let rest = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    while (rest.length > 0 && this.#state.kind !== 'failed') {
      const isFramed = this.#handlers.onFramed !== undefined && IN_BODY.has(this.#state.kind);
      const used = this.#take(rest);
      if (isFramed) this.#handlers.onFramed?.(rest.subarray(0, used));
      rest = rest.subarray(used);
      this.#tellEnd();
    }
  }

  /** The other side answered an upgrade: what follows is HTTP. */
  release(): void {
    if (this.#state.kind !== 'held') return;
    const { bytes } = this.#state;
    this.#state = { kind: 'head' };
    this.push(bytes);
  }

  /** What follows is no HTTP. */
  becomeOpaque(): void {
    const held = this.#state.kind === 'held' ? this.#state.bytes : undefined;
    this.#state = { kind: 'opaque' };
    this.#head.clear();
    if (held) this.push(held);
  }

  /** No more bytes come. */
  end(): void {
    if (this.#state.kind === 'until-close') this.#finish();
    this.#tellEnd();
  }

  /** Returns how many of these bytes were used, at least one. */
  #take(data: Buffer): number {
    const state = this.#state;
    switch (state.kind) {
      case 'head':
        return this.#takeHead(data);
      case 'body':
      case 'chunk': {
        const part = data.subarray(0, state.leftBytes);
        this.#handlers.onBody(part);
        state.leftBytes -= part.length;
        if (state.leftBytes === 0) {
          if (state.kind === 'body') this.#finish();
          else this.#state = { kind: 'chunk-end', leftBytes: 2 };
        }
        return part.length;
      }
      case 'chunk-size':
        return this.#takeChunkSize(data, state);
      case 'chunk-end':
        if (data[0] !== (state.leftBytes === 2 ? CR : LF)) return this.#fail();
        state.leftBytes -= 1;
        if (state.leftBytes === 0) this.#state = newChunkSize();
        return 1;
      case 'trailers':
        return this.#takeTrailers(data, state);
      case 'until-close':
        this.#handlers.onBody(data);
        return data.length;
      case 'held':
        if (state.bytes.length + data.length > HELD_LIMIT_BYTES) return this.#fail();
        state.bytes = Buffer.concat([state.bytes, data]);
        return data.length;
      case 'opaque':
        this.#handlers.onOpaque?.(data);
        return data.length;
      case 'failed':
        return data.length;
    }
  }

  #takeHead(data: Buffer): number {
    // RFC 9112, section 2.2: empty lines before a request.
    if (!this.#head.isBegun && (data[0] === CR || data[0] === LF)) return 1;
    let head: ReturnType<HeadBuffer['add']>;
    try {
      head = this.#head.add(data);
    } catch {
      return this.#fail();
    }
    if (!head) return data.length;
    const framing = this.#handlers.onHead(head.text);
    this.#begin(framing);
    return head.usedBytes;
  }

  #begin(framing: Framing | undefined): void {
    // The handler may have found out that this is no HTTP any more.
    if (this.#state.kind !== 'head') return;
    switch (framing?.kind) {
      case undefined:
        this.#fail();
        return;
      case 'none':
        this.#finish();
        return;
      case 'known':
        if (framing.bytes === 0) this.#finish();
        else this.#state = { kind: 'body', leftBytes: framing.bytes };
        return;
      case 'chunked':
        this.#state = newChunkSize();
        return;
      case 'held':
        this.#state = { kind: 'held', bytes: Buffer.alloc(0) };
        return;
      case 'until-close':
      case 'opaque':
        this.#state = framing;
    }
  }

  #takeChunkSize(data: Buffer, state: Extract<State, { kind: 'chunk-size' }>): number {
    for (let used = 1; used <= data.length; used += 1) {
      const byte = data[used - 1] ?? 0;
      if (byte === LF && state.digits > 0) {
        this.#state = state.size > 0 ? { kind: 'chunk', leftBytes: state.size } : newTrailers();
        return used;
      }
      if (state.extensionBytes > 0 || (BEHIND_SIZE.includes(byte) && state.digits > 0)) {
        state.extensionBytes += 1;
        if (state.extensionBytes > LINE_LIMIT_BYTES) return this.#fail();
        continue;
      }
      const digit = hexDigit(byte);
      if (digit === -1 || state.digits === MAX_SIZE_DIGITS) return this.#fail();
      state.size = state.size * 16 + digit;
      state.digits += 1;
    }
    return data.length;
  }

  #takeTrailers(data: Buffer, state: Extract<State, { kind: 'trailers' }>): number {
    for (let used = 1; used <= data.length; used += 1) {
      const byte = data[used - 1];
      state.bytes += 1;
      if (state.bytes > LINE_LIMIT_BYTES) return this.#fail();
      if (byte === LF && state.lineBytes === 0) {
        this.#finish();
        return used;
      }
      if (byte === LF) state.lineBytes = 0;
      else if (byte !== CR) state.lineBytes += 1;
    }
    return data.length;
  }

  #finish(): void {
    this.#state = { kind: 'head' };
    this.#isEndDue = true;
  }

  /** Behind its last byte. */
  #tellEnd(): void {
    if (!this.#isEndDue) return;
    this.#isEndDue = false;
    this.#handlers.onEnd();
  }

  #fail(): number {
    this.#state = { kind: 'failed' };
    this.#head.clear();
    return 1;
  }
}

function newChunkSize(): State {
  return { kind: 'chunk-size', size: 0, digits: 0, extensionBytes: 0 };
}

function newTrailers(): State {
  return { kind: 'trailers', lineBytes: 0, bytes: 0 };
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
