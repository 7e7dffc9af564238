import { HEADER_COUNT_LIMIT } from '../../front/http-limits.ts';
import { badRequest, METHOD_REFUSED, type Refusal } from './refusals.ts';
import type { RequestFields } from './visitor-request.ts';

/** Name or address, and a port. Whatever could mean something else to somebody behind (RFC 9112, section 3.2) is not a host. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[^\s@/\\?#:[\]<>"'`{}|^%,]*)(?::(\d*))?$/i;

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/is;

/** That of HTTP/2 is not `2.0`, for which Node's parser takes what an HTTP/1.1 connection may claim. */
const VERSIONS: ReadonlySet<string> = new Set(['1.0', '1.1', '2']);

/** Node's parser also takes RTSP, and these are methods of that. */
const RTSP_METHODS: ReadonlySet<string> = new Set([
  'ANNOUNCE',
  'DESCRIBE',
  'FLUSH',
  'GET_PARAMETER',
  'PAUSE',
  'PLAY',
  'RECORD',
  'REDIRECT',
  'SETUP',
  'SET_PARAMETER',
  'TEARDOWN',
]);

export interface RequestHead {
  /** Lower case, without port and final dot; empty if the request names none. */
  readonly host: string;
  /** As the visitor wrote it, with the port. */
  readonly authority: string;
  /** Path and query, or `*`. */
  readonly target: string;
}

type Head = Pick<RequestFields, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>;

/** What a request asks whom for, or why nobody should be asked: another reader might take it for something else. */
export function readRequestHead({ method = '', url = '', httpVersion, rawHeaders }: Head): RequestHead | Refusal {
  if (rawHeaders.length / 2 > HEADER_COUNT_LIMIT) {
    return { status: 431, code: 'too-many-headers', words: `A request may have ${HEADER_COUNT_LIMIT} headers.` };
  }
  // Node's parser takes 0.9 and 2.0 with headers, which no other reader would find there.
  if (!VERSIONS.has(httpVersion) || RTSP_METHODS.has(method)) {
    return badRequest('The request is not one of HTTP/1.1.');
  }
  // CONNECT is for forward proxies, and TRACE would show a visitor the fields that the tunnel adds.
  if (method === 'CONNECT' || method === 'TRACE') return METHOD_REFUSED;
  const codings = valuesOf(rawHeaders, 'transfer-encoding');
  if (codings.length > 0 && httpVersion === '1.0') return badRequest('HTTP/1.0 has no Transfer-Encoding.');
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== 'chunked')) {
    return badRequest('The only Transfer-Encoding that this server takes is "chunked".');
  }
  if (codings.length > 0 && valuesOf(rawHeaders, 'content-length').length > 0) {
    return badRequest('A request has either a Content-Length or a Transfer-Encoding.');
  }
  const hosts = valuesOf(rawHeaders, 'host');
  if (hosts.length > 1) return badRequest('The request has several Host headers.');
  if (hosts.length === 0 && httpVersion !== '1.0') return badRequest('The request has no Host header.');
  const [authority = ''] = hosts;
  const host = hostOf(authority);
  if (host === undefined) return badRequest('The Host header does not name a host.');
  const [, , namedAuthority, path = ''] = ABSOLUTE.exec(url) ?? [];
  if (namedAuthority !== undefined) {
    const isSame = hostOf(namedAuthority) === host && namedAuthority !== '';
    if (!isSame) return badRequest('The request target and the Host header name different hosts.');
    return { host, authority, target: path.startsWith('/') ? path : `/${path}` };
  }
  if (!url.startsWith('/') && !(url === '*' && method === 'OPTIONS')) {
    return badRequest('The request target is not a path.');
  }
  return { host, authority, target: url };
}

/** Every value of a header, in order. `name` is in lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const each = rawHeaders[index] ?? '';
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}

/** Undefined for what is not an authority. */
function hostOf(authority: string): string | undefined {
  const [whole, host = '', port] = AUTHORITY.exec(authority) ?? [];
  if (whole === undefined || Number(port ?? 0) > 0xffff) return undefined;
  return host.toLowerCase().replace(/\.$/, '');
}
