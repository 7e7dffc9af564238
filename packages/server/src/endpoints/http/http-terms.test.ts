import { type Term, TunnelError } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { requireHttpTerms } from './http-terms.ts';

function refusalOf(...terms: readonly Term[]): string | undefined {
  try {
    requireHttpTerms(terms);
    return undefined;
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'terms-refused') return error.detail;
    throw error;
  }
}

test.each<Term>([
  { term: 'allow', network: '10.0.0.0/8' },
  { term: 'max-connections', limit: 3 },
  { term: 'basic-auth', salt: new Uint8Array(16), digest: new Uint8Array(32) },
  { term: 'upstream', speaks: 'h2c' },
  { term: 'host-header', host: 'localhost:3000', rewritesOrigin: true },
  { term: 'host-header', host: '[::1]:3000', rewritesOrigin: false },
  { term: 'host-header', host: 'my_app', rewritesOrigin: false },
  { term: 'set-header', name: 'X-Env', value: 'staging é' },
  { term: 'set-header', name: 'X-Empty', value: '' },
  { term: 'remove-header', name: 'cookie' },
  { term: 'set-response-header', name: 'Strict-Transport-Security', value: 'max-age=1' },
])('%j can be met', (term) => {
  expect(refusalOf(term)).toBeUndefined();
});

test.each<[Term, string]>([
  [{ term: 'host-header', host: '', rewritesOrigin: false }, 'host-header "": not a host'],
  [{ term: 'host-header', host: 'a b', rewritesOrigin: false }, 'host-header "a b": not a host'],
  [{ term: 'host-header', host: 'a\r\nX: y', rewritesOrigin: false }, 'host-header "a\\r\\nX: y": not a host'],
  [{ term: 'host-header', host: 'user@host', rewritesOrigin: false }, 'host-header "user@host": not a host'],
  [{ term: 'set-header', name: '', value: 'x' }, 'set-header "": not the name of a header'],
  [{ term: 'set-header', name: 'X Env', value: 'x' }, 'set-header "X Env": not the name of a header'],
  [{ term: 'set-header', name: 'X-Env', value: 'a\r\nb' }, 'set-header "X-Env": a value that no header can have'],
  [{ term: 'set-header', name: 'X-Env', value: '→' }, 'set-header "X-Env": a value that no header can have'],
  [{ term: 'set-header', name: 'Host', value: 'x' }, 'set-header "Host": host-header is for that'],
  [{ term: 'remove-header', name: 'HOST' }, 'remove-header "HOST": host-header is for that'],
  [
    { term: 'remove-header', name: 'Content-Length' },
    'remove-header "Content-Length": the server decides about this header',
  ],
  [
    { term: 'set-response-header', name: 'Transfer-Encoding', value: 'chunked' },
    'set-response-header "Transfer-Encoding": the server decides about this header',
  ],
])('%j cannot', (term, detail) => {
  expect(refusalOf({ term: 'max-connections', limit: 1 }, term)).toBe(detail);
});

test('headers of one tunnel have a bound together', () => {
  const header = { term: 'set-header', name: 'x'.repeat(8), value: 'y'.repeat(8_184) } as const;
  expect(refusalOf(header, header)).toBeUndefined();
  expect(refusalOf(header, header, { term: 'remove-header', name: 'z' })).toBe(
    'headers of a tunnel have at most 16384 characters',
  );
});
