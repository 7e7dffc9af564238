import { expect, test } from 'vitest';
import { authoritySources } from './system-authorities.ts';

const store = { store: 'system' };

test('on Linux the bundle of the distribution goes before the store', () => {
  expect(authoritySources(undefined, 'linux')).toEqual([
    { file: '' },
    { file: '/etc/ssl/certs/ca-certificates.crt' },
    { file: '/etc/pki/tls/certs/ca-bundle.crt' },
    { file: '/etc/ssl/ca-bundle.pem' },
    { file: '/etc/ssl/cert.pem' },
    store,
  ]);
});

test('on macOS the keychain goes before the bundle, which does not have what was added', () => {
  expect(authoritySources('/ca.pem', 'darwin')).toEqual([{ file: '/ca.pem' }, store, { file: '/etc/ssl/cert.pem' }]);
});

test('on Windows no file counts that nobody named', () => {
  expect(authoritySources('C:\\ca.pem', 'win32')).toEqual([{ file: 'C:\\ca.pem' }, store]);
  expect(authoritySources(undefined, 'win32')).toEqual([{ file: '' }, store]);
});
