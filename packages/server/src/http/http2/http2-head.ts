import { MAX_HEAD_BYTES } from '../../front/http-limits.ts';
import { badRequest, HEAD_TOO_LARGE, type Refusal } from '../messages/refusals.ts';
import { fromHttp2 } from './fields.ts';

/** nghttp2 lets bytes above ASCII pass, as the parser of HTTP/1.1 does. A space would end the target there. */
const TARGET = /^[\u0021-\u007e\u0080-\u00ff]+$/;

/** What `: ` and the end of the line add to a header in HTTP/1.1, in bytes. */
const FIELD_OVERHEAD_BYTES = 4;

/** The head of a request in HTTP/2, in terms of HTTP/1.1. */
export interface Http2Head {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly hasBody: boolean;
  /** Why nobody should be asked, if that is clear already. */
  readonly refusal: Refusal | undefined;
}

/** `endsWithHead`: there is no body. */
export function readHttp2Head(rawFields: readonly string[], endsWithHead: boolean): Http2Head {
  const { pseudo, rawHeaders } = fromHttp2(rawFields);
  const { ':method': method = '', ':authority': authority, ':path': url = '' } = pseudo;
  const host = valueOf(rawHeaders, 'host');
  if (host === undefined && authority !== undefined) rawHeaders.unshift('host', authority);
  const refusal = refusalOf(
    rawFields,
    method,
    url,
    host !== undefined && authority !== undefined && host !== authority,
  );
  if (!endsWithHead && valueOf(rawHeaders, 'content-length') === undefined) {
    rawHeaders.push('transfer-encoding', 'chunked');
  }
  return { method, url, rawHeaders, hasBody: !endsWithHead, refusal };
}

function refusalOf(
  rawFields: readonly string[],
  method: string,
  url: string,
  namesTwoHosts: boolean,
): Refusal | undefined {
  let bytes = 0;
  for (const text of rawFields) bytes += text.length;
  if (bytes + (rawFields.length / 2) * FIELD_OVERHEAD_BYTES > MAX_HEAD_BYTES) return HEAD_TOO_LARGE;
  if (namesTwoHosts) return badRequest('The authority and the Host header of the request differ.');
  return TARGET.test(url) || method === 'CONNECT' ? undefined : badRequest('The request target is not a path.');
}

function valueOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] === name) return rawHeaders[index + 1];
  }
  return undefined;
}
