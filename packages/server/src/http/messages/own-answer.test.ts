import { expect, test } from 'vitest';
import { answerTo, rawAnswer } from './own-answer.ts';
import { NO_SUCH_HOST, refusalOf } from './refusals.ts';

test('gRPC learns it from its own headers', () => {
  const { status, headers, body } = answerTo({ headers: { 'content-type': 'application/grpc+proto' } }, NO_SUCH_HOST);
  expect([status, headers['grpc-status'], body]).toEqual([200, '12', '']);
});

test('a raw answer is whole, and the last one', () => {
  const text = rawAnswer({ headers: {} }, NO_SUCH_HOST);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
  expect(head).toContain('Connection: close');
});

test('a code that a client made up is not repeated', () => {
  expect(refusalOf('<script>\r\n')).toMatchObject({ status: 502, code: 'stream-reset' });
});
