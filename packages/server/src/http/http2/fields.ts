// Header fields as HTTP/1.1 has them, a flat list, and as `node:http2` wants them, and the other way round: RFC 9113, section 8.
import type { OutgoingHttpHeaders } from 'node:http2';

/** They hold for one connection of HTTP/1.1, and are forbidden here. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Those of HTTP/1.1 as an object. Names in lower case; several values of one name in their order. */
export function toHttp2(rawHeaders: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = { __proto__: null } as never;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (CONNECTION_SPECIFIC.has(name) || (name === 'te' && value !== 'trailers')) continue;
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else if (SINGLE.has(name)) headers[name] = known === value ? value : `${String(known)}, ${value}`;
    else if (Array.isArray(known)) known.push(value);
    else headers[name] = [known, value];
  }
  return headers;
}

/** The head of a request or an answer, without its pseudo-headers. */
export interface Http2Fields {
  readonly pseudo: Readonly<Record<string, string>>;
  /** As HTTP/1.1 has them: all crumbs of a cookie are one (section 8.2.3). */
  readonly rawHeaders: string[];
}

export function fromHttp2(rawHeaders: readonly string[]): Http2Fields {
  const pseudo: Record<string, string> = {};
  const fields: string[] = [];
  let cookieIndex: number | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (name.startsWith(':')) {
      pseudo[name] = value;
    } else if (name === 'cookie' && cookieIndex !== undefined) {
      fields[cookieIndex] += `; ${value}`;
    } else {
      if (name === 'cookie') cookieIndex = fields.length + 1;
      fields.push(name, value);
    }
  }
  return { pseudo, rawHeaders: fields };
}

/** Node refuses several values for these. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);
