import { expect, test } from 'vitest';
import { formatIdentity, generateIdentity, parseIdentity } from './keys.ts';

const identity = generateIdentity();
const text = formatIdentity(identity);

test.each([text, `\uFEFF${text}`, text.replaceAll('\n', '\r\n'), `${text}\n\n`])(
  'an identity as an editor may leave it: %j',
  (saved) => {
    expect(parseIdentity(saved, '/key')).toEqual(identity);
  },
);

test('an identity in UTF-16', () => {
  const saved = Buffer.from(`\uFEFF${text}`, 'utf16le').toString('utf8');
  expect(() => parseIdentity(saved, '/key')).toThrow(
    expect.objectContaining({
      code: 'state-damaged',
      detail: '/key, line 1: it is in UTF-16',
      hint: { id: 'utf16' },
    }),
  );
});

test('a key in quotation marks', () => {
  expect(() => parseIdentity(text.replace(/^(\S+)$/m, '"$1"'), '/key')).toThrow(
    expect.objectContaining({
      code: 'state-damaged',
      detail: '/key, line 2: the key begins and ends with a quotation mark',
    }),
  );
});
