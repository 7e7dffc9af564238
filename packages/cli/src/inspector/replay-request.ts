import {
  BODY_LIMIT_BYTES,
  headerLines,
  type HeaderLine,
  type RecordedExchange,
  unframed,
} from '@tunnel/client/internal';
import type { EditedRequest, Header } from '@tunnel/pages';
import { unmasked } from './masking.ts';

const METHOD = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
const TARGET = /^[!-~\u0080-\u00ff]+$/;
const NAME = METHOD;
// RFC 9110, section 5.5: no control characters but tabs; bytes as Latin-1.
const VALUE = /^[\t -~\u0080-\u00ff]*$/;

const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);

/** Why an exchange cannot be sent again; undefined if it can. */
export function problemOfReplay(exchange: RecordedExchange): string | undefined {
  if (exchange.isUpgrade) return 'a connection that was upgraded cannot be sent again';
  if (exchange.requestEndMs === undefined) return 'the request is not here yet';
  if (!exchange.requestBody.framed.isWhole)
    return `of the body only the first ${BODY_LIMIT_BYTES / 1024} KiB were recorded`;
  return undefined;
}

/** The request as it was, byte by byte. */
export function originalRequest({ requestHead, requestBody }: RecordedExchange): Buffer {
  return Buffer.concat([Buffer.from(`${requestHead}\r\n\r\n`, 'latin1'), requestBody.framed.bytes]);
}

/**
 * The bytes of an edited request. Its length is always told anew, in the place of what told it before. Throws a `RangeError`
 * that says what cannot be sent.
 */
export function editedRequest(exchange: RecordedExchange, edited: EditedRequest): Buffer {
  const { method, path } = edited;
  if (!METHOD.test(method)) throw new RangeError(`${JSON.stringify(method)} is not a method`);
  if (!TARGET.test(path)) throw new RangeError('a path has no spaces and no control characters');
  const body = edited.body === undefined ? unframed(exchange.requestBody) : Buffer.from(edited.body, 'base64');
  const lines = framedLines(unmasked(edited.headers, headerLines(exchange.requestHead)), body.length);
  for (const { name, value } of lines) {
    if (!NAME.test(name)) throw new RangeError(`${JSON.stringify(name)} is not the name of a header`);
    if (!VALUE.test(value)) throw new RangeError(`the value of ${name} has characters that no header can have`);
  }
  const head = [`${method} ${path} HTTP/1.1`, ...lines.map(({ name, value }) => `${name}: ${value}`)].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), body]);
}

function framedLines(lines: readonly HeaderLine[], length: number): readonly HeaderLine[] {
  const isFraming = ({ name }: HeaderLine): boolean => FRAMING.has(name.toLowerCase());
  const place = lines.findIndex(isFraming);
  if (place === -1 && length === 0) return lines;
  const name = lines.find((line) => line.name.toLowerCase() === 'content-length')?.name ?? 'Content-Length';
  const told = { name, value: String(length) };
  if (place === -1) return [...lines, told];
  const isDropped = (line: HeaderLine, index: number): boolean => isFraming(line) && index !== place;
  return lines.flatMap((line, index) => (index === place ? [told] : isDropped(line, index) ? [] : [line]));
}

/** Whether that is an edited request; else undefined. */
export function readEditedRequest(value: unknown): EditedRequest | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { method, path, headers, body } = value as Record<string, unknown>;
  if (typeof method !== 'string' || typeof path !== 'string' || !Array.isArray(headers)) return undefined;
  if (body !== undefined && typeof body !== 'string') return undefined;
  const isHeader = (item: unknown): item is Header =>
    typeof item === 'object' &&
    item !== null &&
    'name' in item &&
    'value' in item &&
    typeof item.name === 'string' &&
    typeof item.value === 'string';
  if (!headers.every(isHeader)) return undefined;
  return { method, path, headers, ...(body !== undefined && { body }) };
}
