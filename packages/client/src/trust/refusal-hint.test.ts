import { ERRORS, type ErrorCode, TunnelError } from '@tunnel/shared';
import { encodeKey, generateIdentity } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { withHint } from './refusal-hint.ts';

const { privateKey: identity, publicKey } = generateIdentity();

function hintFor(code: ErrorCode, secret: string | undefined): string {
  return withHint(new TunnelError(code), { identity, secret }).hint;
}

test('a refused secret that looks as if something were left around it', () => {
  const ours = ERRORS['secret-refused'].hint;
  expect(hintFor('secret-refused', 'sesame')).toBe(ours);
  expect(hintFor('secret-refused', '"sesame"')).toBe(
    `the secret that was given here begins and ends with a quotation mark: leave that out if it is no part of it; or ${ours}`,
  );
  expect(hintFor('secret-refused', 'sesame ')).toContain('ends with a blank: leave that out');
  expect(hintFor('key-refused', '"sesame"')).toContain(
    'a quotation mark: leave that out if it is no part of it; or check',
  );
});

test('a client that is refused names its key', () => {
  const key = encodeKey(publicKey);
  expect(hintFor('key-refused', undefined)).toBe(
    `ask the server's admin to add this line to its authorized keys: ${key}`,
  );
  expect(hintFor('key-refused', 'sesame')).toContain(`this line to the authorized keys: ${key}`);
});

test('every other failure has its own hint', () => {
  const error = new TunnelError('tcp-refused');
  expect(withHint(error, { identity, secret: '"sesame"' })).toBe(error);
});
