import { expect, test } from 'vitest';
import { formFields, fromBase64, hexDump, imageTypeOf, isText, prettyJson, textOf, toBase64 } from './body-content.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('JSON gets a line for each value, and nothing else does', () => {
  expect(prettyJson(' {"a":[1,"ü"]}')).toBe('{\n  "a": [\n    1,\n    "ü"\n  ]\n}');
  for (const text of ['', '12', '"a"', '{', 'null', '<p>']) expect(prettyJson(text)).toBeUndefined();
});

test('the fields of both kinds of forms', () => {
  expect(formFields(bytes('a=1&b=%C3%BC+x&a='), 'application/x-www-form-urlencoded; charset=utf-8')).toEqual([
    { name: 'a', value: '1' },
    { name: 'b', value: 'ü x' },
    { name: 'a', value: '' },
  ]);
  const parts = [
    '--x--y\r\nContent-Disposition: form-data; name="größe"\r\n\r\nzwei\r\nZeilen ü\r\n',
    '--x--y\r\nContent-Disposition: form-data; name="file"; filename="<b>.bin"\r\nContent-Type: a/b\r\n\r\n\0\u0001--x\r\n',
    '--x--y--\r\n',
  ];
  for (const boundary of ['boundary=x--y', 'boundary="x--y"']) {
    expect(formFields(bytes(parts.join('')), `multipart/form-data; ${boundary}`)).toEqual([
      { name: 'größe', value: 'zwei\r\nZeilen ü' },
      { name: 'file', value: 'file <b>.bin, 5 bytes' },
    ]);
  }
  expect(formFields(bytes('a=1'), 'text/plain')).toBeUndefined();
  expect(formFields(bytes('a=1'), 'multipart/form-data')).toBeUndefined();
});

test('what is an image, and what is text', () => {
  expect(imageTypeOf('Image/PNG; a=b')).toBe('image/png');
  expect(imageTypeOf('text/html')).toBeUndefined();
  expect(isText(bytes('größer\r\n\tals \u001b[1m'))).toBe(true);
  for (const data of [[0], [0xff], [0xc3]]) expect(isText(Uint8Array.from(data))).toBe(false);
});

test('bytes in hex, with what can be read of them', () => {
  expect(hexDump(bytes('0123456789abcdefG\n'))).toBe(
    '000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n000010  47 0a                                            G.',
  );
  expect(hexDump(new Uint8Array(16 * 1024 + 7))).toMatch(/\n… 7 more bytes$/);
});

test('base64 there and back', () => {
  const data = Uint8Array.from({ length: 256 }, (_, index) => index);
  expect(fromBase64(toBase64(data))).toEqual(data);
  expect(textOf(fromBase64(toBase64(bytes('ü'))))).toBe('ü');
});
