/** A request as its bytes say it, before anybody interprets it. */
interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
}

export type Field = readonly [name: string, value: string];

export interface Reading {
  /** Those that are there to their last byte. */
  readonly requests: readonly RawRequest[];
  /** What keeps the bytes behind them from being one more request. */
  readonly fault?: string;
  /** The bytes stop in the middle of a request that is in order so far. */
  readonly isUnfinished: boolean;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const CHUNK_SIZE = /^[\da-f]{1,16}$/i;

/**
 * Splits the bytes of a connection into requests by the letter of RFC 9112, with none of the leniency that it permits: a second
 * opinion beside Node's parser, since two readers that agree on the letter cannot be led to different requests.
 */
export function readRequests(bytes: Buffer): Reading {
  const requests: RawRequest[] = [];
  const cursor = new Cursor(bytes);
  try {
    while (!cursor.isAtEnd) requests.push(readRequest(cursor));
    return { requests, isUnfinished: false };
  } catch (error) {
    if (error instanceof Unfinished) return { requests, isUnfinished: true };
    if (error instanceof Fault) return { requests, isUnfinished: false, fault: error.message };
    throw error;
  }
}

class Fault extends Error {}
class Unfinished extends Error {}

class Cursor {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  line(): string {
    const end = this.#bytes.indexOf('\r\n', this.#offset);
    const line = this.#bytes.toString('latin1', this.#offset, end === -1 ? this.#bytes.length : end);
    // A carriage return at the very end may be the first half of a line's end that is still under way.
    if (/[\r\n]/.test(end === -1 ? line.replace(/\r$/, '') : line))
      throw new Fault(`a bare line end in ${quote(line)}`);
    if (end === -1) throw new Unfinished();
    this.#offset = end + 2;
    return line;
  }

  take(length: number): Buffer {
    if (this.#offset + length > this.#bytes.length) throw new Unfinished();
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return taken;
  }
}

function readRequest(cursor: Cursor): RawRequest {
  const line = cursor.line();
  const [, method = '', target = '', minor = ''] = REQUEST_LINE.exec(line) ?? [];
  if (method === '') throw new Fault(`no request line: ${quote(line)}`);
  const fields = readFields(cursor);
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && minor === '1')) throw new Fault(`${hosts.length} Host fields`);
  return { method, target, fields, body: readBody(cursor, fields, minor) };
}

function readFields(cursor: Cursor): Field[] {
  const fields: Field[] = [];
  for (;;) {
    const line = cursor.line();
    if (line === '') return fields;
    const [, name, value = ''] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined) throw new Fault(`no field line: ${quote(line)}`);
    fields.push([name, value]);
  }
}

function readBody(cursor: Cursor, fields: readonly Field[], minor: string): Buffer {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Fault('more than one field about the length of the body');
  const [length] = lengths;
  const [coding] = codings;
  if (coding !== undefined) {
    if (minor === '0' || coding.toLowerCase() !== 'chunked') throw new Fault(`transfer coding ${quote(coding)}`);
    return readChunks(cursor);
  }
  if (length === undefined) return Buffer.alloc(0);
  if (!/^\d+$/.test(length)) throw new Fault(`content length ${quote(length)}`);
  return cursor.take(Number(length));
}

function readChunks(cursor: Cursor): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    const size = cursor.line();
    if (!CHUNK_SIZE.test(size)) throw new Fault(`chunk size ${quote(size)}`);
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    chunks.push(cursor.take(length));
    if (cursor.line() !== '') throw new Fault('a chunk that is longer than its size');
  }
  readFields(cursor);
  return Buffer.concat(chunks);
}

/** The name in lower case. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field[0].toLowerCase() === name).map(([, value]) => value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
