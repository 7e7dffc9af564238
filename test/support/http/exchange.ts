import type { Field } from './message.ts';
import { EXCHANGE_FIELD } from './scripted-service.ts';
import { type Answer, type Scene, type Turn, writeAlone } from './scene.ts';
import { TUNNEL_HOST } from './tunnel.ts';

export interface RequestSpec {
  readonly method?: string;
  readonly target?: string;
  readonly version?: '1.0' | '1.1';
  readonly fields?: readonly Field[];
  readonly body?: Buffer | string;
  /** How the body's end is told; default by its length if there is one. */
  readonly framing?: 'none' | 'length' | 'chunked';
  /** Default: one chunk. */
  readonly chunkBytes?: number;
  /** Behind each chunk's size: `;name=value`. */
  readonly extension?: string;
  readonly trailers?: readonly Field[];
}

export interface AnswerSpec {
  /** All behind the version, with the space in front of it; default ` 200 OK`. */
  readonly status?: string;
  readonly version?: '1.0' | '1.1';
  readonly fields?: readonly Field[];
  readonly body?: Buffer | string;
  readonly framing?: 'none' | 'length' | 'chunked' | 'until-close';
  readonly chunkBytes?: number;
  readonly extension?: string;
  readonly trailers?: readonly Field[];
  /** Answers that are not final, as they stand on the wire. */
  readonly interim?: readonly string[];
  /** Written in parts of so many bytes, each by itself; default at once. */
  readonly partBytes?: number;
  /** Default true: the request is read to its end first. */
  readonly awaitsBody?: boolean;
  /** Ends its side of the connection after it. */
  readonly closes?: boolean;
}

/** One or several requests on one connection, and what is done with their answers. */
export interface Exchange {
  readonly name: string;
  readonly requests: readonly RequestSpec[];
  /** By the index of the request. */
  readonly answers: readonly Answer[];
  /** What the visitor does with the encoded requests; default: one after the other, each when the last is answered. */
  readonly visit?: (scene: Scene, requests: readonly Buffer[]) => Promise<void>;
  /** The visitor waits for the end of its connection, which must come. */
  readonly ends?: boolean;
  /** The service hangs up without an answer that is final. Somebody has to say so: the tunnel's server, with 502. */
  readonly isUnanswered?: boolean;
  /** No request bodies are compared: how much of them arrives is a matter of time. */
  readonly bodiesAreUnread?: boolean;
}

export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** One request and its answer, and another one on the same connection, which shows that it can go on. */
export function single(
  name: string,
  request: RequestSpec,
  answered: AnswerSpec | Answer = {},
  options: Omit<Exchange, 'name' | 'requests' | 'answers'> = {},
): Exchange {
  const first = typeof answered === 'function' ? answered : answer(answered);
  const isLast = options.ends === true || options.visit !== undefined;
  if (isLast) return { name, requests: [request], answers: [first], ...options };
  const { version = '1.1' } = request;
  const fields: Field[] = version === '1.0' ? [['Connection', 'keep-alive']] : [];
  const probe: RequestSpec = { target: '/after-it', version, fields };
  return { name, requests: [request, probe], answers: [first, answer({ body: 'goes on' })], ...options };
}

/** Sends one request and waits for its answer, not for the end of the connection. */
export async function oneAnswer(scene: Scene, [bytes]: readonly Buffer[]): Promise<void> {
  scene.send(bytes!);
  await scene.answersArrive(1);
}

/** The bytes of a request, which names the exchange it belongs to. */
export function encodeRequest(spec: RequestSpec, exchange: number, index: number): Buffer {
  const { method = 'GET', target = '/', version = '1.1', fields = [], trailers } = spec;
  const framing = spec.framing ?? (spec.body === undefined ? 'none' : 'length');
  const own: Field[] = [
    ['Host', TUNNEL_HOST],
    [EXCHANGE_FIELD, `${exchange}.${index}`],
  ];
  const body = bytesOf(spec.body);
  const head = encodeHead(`${method} ${target} HTTP/${version}`, [...own, ...fields, ...framingFields(framing, body)]);
  return Buffer.concat([head, encodeBody(framing, body, { ...spec, trailers })]);
}

/** The bytes of an answer, without what goes before it. */
export function encodeAnswer(spec: AnswerSpec): Buffer {
  const { status = ' 200 OK', version = '1.1', fields = [] } = spec;
  const body = bytesOf(spec.body);
  const framing = spec.framing ?? 'length';
  const head = encodeHead(`HTTP/${version}${status}`, [...fields, ...framingFields(framing, body)]);
  return Buffer.concat([head, encodeBody(framing, body, spec)]);
}

/** Answers with this, whatever the request is. */
export function answer(spec: AnswerSpec = {}): Answer {
  return async ({ socket, whole }: Turn) => {
    for (const interim of spec.interim ?? []) await writeAlone(socket, latin1(interim));
    if (spec.awaitsBody ?? true) await whole();
    const bytes = encodeAnswer(spec);
    const { partBytes = Math.max(1, bytes.length) } = spec;
    for (let start = 0; start < bytes.length; start += partBytes) {
      await writeAlone(socket, bytes.subarray(start, start + partBytes));
    }
    if ((spec.closes ?? spec.framing === 'until-close') && !socket.destroyed) socket.end();
  };
}

/** `name: value` lines and the empty one. */
export function encodeHead(startLine: string, fields: readonly Field[]): Buffer {
  return latin1(`${startLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
}

export function encodeChunk(body: Buffer | string, extension = ''): Buffer {
  const bytes = bytesOf(body);
  return Buffer.concat([latin1(`${bytes.length.toString(16)}${extension}\r\n`), bytes, latin1('\r\n')]);
}

function bytesOf(body: Buffer | string | undefined): Buffer {
  return typeof body === 'string' ? latin1(body) : (body ?? Buffer.alloc(0));
}

function framingFields(framing: AnswerSpec['framing'], body: Buffer): readonly Field[] {
  if (framing === 'length') return [['Content-Length', String(body.length)]];
  return framing === 'chunked' ? [['Transfer-Encoding', 'chunked']] : [];
}

function encodeBody(framing: AnswerSpec['framing'], body: Buffer, spec: ChunkSpec): Buffer {
  if (framing !== 'chunked') return body;
  const { chunkBytes = Math.max(1, body.length), extension = '', trailers = [] } = spec;
  const chunks: Buffer[] = [];
  for (let start = 0; start < body.length; start += chunkBytes) {
    chunks.push(encodeChunk(body.subarray(start, start + chunkBytes), extension));
  }
  return Buffer.concat([...chunks, latin1(`0${extension}\r\n`), encodeHead('', trailers).subarray(2)]);
}

interface ChunkSpec {
  readonly chunkBytes?: number | undefined;
  readonly extension?: string | undefined;
  readonly trailers?: readonly Field[] | undefined;
}
