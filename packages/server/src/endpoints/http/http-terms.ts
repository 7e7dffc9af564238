import { validateHeaderName, validateHeaderValue } from 'node:http';
import { type Term, TunnelError } from '@tunnel/shared';

/** Names and values of headers that the terms of one tunnel have, in characters. The server keeps them as long as the tunnel. */
const HEADER_TERM_LIMIT = 16_384;

/** So much of a name that cannot be used is shown, in characters. */
const SHOWN_LENGTH = 64;

/** They say where a message ends and what a connection is, which is not the client's to say: RFC 9110, section 7.6.1, and RFC 9112. */
const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A name or an address, and perhaps a port. */
const HOST_HEADER = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** Throws `terms-refused` for what cannot be done to a request or an answer. Those that decide who is let in are not looked at. */
export function requireHttpTerms(terms: readonly Term[]): void {
  let headerLength = 0;
  for (const term of terms) {
    if (term.term === 'host-header' && !HOST_HEADER.test(term.host)) throw refused(term.term, term.host, 'not a host');
    if (!('name' in term)) continue;
    const value = 'value' in term ? term.value : '';
    requireHeader(term.term, term.name, value);
    headerLength += term.name.length + value.length;
  }
  if (headerLength > HEADER_TERM_LIMIT) {
    throw new TunnelError('terms-refused', {
      detail: `headers of a tunnel have at most ${HEADER_TERM_LIMIT} characters`,
    });
  }
}

function requireHeader(term: Term['term'], name: string, value: string): void {
  try {
    validateHeaderName(name);
  } catch {
    throw refused(term, name, 'not the name of a header');
  }
  const lowerCase = name.toLowerCase();
  if (lowerCase === 'host' && term !== 'set-response-header') throw refused(term, name, 'host-header is for that');
  if (FRAMING_HEADERS.has(lowerCase)) throw refused(term, name, 'the server decides about this header');
  try {
    validateHeaderValue(name, value);
  } catch {
    throw refused(term, name, 'a value that no header can have');
  }
}

/** Not the value: it may be a credential, and refusals are logged. */
function refused(term: string, name: string, reason: string): TunnelError {
  return new TunnelError('terms-refused', {
    detail: `${term} ${JSON.stringify(name.slice(0, SHOWN_LENGTH))}: ${reason}`,
  });
}
