import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExchangeRecorder, type RecordedExchange, unframed } from '@tunnel/client/internal';
import type { BodyForm, ExchangeList, ReplayAnswer } from '@tunnel/pages';
import { decodedBody } from './bodies.ts';
import { curlOf } from './curl.ts';
import { EventFeed } from './event-feed.ts';
import { archiveOf } from './har.ts';
import { containing } from './search.ts';
import { replay, ServiceUnreachable } from './replay.ts';
import { editedRequest, originalRequest, problemOfReplay, readEditedRequest } from './replay-request.ts';
import { detailOf, summaryOf } from './shown.ts';

/** Of a request to the inspector. An edited body is in base64. */
const CONTENT_LIMIT_BYTES = 1024 * 1024;

const PATH =
  /^\/api\/(?<what>events|har|exchanges)(?:\/(?<id>\d{1,15})(?:\/(?<part>request|answer|curl|har|replay))?)?$/;

/** Answers what the page asks for. Whoever asks has been let in. */
export class InspectorApi implements Disposable {
  readonly #recorder: ExchangeRecorder;
  readonly #version: string;
  readonly #feed: EventFeed;

  constructor(recorder: ExchangeRecorder, version: string) {
    this.#recorder = recorder;
    this.#version = version;
    this.#feed = new EventFeed(recorder);
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://inspector');
    const { what, id, part } = PATH.exec(url.pathname)?.groups ?? {};
    const ask = `${request.method} ${[what, id === undefined ? undefined : 'ID', part].filter(Boolean).join('/')}`;
    switch (ask) {
      case 'GET exchanges':
        return this.#list(response, url.searchParams.get('text') ?? '');
      case 'DELETE exchanges':
        this.#recorder.clear();
        return sayJson(response, 200, {});
      case 'GET events':
        if (!this.#feed.add(response)) say(response, 503, 'there are too many pages open\n');
        return undefined;
      case 'GET har':
        return sayJson(response, 200, await archiveOf(this.#recorder.exchanges, this.#version));
    }
    const exchange = id === undefined ? undefined : this.#recorder.find(Number(id));
    if (!exchange) return say(response, 404, 'there is no such exchange, or not any more\n');
    const isRevealed = url.searchParams.get('reveal') === '1';
    switch (ask) {
      case 'GET exchanges/ID':
        return sayJson(response, 200, await detailOf(exchange, isRevealed));
      case 'GET exchanges/ID/request':
      case 'GET exchanges/ID/answer':
        return this.#body(response, exchange, ask.endsWith('answer'), url.searchParams.get('form') as BodyForm | null);
      case 'GET exchanges/ID/curl':
        return say(response, 200, curlOf(exchange, isRevealed));
      case 'GET exchanges/ID/har':
        return sayJson(response, 200, await archiveOf([exchange], this.#version));
      case 'POST exchanges/ID/replay':
        return this.#replay(request, response, exchange);
      default:
        return say(response, 404, 'there is nothing here\n');
    }
  }

  async #list(response: ServerResponse, text: string): Promise<void> {
    const all = this.#recorder.exchanges;
    const found = text === '' ? all : await containing(all, text);
    const list: ExchangeList = { exchanges: found.map(summaryOf), skipped: this.#recorder.skipped };
    sayJson(response, 200, list);
  }

  async #body(
    response: ServerResponse,
    exchange: RecordedExchange,
    isAnswer: boolean,
    form: BodyForm | null,
  ): Promise<void> {
    const [head = '', body] = isAnswer
      ? [exchange.answerHead, exchange.answerBody]
      : [exchange.requestHead, exchange.requestBody];
    if (!body) return say(response, 404, 'there is no answer yet\n');
    const data = form === 'decoded' ? await decodedBody(head, body) : unframed(body);
    if (!data) return say(response, 422, 'this body cannot be decompressed\n');
    // Whatever it says that it is, no browser is to take it for that here.
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
      'Content-Length': data.length,
    });
    response.end(data);
  }

  async #replay(request: IncomingMessage, response: ServerResponse, exchange: RecordedExchange): Promise<void> {
    // No form of another page can say that.
    if (request.headers['content-type'] !== 'application/json') return say(response, 415, 'JSON is wanted\n');
    const content = await readContent(request);
    if (content === undefined) return say(response, 413, 'that is too long\n');
    const problem = problemOfReplay(exchange);
    const value = readJson(content);
    const edited = readEditedRequest(value);
    if (problem !== undefined && edited?.body === undefined) return say(response, 409, `${problem}\n`);
    if (!edited && !isEmptyObject(value)) return say(response, 400, 'that is not a request\n');
    try {
      const bytes = edited ? editedRequest(exchange, edited) : originalRequest(exchange);
      const id = await replay(this.#recorder, exchange, bytes);
      const answer: ReplayAnswer = { id: id ?? null };
      return sayJson(response, 202, answer);
    } catch (error) {
      if (error instanceof RangeError) return say(response, 400, `${error.message}\n`);
      if (error instanceof ServiceUnreachable) return say(response, 502, `the service: ${error.message}\n`);
      throw error;
    }
  }
}

/** Undefined: it is too long. */
async function readContent(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > CONTENT_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

export function say(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function sayJson(response: ServerResponse, status: number, value: unknown): void {
  say(response, status, JSON.stringify(value), 'application/json');
}
