import { expect, test } from 'vitest';
import { fromHttp2, toHttp2 } from './fields.ts';

test('what belongs to a connection of HTTP/1.1 is left out, and names are in lower case', () => {
  const raw = ['Connection', 'X', 'Keep-Alive', '5', 'Upgrade', 'h2c', 'Transfer-Encoding', 'chunked', 'TE', 'gzip'];
  expect({ ...toHttp2([...raw, 'X-Kept', '1']) }).toEqual({ 'x-kept': '1' });
  expect({ ...toHttp2(['TE', 'trailers']) }).toEqual({ te: 'trailers' });
});

test('several values of a name stay several, but for those that Node takes only one of', () => {
  const raw = ['Set-Cookie', 'a', 'set-cookie', 'b', 'Age', '1', 'age', '1', 'Location', '/a', 'Location', '/b'];
  expect({ ...toHttp2(raw) }).toEqual({ 'set-cookie': ['a', 'b'], age: '1', location: '/a, /b' });
});

test('names that objects have are names of headers', () => {
  expect(Object.entries(toHttp2(['__proto__', '1', 'constructor', '2']))).toEqual([
    ['__proto__', '1'],
    ['constructor', '2'],
  ]);
});

test('the crumbs of a cookie become one, at the place of the first', () => {
  expect(fromHttp2([':path', '/', 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2'])).toEqual({
    pseudo: { ':path': '/' },
    rawHeaders: ['cookie', 'a=1; b=2', 'x', 'y'],
  });
});
