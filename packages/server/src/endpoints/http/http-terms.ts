import { type Term, TunnelError } from '@tunnel/shared';
import { httpTermsOf } from '../../http/terms.ts';

/** Names and values of headers in the terms of one tunnel, in characters: the server keeps them as long as the tunnel. */
const HEADER_TERM_LIMIT = 16_384;

/** A name or an address, and perhaps a port. */
const HOST_HEADER = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** Throws `terms-refused` if no request could meet one of them. Those that decide who is let in are not looked at. */
export function requireHttpTerms(terms: readonly Term[]): void {
  let headerLength = 0;
  for (const term of terms) {
    if (term.term === 'host-header' && !HOST_HEADER.test(term.host)) {
      throw new TunnelError('terms-refused', { detail: 'the host-header is not a host' });
    }
    if ('name' in term) headerLength += term.name.length + ('value' in term ? term.value.length : 0);
  }
  if (headerLength > HEADER_TERM_LIMIT) {
    const detail = `headers of a tunnel have at most ${HEADER_TERM_LIMIT} characters`;
    throw new TunnelError('terms-refused', { detail });
  }
  httpTermsOf(terms);
}
