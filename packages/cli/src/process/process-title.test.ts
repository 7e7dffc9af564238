import { expect, test } from 'vitest';
import { withoutSecrets } from './process-title.ts';

test('takes the secret out, in both spellings, and nothing else', () => {
  expect(withoutSecrets(['local', '3000', '--secret', 'abc', '--to', 'a'])).toEqual([
    'local',
    '3000',
    '--secret',
    '***',
    '--to',
    'a',
  ]);
  expect(withoutSecrets(['local', '--secret=abc', '--secret-file', 'b'])).toEqual([
    'local',
    '--secret=***',
    '--secret-file',
    'b',
  ]);
  expect(
    withoutSecrets(['http', '--basic-auth', 'me:a', '--basic-auth=me:a', '--set-header=X: a', '--host', 'b']),
  ).toEqual(['http', '--basic-auth', '***', '--basic-auth=***', '--set-header=***', '--host', 'b']);
  expect(withoutSecrets(['--proxy', 'http://me:a@b@proxy:1', '--proxy=me:a@proxy', '--proxy=proxy:1'])).toEqual([
    '--proxy',
    'http://***@proxy:1',
    '--proxy=***@proxy',
    '--proxy=proxy:1',
  ]);
});
