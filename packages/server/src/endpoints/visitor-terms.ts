import { type Term, TunnelError } from '@tunnel/shared';

const VISITOR_TERMS: ReadonlySet<Term['term']> = new Set(['allow', 'deny', 'max-connections', 'unknown']);

/** For kinds that only let visitors in, and change nothing of what they say. Unknown terms are refused elsewhere. */
export function requireVisitorTerms(terms: readonly Term[]): void {
  const other = terms.find(({ term }) => !VISITOR_TERMS.has(term));
  if (other) throw new TunnelError('terms-refused', { detail: `${other.term} is for HTTP tunnels only` });
}
