import { expect, it } from 'vitest';
import type { TunnelOptions } from '../options.ts';
import { termsOf } from './terms.ts';

const target = { host: 'localhost', port: 3000 };
const networks = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `10.0.0.${index}`);

it('says what the server is to check', () => {
  expect(termsOf({ target })).toEqual([]);
  const options = { target, allow: ['10.0.0.0/8', '::1'], deny: ['10.9.0.0/16'], maxConnections: 5 };
  expect(termsOf(options)).toEqual([
    { term: 'allow', network: '10.0.0.0/8' },
    { term: 'allow', network: '::1' },
    { term: 'deny', network: '10.9.0.0/16' },
    { term: 'max-connections', limit: 5 },
  ]);
  expect(termsOf({ target, allow: networks(200), deny: networks(55), maxConnections: 5 })).toHaveLength(256);
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
  expect(() => termsOf({ target, ...options })).toThrow(expect.objectContaining({ code: 'usage' }));
});
