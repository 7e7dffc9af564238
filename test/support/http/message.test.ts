import { describe, expect, test } from 'vitest';
import type { Message, MessageKind } from './message.ts';
import { MessageReader } from './message-reader.ts';

/** All at once, and byte by byte: the same comes out. */
function read(text: string, ending: 'end' | 'reset' | undefined, kinds: readonly MessageKind[]): MessageReader {
  const bytes = Buffer.from(text, 'latin1');
  const readers = [bytes.length, 1].map((partBytes) => {
    const reader = new MessageReader((index) => kinds[index] ?? kinds[0]!);
    for (let start = 0; start < bytes.length; start += partBytes) reader.push(bytes.subarray(start, start + partBytes));
    if (ending !== undefined) reader.end(ending);
    return reader;
  });
  expect(readers[1]!.complete).toEqual(readers[0]!.complete);
  expect(readers[1]!.partial).toEqual(readers[0]!.partial);
  expect(readers[1]!.rest).toEqual(readers[0]!.rest);
  return readers[0]!;
}

const shown = ({ startLine, body, isComplete }: Message): string =>
  `${startLine}: ${body.toString('latin1')}${isComplete ? '' : ' …'}`;

describe('messages', () => {
  test('keep their fields as they stood', () => {
    const { complete } = read('GET /\xe4 HTTP/1.1\r\nx-A:  b \xff c\t\r\nX-a:\r\nX-A: b\r\n\r\n', undefined, [
      'request',
    ]);
    expect(complete).toMatchObject([
      {
        startLine: 'GET /\xe4 HTTP/1.1',
        fields: [
          ['x-A', 'b \xff c'],
          ['X-a', ''],
          ['X-A', 'b'],
        ],
        framing: 'none',
      },
    ]);
  });

  test('of several requests are told apart', () => {
    const text =
      'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET';
    const { complete, rest } = read(text, undefined, ['request']);
    expect(complete.map(shown)).toEqual(['POST / HTTP/1.1: abc', 'PUT / HTTP/1.1: de', 'GET / HTTP/1.1: ']);
    expect(complete[1]?.trailers).toEqual([['T', '1']]);
    expect(rest.toString()).toBe('GET');
  });

  test('that answer HEAD have no body, nor do 204 and 304; what is not final is not counted', () => {
    const length = 'Content-Length: 5\r\n\r\n';
    const text = `HTTP/1.1 200 OK\r\n${length}HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 304 \r\n${length}HTTP/1.1 204\r\n\r\nHTTP/1.1 200 OK\r\n${length}hello`;
    const reader = read(
      text,
      undefined,
      ['HEAD', 'GET', 'GET', 'GET'].map((answerTo) => ({ answerTo })),
    );
    expect(reader.complete.map(shown)).toEqual([
      'HTTP/1.1 200 OK: ',
      'HTTP/1.1 103 Early: ',
      'HTTP/1.1 304 : ',
      'HTTP/1.1 204: ',
      'HTTP/1.1 200 OK: hello',
    ]);
    expect(reader.finalCount).toBe(4);
  });

  test.each([
    ['Content-Length: 5\r\n\r\nhell', 'end', false],
    ['Content-Length: 5\r\n\r\nhell', 'reset', false],
    ['\r\nhell', 'end', true],
    ['\r\nhell', 'reset', false],
    ['\r\nhell', undefined, false],
    ['Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n', 'end', false],
    ['Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n', 'end', false],
    ['Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n\r\n', undefined, true],
    ['Transfer-Encoding: chunked\r\n\r\n5\r\nhell', 'end', false],
  ] as const)('%j with the ending %s are whole: %s', (text, ending, isWhole) => {
    const { complete, partial } = read(`HTTP/1.1 200 OK\r\n${text}`, ending, [{ answerTo: 'GET' }]);
    const [message] = [...complete, ...(partial ? [partial] : [])];
    expect(shown(message!)).toBe(`HTTP/1.1 200 OK: hell${isWhole ? '' : ' …'}`);
    expect(complete).toHaveLength(isWhole ? 1 : 0);
  });

  test.each(['HTTP/1.1 200 OK\r\nno field\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'])(
    'that are none are not taken for some: %j',
    (text) => {
      expect(() => read(text, undefined, [{ answerTo: 'GET' }])).toThrow(/^not a /);
    },
  );
});
