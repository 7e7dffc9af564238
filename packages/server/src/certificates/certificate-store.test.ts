import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CertificateStore, type KeyPair } from './certificate-store.ts';

/** A new certificate for these names. */
function certificateFor(commonName: string, ...names: readonly string[]): KeyPair {
  const directory = mkdtempSync(join(tmpdir(), 'tunnel-test-'));
  try {
    const files = { cert: join(directory, 'cert'), key: join(directory, 'key') };
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key];
    const args = ['req', '-x509', ...key, '-out', files.cert, '-days', '2', '-subj', `/CN=${commonName}`];
    if (names.length > 0) args.push('-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`);
    execFileSync('openssl', args, { stdio: 'pipe' });
    return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// On Windows openssl may be missing.
describe.runIf(process.platform !== 'win32')('a hello gets the certificate', () => {
  const store = new CertificateStore();
  const [first, wildcard, exact] = [
    certificateFor('first', 'tunnel.example.org', 'www.example.net'),
    certificateFor('wildcard', '*.tunnel.example.org'),
    certificateFor('exact', 'Shop.tunnel.example.org', '*.tunnel.example.org'),
  ];
  store.put('first', first, true);
  store.put('wildcard', wildcard, true);
  store.put('exact', exact, false);
  const contexts = {
    first: store.contextFor('tunnel.example.org'),
    wildcard: store.contextFor('other.tunnel.example.org'),
    exact: store.contextFor('shop.tunnel.example.org'),
  };

  test.each<[string, keyof typeof contexts | undefined]>([
    ['www.example.net', 'first'],
    ['a.tunnel.example.org', 'wildcard'],
    ['A.Tunnel.Example.ORG', 'wildcard'],
    ['SHOP.tunnel.example.org.', 'exact'],
    ['a.b.tunnel.example.org', undefined],
    ['example.net', undefined],
    ['first', undefined],
    ['', undefined],
    ['*', undefined],
    ['__proto__', undefined],
  ])('for %s: %s', (name, which) => {
    expect(new Set(Object.values(contexts)).size).toBe(3);
    expect(store.contextFor(name)).toBe(which && contexts[which]);
    expect(store.covers(name)).toBe(which !== undefined);
  });

  test('of the first pair where none fits, told whenever it is another one', () => {
    const told: KeyPair[] = [];
    store.onFallback((pair) => told.push(pair));
    expect(store.fallback).toBe(first);
    const next = certificateFor('only.example.org');
    store.put('first', next, true);
    store.put('exact', exact, false);
    expect(told).toEqual([next]);
    expect(store.fallback).toBe(next);
    expect(store.covers('only.example.org')).toBe(true);
    expect(store.covers('tunnel.example.org')).toBe(false);
    store.remove('exact');
    expect(store.contextFor('shop.tunnel.example.org')).toBe(contexts.wildcard);
  });

  test('or none, where nothing may stand in', () => {
    const granted = new CertificateStore();
    granted.put('a', exact, false);
    expect(granted.fallback).toBeUndefined();
    expect(granted.contextFor('b.example.org')).toBeUndefined();
  });
});
