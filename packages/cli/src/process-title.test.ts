import { expect, test } from 'vitest';
import { withoutSecret } from './process-title.ts';

test('takes the secret out, in both spellings, and nothing else', () => {
  expect(withoutSecret(['local', '3000', '--secret', 'abc', '--to', 'a'])).toEqual([
    'local',
    '3000',
    '--secret',
    '***',
    '--to',
    'a',
  ]);
  expect(withoutSecret(['local', '--secret=abc', '--secret-file', 'b'])).toEqual([
    'local',
    '--secret=***',
    '--secret-file',
    'b',
  ]);
});
