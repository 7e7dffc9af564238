import { expect, test } from 'vitest';
import { firstLine, isUtf16, oddityOf } from './text.ts';

test.each([
  ['secret', 'secret'],
  ['secret\n', 'secret'],
  ['secret\r\n', 'secret'],
  ['\uFEFFsecret\r\nmore', 'secret'],
  [' secret ', ' secret '],
  ['\nsecret', ''],
  ['', ''],
])('%j is the line %j', (text, line) => {
  expect(firstLine(text)).toBe(line);
});

test.each([
  ['secret', undefined],
  ['s', undefined],
  ['', undefined],
  [`it's "quoted" inside`, undefined],
  ['"secret"', 'begins and ends with a quotation mark'],
  [`'secret'`, 'begins and ends with a quotation mark'],
  ['“secret”', 'begins and ends with a quotation mark'],
  ['secret"', 'ends with a quotation mark'],
  [' secret', 'begins with a blank'],
  ['secret\t', 'ends with a blank'],
  ['secret\u00A0', 'ends with a blank'],
  ['secret\n', 'ends with a blank'],
  [' "secret" ', 'begins and ends with a blank and begins and ends with a quotation mark'],
  ['two\nlines', 'has a line end in it'],
])('%j %s', (value, oddity) => {
  expect(oddityOf(value)).toBe(oddity);
});

test('UTF-16 is known by its zeros, with and without a mark, whichever way round', () => {
  const little = Buffer.from('# secret\n', 'utf16le');
  const big = Buffer.from(little).swap16();
  const marks = { little: Buffer.of(0xff, 0xfe), big: Buffer.of(0xfe, 0xff) };
  for (const bytes of [little, big, Buffer.concat([marks.little, little]), Buffer.concat([marks.big, big])]) {
    expect(isUtf16(bytes.toString('utf8'))).toBe(true);
  }
  for (const text of ['', 's', 'secret', '\uFEFFsecret', 'größe', '\uFFFD\uFFFDlatin'])
    expect(isUtf16(text)).toBe(false);
});
