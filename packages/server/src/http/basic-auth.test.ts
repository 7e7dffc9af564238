import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BasicAuth } from './basic-auth.ts';

const credential = (text: string, fill: number) => {
  const salt = new Uint8Array(16).fill(fill);
  return { salt, digest: createHash('sha256').update(salt).update(text).digest() };
};
const CREDENTIALS = [credential('anna:pass', 1), credential('otto:a:b', 2)];
const header = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

const check = (auth: BasicAuth, given: string | undefined, now = 0, source = 'a'): string =>
  auth.check(given, CREDENTIALS, source, 'shop', now).kind;

test('any of the credentials fits, and nothing else', () => {
  const auth = new BasicAuth();
  expect(check(auth, header('anna:pass'))).toBe('right');
  expect(check(auth, header('otto:a:b'))).toBe('right');
  expect(check(auth, header('otto:a:b').replace('Basic', 'bAsIc'))).toBe('right');
  for (const wrong of [header('anna:pas'), header(''), 'Basic', 'Basic !', 'Bearer x', undefined, '']) {
    expect(check(auth, wrong)).toBe('wrong');
  }
});

test('ten wrong ones in a minute block an address for the rest of it, and only it', () => {
  const auth = new BasicAuth();
  for (let guess = 0; guess < 10; guess += 1) expect(check(auth, header(`anna:${guess}`), 1_000)).toBe('wrong');
  expect(auth.check(header('anna:pass'), CREDENTIALS, 'a', 'shop', 31_000)).toEqual({ kind: 'blocked', waitS: 30 });
  expect(check(auth, header('anna:pass'), 31_000, 'b')).toBe('right');
  expect(auth.check(header('anna:pass'), CREDENTIALS, 'a', 'other', 31_000).kind).toBe('right');
  expect(check(auth, header('anna:pass'), 61_000)).toBe('right');
});

test('to be asked is no guess', () => {
  const auth = new BasicAuth();
  for (let request = 0; request < 20; request += 1) expect(check(auth, undefined)).toBe('wrong');
  expect(check(auth, header('anna:pass'))).toBe('right');
});

test('endless credentials are wrong, even those of the tunnel: nothing is hashed', () => {
  const long = `anna:${'x'.repeat(5_000)}`;
  expect(new BasicAuth().check(header(long), [credential(long, 1)], 'a', 'shop', 0).kind).toBe('wrong');
});
