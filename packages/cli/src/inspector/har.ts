import { setImmediate as nextTurn } from 'node:timers/promises';
import { headerLines, type RecordedExchange } from '@tunnel/client/internal';
import { decodedBody, shownBody, valueOf } from './bodies.ts';
import { MASK, masked } from './masking.ts';
import { startLineOf } from './shown.ts';

/** Of all bodies in an archive, decompressed; those beyond it are left out. */
const ARCHIVE_LIMIT_BYTES = 64 * 1024 * 1024;

/** What is left of that. */
interface Room {
  bytes: number;
}

/**
 * An HTTP archive (version 1.2) of these exchanges. Archives are made to be given to others: what lets somebody in is always
 * masked.
 */
export async function archiveOf(exchanges: readonly RecordedExchange[], version: string): Promise<object> {
  const room: Room = { bytes: ARCHIVE_LIMIT_BYTES };
  const entries: object[] = [];
  for (const exchange of exchanges) {
    // What passes in the tunnels goes before it.
    await nextTurn();
    if (exchange.answerHead !== undefined) entries.push(await entryOf(exchange, room));
  }
  return {
    log: {
      version: '1.2',
      creator: { name: 'tunnel', version },
      entries,
    },
  };
}

async function entryOf(exchange: RecordedExchange, room: Room): Promise<object> {
  const { requestHead, requestBody, answerHead = '', answerBody, method, path, host } = exchange;
  const requestLines = headerLines(requestHead);
  const answerLines = headerLines(answerHead);
  const url = new URL(path.startsWith('/') ? `http://host${path}` : 'http://host/');
  const scheme = valueOf(requestLines, 'x-forwarded-proto') === 'https' ? 'https' : 'http';
  const [, , reason = ''] = /^(\S+ \d{3}) ?(.*)$/.exec(startLineOf(answerHead)) ?? [];
  const requestMs = exchange.requestEndMs ?? 0;
  const firstByteMs = exchange.firstByteMs ?? requestMs;
  const endMs = exchange.endMs ?? firstByteMs;
  const sent = answerBody && shownBody(answerHead, answerBody);
  return {
    startedDateTime: new Date(exchange.startedAtMs).toISOString(),
    time: endMs,
    request: {
      method,
      url: path.startsWith('/') ? `${scheme}://${host}${path}` : path,
      httpVersion: 'HTTP/1.1',
      cookies: cookiesOf(valueOf(requestLines, 'cookie')),
      headers: masked(requestLines).map(({ name, value }) => ({ name, value })),
      queryString: [...url.searchParams].map(([name, value]) => ({ name, value })),
      headersSize: Buffer.byteLength(requestHead, 'latin1') + 4,
      bodySize: exchange.receivedBytes,
      ...(requestBody.framed.bytes.length > 0 && {
        postData: await postDataOf(exchange, room),
      }),
    },
    response: {
      status: exchange.status ?? 0,
      statusText: reason,
      httpVersion: 'HTTP/1.1',
      cookies: answerLines
        .filter(({ name }) => name.toLowerCase() === 'set-cookie')
        .map(({ value }) => ({ name: value.split('=', 1)[0]?.trim() ?? '', value: MASK })),
      headers: masked(answerLines).map(({ name, value }) => ({ name, value })),
      content: {
        size: exchange.sentBytes,
        mimeType: sent?.mediaType ?? '',
        ...(answerBody && (await contentOf(answerHead, answerBody, room))),
      },
      redirectURL: valueOf(answerLines, 'location'),
      headersSize: Buffer.byteLength(answerHead, 'latin1') + 4,
      bodySize: exchange.sentBytes,
    },
    cache: {},
    timings: {
      send: requestMs,
      wait: Math.max(0, firstByteMs - requestMs),
      receive: Math.max(0, endMs - Math.max(firstByteMs, requestMs)),
    },
    serverIPAddress: '127.0.0.1',
  };
}

function cookiesOf(header: string): readonly { readonly name: string; readonly value: string }[] {
  const pairs = header.split(';').map((pair) => pair.split('=', 1)[0]?.trim() ?? '');
  return pairs.filter((name) => name !== '').map((name) => ({ name, value: MASK }));
}

async function postDataOf({ requestHead, requestBody }: RecordedExchange, room: Room): Promise<object> {
  const { text, encoding, comment } = await contentOf(requestHead, requestBody, room);
  return {
    mimeType: shownBody(requestHead, requestBody).mediaType,
    params: [],
    text,
    ...(comment !== undefined && { comment }),
    ...(encoding !== undefined && { comment: `text is in ${encoding}` }),
  };
}

async function contentOf(
  head: string,
  body: NonNullable<RecordedExchange['answerBody']>,
  room: Room,
): Promise<{ readonly text: string; readonly encoding?: 'base64'; readonly comment?: string }> {
  const data = Buffer.from((await decodedBody(head, body)) ?? []);
  if (data.length > room.bytes) return { text: '', comment: 'left out: the archive would be too long' };
  room.bytes -= data.length;
  const text = data.toString();
  return Buffer.from(text).equals(data) ? { text } : { text: data.toString('base64'), encoding: 'base64' };
}
