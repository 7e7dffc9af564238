import { cases, type CorpusCase, get, head, HOST } from '../corpus-case.ts';

const field = (...lines: readonly string[]): string => get('/case', ...lines);
/** A head of so many bytes. */
const headOf = (bytes: number): string => {
  const filler = field('A: ');
  return field(`A: ${'a'.repeat(bytes - filler.length)}`);
};
const KIBIBYTE = 1024;

/** The lines of a head: their ends, names, values, and how many and how long. */
export const fieldCases: readonly CorpusCase[] = cases({
  'a field on a folded line': field('A: b', ' c'),
  'a field on a line folded with a tab': field('A: b', '\tc'),
  'a field on a folded line that looks like a field': field('A: b', ' X-Smuggled: 1'),
  'a folded line of spaces': field('A: b', '   '),
  'a folded line before the first field': head('GET /case HTTP/1.1', ' A: b', `Host: ${HOST}`),
  'a bare line feed behind each line': `GET /case HTTP/1.1\nHost: ${HOST}\nA: b\n\n`,
  'a bare line feed behind a field': field('A: b\nX-Smuggled: 1'),
  'a bare line feed as the last line': `GET /case HTTP/1.1\r\nHost: ${HOST}\r\nA: b\r\n\n`,
  'two bare line feeds as the end': `GET /case HTTP/1.1\r\nHost: ${HOST}\n\n`,
  'a bare carriage return in a value': field('A: b\rX-Smuggled: 1'),
  'a bare carriage return before a value': field('A:\rb'),
  'a bare carriage return behind each line': `GET /case HTTP/1.1\rHost: ${HOST}\r\r`,
  'a carriage return too many behind a field': field('A: b\r'),
  'a carriage return too many before the end': `GET /case HTTP/1.1\r\nHost: ${HOST}\r\n\r\r\n`,
  'a carriage return by itself as a line': field('\r', 'X-Smuggled: 1'),

  'NUL in a value': field('A: b\0c'),
  'NUL in a name': field('A\0: b'),
  'a control character in a value': field('A: b\x01c'),
  'an escape character in a value': field('A: \x1b[31mred'),
  'a vertical tab in a value': field('A: b\vc'),
  'DEL in a value': field('A: b\x7fc'),
  'a tab in a value': field('A: b\tc'),
  'spaces around a value': field('A: \t b \t '),
  'an empty value': field('A:'),
  'a value in raw UTF-8': field('A: \xe2\x82\xac'),
  'a value in raw latin1': field('A: \xe4'),
  'a value with bytes that are line ends when cut to 8 bits': field('A: b\xc4\x8d\xc4\x8aX-Smuggled: 1'),
  'a value of all printable characters': field(
    `A: ${String.fromCodePoint(...Array.from({ length: 94 }, (_, i) => 33 + i))}`,
  ),

  'an empty name': field(': b'),
  'an empty name, with a space': field(' : b'),
  'a colon by itself': field(':'),
  'a line without a colon': field('A'),
  'a name with a space': field('A b: c'),
  'a name with a tab': field('A\tb: c'),
  'a space before the colon': field('A : b'),
  'a tab before the colon': field('A\t: b'),
  'a name in raw UTF-8': field('\xc3\xa4: b'),
  'a name with a control character': field('A\x01: b'),
  'a name with DEL': field('A\x7f: b'),
  'a name with an at sign': field('A@b: c'),
  'a name with parentheses': field('A(b): c'),
  'a name with a slash': field('A/b: c'),
  'a name with quotes': field('"A": b'),
  'a name with an underscore': field('A_b: c'),
  'a name with an underscore that stands for a known one': field('X_Forwarded_For: 192.0.2.1'),
  'a name with a dot': field('A.b: c'),
  'a name of all characters that it may have': field("!#$%&'*+-.^_`|~09AZaz: b"),
  'a name of a property of all objects': field('__proto__: a', 'constructor: b', 'toString: c', 'hasOwnProperty: d'),
  'a name of HTTP/2': field(':authority: other.localhost', ':path: /smuggled'),

  'where it comes from, told by the visitor': field('X-Forwarded-For: 192.0.2.1', 'X-Real-IP: 192.0.2.1'),
  'which host it is for, told by the visitor': field('X-Forwarded-Host: other.localhost', 'X-Host: other.localhost'),
  'how it came, told by the visitor': field('X-Forwarded-Proto: https', 'X-Forwarded-Port: 443'),
  'the standard field about who is in front, told by the visitor': field(
    'Forwarded: for=192.0.2.1;host=other.localhost',
  ),
  'another target, told by the visitor': field('X-Original-URL: /smuggled', 'X-Rewrite-URL: /smuggled'),
  'another method, told by the visitor': field('X-HTTP-Method-Override: DELETE'),
  'a field that Connection names': field('Connection: X-Secret', 'X-Secret: 1'),
  'a field of ours that Connection names': field(
    'Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Via',
  ),
  'a credential and a cookie that Connection names': field('Connection: Cookie, Authorization', 'Cookie: a=b'),
  'Connection in two lines': field('Connection: keep-alive', 'Connection: X-Secret', 'X-Secret: 1'),
  'Connection with odd words': field('Connection: ,, "a", @, \xe4'),
  'Connection close and keep-alive': field('Connection: close, keep-alive'),
  'the fields of an old proxy': field(
    'Proxy-Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'Proxy-Authorization: Basic YTpi',
  ),
  'TE with trailers': field('TE: trailers, gzip;q=0.5', 'Connection: TE'),

  'trailers announced, and no body': field('Trailer: Checksum'),
  'trailers announced, and a body with its length': `${field('Trailer: Checksum', 'Content-Length: 5')}hello`,

  'a head of 60 KiB': headOf(60 * KIBIBYTE),
  'a head of 64 KiB': headOf(64 * KIBIBYTE),
  'a head of 64 KiB and one byte': headOf(64 * KIBIBYTE + 1),
  'a head of 68 KiB': headOf(68 * KIBIBYTE),
  'a head of 80 KiB in fields of 1 KiB': field(...Array.from({ length: 80 }, (_, i) => `A${i}: ${'a'.repeat(1018)}`)),
  'a field of 100 KB': field(`A: ${'a'.repeat(100_000)}`),
  'a name of 100 KB': field(`${'a'.repeat(100_000)}: b`),
  '100 fields': field(...Array.from({ length: 100 }, (_, i) => `A${i}: b`)),
  '3,000 fields': field(...Array.from({ length: 3_000 }, (_, i) => `A${i}: b`)),
  '3,000 fields, the last of them a length': `${field(...Array.from({ length: 3_000 }, (_, i) => `A${i}: b`), 'Content-Length: 5')}hello`,
  '3,000 fields of one name': field(...Array.from({ length: 3_000 }, () => 'A: b')),
  '20,000 empty lines before the request': `${'\r\n'.repeat(20_000)}${field()}`,
});
