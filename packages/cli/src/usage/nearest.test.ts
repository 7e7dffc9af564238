import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const words = ['port', 'to', 'secret', 'secret-file', 'no-reconnect', 'max-reconnect-delay'];

test.each([
  ['prot', 'port'],
  ['secert', 'secret'],
  ['secretfile', 'secret-file'],
  ['reconnect', 'no-reconnect'],
  ['max-recconect-delay', 'max-reconnect-delay'],
  ['t', 'to'],
  ['proxy', undefined],
  ['x', undefined],
  ['', undefined],
])('%s is probably %s', (text, word) => {
  expect(nearest(text, words)).toBe(word);
});
