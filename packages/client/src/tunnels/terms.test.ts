import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { HttpOptions, TunnelOptions } from '../options.ts';
import { termsOf } from './terms.ts';

const SALT = new Uint8Array(16).fill(7);
const target = { host: 'localhost', port: 3000 };
const networks = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `10.0.0.${index}`);

it('says what the server is to check', () => {
  expect(termsOf({ target }, SALT)).toEqual([]);
  const options = { target, allow: ['10.0.0.0/8', '::1'], deny: ['10.9.0.0/16'], maxConnections: 5 };
  expect(termsOf(options, SALT)).toEqual([
    { term: 'allow', network: '10.0.0.0/8' },
    { term: 'allow', network: '::1' },
    { term: 'deny', network: '10.9.0.0/16' },
    { term: 'max-connections', limit: 5 },
  ]);
  expect(termsOf({ target, allow: networks(200), deny: networks(55), maxConnections: 5 }, SALT)).toHaveLength(256);
});

it.each<Omit<TunnelOptions, 'target'>>([
  { allow: ['example.org'] },
  { deny: ['10.0.0.0/33'] },
  { allow: networks(200), deny: networks(57) },
  { maxConnections: 0 },
  { maxConnections: 1.5 },
  { maxConnections: Number.NaN },
  { maxConnections: 2 ** 32 },
])('%j cannot be met', (options) => {
  expect(() => termsOf({ target, ...options }, SALT)).toThrow(expect.objectContaining({ code: 'usage' }));
});

it('says what the server is to do with requests', () => {
  expect(termsOf({ target, http: {} }, SALT)).toEqual([]);
  expect(termsOf({ target, http: { hostHeader: 'keep', host: 'shop', upstream: 'https' } }, SALT)).toEqual([]);
  expect(termsOf({ target, http: { upstream: 'h2c' } }, SALT)).toEqual([{ term: 'upstream', speaks: 'h2c' }]);
  const http: HttpOptions = {
    basicAuth: ['me:se:same'],
    hostHeader: 'local',
    setHeaders: [{ name: 'X-Key', value: 'a b' }],
    removeHeaders: ['Cookie'],
    setResponseHeaders: [{ name: 'X-Robots-Tag', value: 'noindex' }],
  };
  const digest = new Uint8Array(
    createHash('sha256')
      .update(Buffer.concat([SALT, Buffer.from('me:se:same')]))
      .digest(),
  );
  expect(termsOf({ target, maxConnections: 2, http }, SALT)).toEqual([
    { term: 'max-connections', limit: 2 },
    { term: 'basic-auth', salt: SALT, digest },
    { term: 'host-header', host: 'localhost:3000', rewritesOrigin: true },
    { term: 'set-header', name: 'X-Key', value: 'a b' },
    { term: 'remove-header', name: 'Cookie' },
    { term: 'set-response-header', name: 'X-Robots-Tag', value: 'noindex' },
  ]);
});

it.each<[TunnelOptions['target'], string, string, boolean]>([
  [{ host: '::1', port: 80 }, 'local', '[::1]:80', true],
  [{ path: '/run/app.sock' }, 'local', 'localhost', true],
  [() => {}, 'local', 'localhost', true],
  [target, 'app.lan:8080', 'app.lan:8080', false],
])('shows the service at %j by %s the Host %s', (service, hostHeader, host, rewritesOrigin) => {
  const terms = termsOf({ target: service, http: { hostHeader } }, SALT);
  expect(terms).toEqual([{ term: 'host-header', host, rewritesOrigin }]);
});

it.each<[Omit<TunnelOptions, 'target'>, string]>([
  [{ http: {}, port: 80 }, 'a port does not go with it'],
  [{ http: {}, proxyProtocol: 'v1' }, 'a PROXY header does not go with it'],
  [{ http: { host: '' } }, 'the name is missing'],
  [{ http: { host: 'x'.repeat(64) } }, 'a part of a host name has at most 63 characters'],
  [{ http: { hostHeader: 'a b' } }, 'a name has no scheme'],
  [{ http: { basicAuth: ['a:b', 'sesame'] } }, 'credentials are a user, a colon and a password'],
  [{ http: { basicAuth: ['sesame:\n'] } }, 'control characters'],
  [{ http: { setHeaders: [{ name: 'X Y', value: '' }] } }, '"X Y" is not a valid header name'],
  [{ http: { setHeaders: [{ name: 'X', value: 'sesame\r\nY: z' }] } }, 'a character that no header can have'],
  [{ http: { setHeaders: [{ name: 'hOst', value: 'a' }] } }, 'has an option of its own'],
  [{ http: { removeHeaders: ['Transfer-Encoding'] } }, 'belongs to the connection'],
  [{ http: { setResponseHeaders: [{ name: 'X', value: 'x'.repeat(8_193) }] } }, 'at most 8192 characters'],
  [{ http: { removeHeaders: Array.from({ length: 257 }, () => 'X') } }, 'at most 256'],
])('%j does not go', (options, reason) => {
  const told = {
    code: 'usage',
    detail: expect.stringContaining(reason) as string,
    message: expect.not.stringContaining('sesame') as string,
  };
  expect(() => termsOf({ target, ...options }, SALT)).toThrow(expect.objectContaining(told));
});
