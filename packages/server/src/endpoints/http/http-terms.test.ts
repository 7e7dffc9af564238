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

test.each(['', 'a b', 'a\r\nX: y', 'user@host', 'host/path', 'host:', '[::1'])('the host-header %j cannot', (host) => {
  expect(refusalOf({ term: 'host-header', host, rewritesOrigin: false })).toBe('the host-header is not a host');
});

test.each<Term>([
  { term: 'set-header', name: 'X Env', value: 'x' },
  { term: 'set-header', name: 'X-Env', value: 'a\r\nb' },
  { term: 'set-header', name: 'Host', value: 'x' },
  { term: 'remove-header', name: 'Content-Length' },
  { term: 'set-response-header', name: 'Transfer-Encoding', value: 'chunked' },
])('%j cannot', (term) => {
  expect(refusalOf({ term: 'max-connections', limit: 1 }, term)).toContain('header');
});

test('headers of one tunnel have a bound together', () => {
  const header = { term: 'set-header', name: 'x'.repeat(8), value: 'y'.repeat(8_184) } as const;
  expect(refusalOf(header, header)).toBeUndefined();
  expect(refusalOf(header, header, { term: 'remove-header', name: 'z' })).toBe(
    'headers of a tunnel have at most 16384 characters',
  );
});
