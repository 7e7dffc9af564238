import { cases, type CorpusCase, get, head, HOST, post, SMUGGLED } from '../corpus-case.ts';

/** A body that is empty for those who read chunks, and whole for those who count. */
const BODY = `0\r\n\r\n${SMUGGLED}`;

/** Whoever reads chunks finds `/smuggled` behind the body; whoever counts, does not. */
const counted = (...fields: readonly string[]): string => post([`Content-Length: ${BODY.length}`, ...fields], BODY);
/** Whoever counts finds `/smuggled` behind four bytes. */
const chunked = (...fields: readonly string[]): string =>
  post(['Content-Length: 4', ...fields], `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`);
/** Without a Content-Length. */
const coded = (...fields: readonly string[]): string => post(fields, '5\r\nhello\r\n0\r\n\r\n');
const length = (value: string): string => post([`Content-Length:${value}`], 'hello');

/** Where a body ends: Content-Length and Transfer-Encoding. */
export const lengthCases: readonly CorpusCase[] = cases({
  'a body with its length': length(' 5'),
  'a chunked body': coded('Transfer-Encoding: chunked'),

  'a length and chunks, and it counts right': counted('Transfer-Encoding: chunked'),
  'chunks and a length, and it counts right': post(
    ['Transfer-Encoding: chunked', `Content-Length: ${BODY.length}`],
    BODY,
  ),
  'a length that is too short, and chunks': chunked('Transfer-Encoding: chunked'),
  'chunks, and a length of 0': post(['Transfer-Encoding: chunked', 'Content-Length: 0'], '5\r\nhello\r\n0\r\n\r\n'),
  'a length, and a coding with a letter before it': counted('Transfer-Encoding: xchunked'),
  'a length, and a coding with a space before the colon': counted('Transfer-Encoding : chunked'),
  'a length, and a coding with a tab before the colon': counted('Transfer-Encoding\t: chunked'),
  'a length, and a coding behind a tab': counted('Transfer-Encoding:\tchunked'),
  'a length, and a coding without a space': counted('Transfer-Encoding:chunked'),
  'a length, and a coding behind a vertical tab': counted('Transfer-Encoding: \vchunked'),
  'a length, and a coding with a space before its name': counted(' Transfer-Encoding: chunked'),
  'a length, and a coding behind a bare line feed': counted('A: b\nTransfer-Encoding: chunked'),
  'a length, and a coding behind a bare carriage return': counted('A: b\rTransfer-Encoding: chunked'),
  'a length, and a coding on the next line': counted('Transfer-Encoding:', ' chunked'),
  'a length, and a coding across two lines': counted('Transfer-Encoding: chu', ' nked'),
  'a length, and a coding with its colon on the next line': counted('Transfer-Encoding', ' : chunked'),
  'a length, and a coding in quotes': counted('Transfer-Encoding: "chunked"'),
  'a length, and a coding with NUL': counted('Transfer-Encoding: chunked\0'),
  'a length, and a coding with a parameter': counted('Transfer-Encoding: chunked;a=b'),
  'a length, and an empty coding': counted('Transfer-Encoding:'),
  'a length, and a coding with a comma before it': counted('Transfer-Encoding: ,chunked'),
  'a length, and a coding with a comma behind it': counted('Transfer-Encoding: chunked,'),
  'a length, and the coding identity': counted('Transfer-Encoding: identity'),
  'a length, and identity before chunked': counted('Transfer-Encoding: identity, chunked'),
  'a length, and chunked before identity': counted('Transfer-Encoding: chunked, identity'),
  'a length, and a coding with an underscore': counted('Transfer_Encoding: chunked'),
  'a length, and a coding with a semicolon in its name': counted('Transfer-Encoding;: chunked'),
  'a length, and a coding with a space in its name': counted('Transfer Encoding: chunked'),
  'a length, and a coding in upper case': counted('TRANSFER-ENCODING: CHUNKED'),
  'a length, and two codings, the second unknown': counted('Transfer-Encoding: chunked', 'Transfer-Encoding: x'),
  'a length, and two codings, the first unknown': counted('Transfer-Encoding: x', 'Transfer-Encoding: chunked'),

  'chunked in mixed case': coded('transfer-encoding: chunKED'),
  'chunked with a space behind it': coded('Transfer-Encoding: chunked '),
  'chunked twice in one line': coded('Transfer-Encoding: chunked, chunked'),
  'chunked twice': coded('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
  'gzip before chunked': coded('Transfer-Encoding: gzip, chunked'),
  'gzip before chunked, in two lines': coded('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'),
  'chunked before gzip': coded('Transfer-Encoding: chunked, gzip'),
  'gzip without chunked': coded('Transfer-Encoding: gzip'),
  'xchunked without a length': coded('Transfer-Encoding: xchunked'),
  'chunkedx without a length': coded('Transfer-Encoding: chunkedx'),
  'identity without a length': coded('Transfer-Encoding: identity'),
  'an empty coding without a length': coded('Transfer-Encoding:'),
  'HTTP/1.0 with chunks': head('POST /case HTTP/1.0', `Host: ${HOST}`, 'Transfer-Encoding: chunked') + BODY,
  'HTTP/1.0 with chunks and a length':
    head('POST /case HTTP/1.0', `Host: ${HOST}`, `Content-Length: ${BODY.length}`, 'Transfer-Encoding: chunked') + BODY,
  'HTTP/1.0 with a length, that stays connected':
    head('POST /case HTTP/1.0', `Host: ${HOST}`, 'Content-Length: 5', 'Connection: keep-alive') + 'hello',

  'two equal lengths': post(['Content-Length: 5', 'Content-Length: 5'], 'hello'),
  'two lengths, the second longer': post(
    ['Content-Length: 5', `Content-Length: ${5 + SMUGGLED.length}`],
    `hello${SMUGGLED}`,
  ),
  'two lengths, the first longer': post(
    [`Content-Length: ${5 + SMUGGLED.length}`, 'Content-Length: 5'],
    `hello${SMUGGLED}`,
  ),
  'a list of equal lengths': length(' 5, 5'),
  'a list of lengths': length(' 5, 6'),
  'a second length with a space before the colon': post(
    ['Content-Length: 5', `Content-Length : ${5 + SMUGGLED.length}`],
    `hello${SMUGGLED}`,
  ),
  'a second length with an underscore': post(['Content-Length: 5', 'Content_Length: 500'], 'hello'),
  'a length with a sign': length(' +5'),
  'a negative length': length(' -5'),
  'a length of minus 0': length(' -0'),
  'a length in hexadecimal': length(' 0x5'),
  'a length with zeros before it': length(' 0005'),
  'a length with a fraction': length(' 5.0'),
  'a length with an exponent': length(' 5e0'),
  'a length of two numbers': length(' 5 5'),
  'a length in words': length(' five'),
  'a length in quotes': length(' "5"'),
  'a length with an underscore in it': length(' 0_5'),
  'a length in full-width digits': length(' \xef\xbc\x95'),
  'a length behind spaces and tabs': length(' \t 5 \t '),
  'a length behind a vertical tab': length(' \v5'),
  'a length with NUL': length(' 5\0'),
  'a length with a semicolon': length(' 5;'),
  'a length on a folded line': length('\r\n 5'),
  'an empty length': length(''),
  'a length of 2^31': length(` ${2 ** 31}`),
  'a length of 2^53 and 1': length(' 9007199254740993'),
  'a length of 2^63': length(' 9223372036854775808'),
  'a length of 2^64 and 5': length(' 18446744073709551621'),
  'a length of 40 digits': length(` ${'9'.repeat(40)}`),
  'a length with 40 zeros before it': length(` ${'0'.repeat(40)}5`),
  'a length that is too long': length(' 1000'),
  'a length that is too short': length(' 3'),

  'no length, and a body': post([], 'hello'),
  'GET with a body': get('/case', 'Content-Length: 5') + 'hello',
  'GET with a body in chunks': get('/case', 'Transfer-Encoding: chunked') + '5\r\nhello\r\n0\r\n\r\n',
  'GET with a length of 0': get('/case', 'Content-Length: 0'),
  'HEAD with a body': head('HEAD /case HTTP/1.1', `Host: ${HOST}`, 'Content-Length: 5') + 'hello',
  'DELETE with a body': head('DELETE /case HTTP/1.1', `Host: ${HOST}`, 'Content-Length: 5') + 'hello',
  'OPTIONS with a body': head('OPTIONS /case HTTP/1.1', `Host: ${HOST}`, 'Content-Length: 5') + 'hello',
  'TRACE with a body': head('TRACE /case HTTP/1.1', `Host: ${HOST}`, 'Content-Length: 5') + 'hello',

  'a length that Connection names': counted('Connection: Content-Length'),
  'a coding that Connection names': post(
    ['Connection: Transfer-Encoding', 'Transfer-Encoding: chunked'],
    `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  ),
  'a Host that Connection names': get('/case', 'Connection: Host'),
});
