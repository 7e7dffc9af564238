import { type ErrorCode, type Hint, TunnelError } from '@tunnel/shared';
import { encodeKey, generateIdentity } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { withHint } from './refusal-hint.ts';

const { privateKey: identity, publicKey } = generateIdentity();

function hintFor(code: ErrorCode, secret: string | undefined): Hint {
  return withHint(new TunnelError(code), { identity, secret }).hint;
}

test('a refused secret that looks as if something were left around it', () => {
  expect(hintFor('secret-refused', 'sesame')).toEqual({ id: 'secret-refused' });
  const oddity = 'begins and ends with a quotation mark';
  expect(hintFor('secret-refused', '"sesame"')).toEqual({ id: 'secret-suspicious', oddity });
  expect(hintFor('key-refused', '"sesame"')).toMatchObject({ id: 'key-and-secret-refused', oddity });
});

test('a server that wants a secret did not reject one that nobody gave', () => {
  const refused = withHint(new TunnelError('secret-refused'), { identity, secret: undefined });
  expect(refused.hint).toEqual({ id: 'secret-not-given' });
  expect(refused.message).toBe('the server rejected the secret: none was given');
});

test('a client that is refused names its key', () => {
  const key = encodeKey(publicKey);
  expect(hintFor('key-refused', undefined)).toEqual({ id: 'key-not-listed', publicKey: key });
  expect(hintFor('key-refused', 'sesame')).toEqual({
    id: 'key-and-secret-refused',
    publicKey: key,
    oddity: undefined,
  });
});

test('every other failure keeps its hint', () => {
  const error = new TunnelError('tcp-refused');
  expect(withHint(error, { identity, secret: '"sesame"' })).toBe(error);
});
