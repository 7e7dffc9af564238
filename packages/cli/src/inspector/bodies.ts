import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, inflate, inflateRaw, type InputType, type ZlibOptions } from 'node:zlib';
import {
  headerLines,
  type HeaderLine,
  type RecordedBody,
  type RecordedMessage,
  unframed,
} from '@tunnel/client/internal';
import type { Message, ShownBody } from '@tunnel/pages';

/** What a body may become when it is decompressed; one that would become more is shown as it is. */
const DECODED_LIMIT_BYTES = 4 * 1024 * 1024;

/** The same of a message, of which many are shown at once. */
const MESSAGE_LIMIT_BYTES = 64 * 1024;

type Decoder = (data: InputType, options: ZlibOptions) => Promise<Uint8Array>;

// Of a body that was not kept whole, what can be read of it is read.
const PART = { maxOutputLength: DECODED_LIMIT_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
const gunzipped: Decoder = promisify(gunzip);
const inflated: Decoder = promisify(inflate);
const inflatedRaw: Decoder = promisify(inflateRaw);

const DECODERS: Readonly<Record<string, (data: Uint8Array) => Promise<Uint8Array>>> = {
  gzip: (data) => gunzipped(data, PART),
  'x-gzip': (data) => gunzipped(data, PART),
  // Some send it without the header of zlib.
  deflate: (data) => inflated(data, PART).catch(() => inflatedRaw(data, PART)),
  br: (data) =>
    promisify(brotliDecompress)(data, {
      maxOutputLength: DECODED_LIMIT_BYTES,
      finishFlush: constants.BROTLI_OPERATION_FLUSH,
    }),
};

/** Ends a message of which a WebSocket left out the end (RFC 7692, section 7.2.2). */
const MESSAGE_END = Buffer.from([0, 0, 0xff, 0xff]);

export function valueOf(lines: readonly HeaderLine[], name: string): string {
  const values = lines.filter((line) => line.name.toLowerCase() === name).map(({ value }) => value);
  return values.join(', ');
}

export function shownBody(head: string, body: RecordedBody): ShownBody {
  const lines = headerLines(head);
  return {
    mediaType: valueOf(lines, 'content-type'),
    coding: valueOf(lines, 'content-encoding').toLowerCase(),
    keptBytes: unframed(body).length,
    isWhole: body.framed.isWhole,
  };
}

/** What a body is the compressed form of. Undefined if it cannot be found out. */
export async function decodedBody(head: string, body: RecordedBody): Promise<Uint8Array | undefined> {
  const { coding } = shownBody(head, body);
  let data: Uint8Array | undefined = unframed(body);
  for (const each of coding.split(',').toReversed()) {
    const name = each.trim();
    if (name === '' || name === 'identity' || data.length === 0) continue;
    data = await DECODERS[name]?.(data).catch(() => undefined);
    if (!data) return undefined;
  }
  return data;
}

export async function shownMessage(message: RecordedMessage): Promise<Message> {
  const { direction, kind, atMs, bytes, payload } = message;
  const plain = message.isCompressed ? await decompressedMessage(payload) : payload;
  return {
    direction,
    kind,
    atMs,
    bytes,
    isCompressed: plain === undefined,
    payload: Buffer.from(plain ?? payload).toString('base64'),
  };
}

/** Undefined for one that refers to those before it, which are not kept for that. */
function decompressedMessage(payload: Uint8Array): Promise<Uint8Array | undefined> {
  const data = Buffer.concat([payload, MESSAGE_END]);
  return inflatedRaw(data, { ...PART, maxOutputLength: MESSAGE_LIMIT_BYTES }).catch(() => undefined);
}
