import { PassThrough } from 'node:stream';
import pino from 'pino';
import { expect, test } from 'vitest';
import type { GivenSecret } from '../settings/common-flags.ts';
import { LineWriter } from '../output/line-writer.ts';
import type { Output } from '../output/output.ts';
import { warnAboutSecret } from './secret-warnings.ts';

/** What is shown on a terminal. */
function told(secret: Partial<GivenSecret> & Pick<GivenSecret, 'secret'>): string {
  const stderr = new PassThrough();
  const output: Output = {
    stdout: new LineWriter(new PassThrough()),
    stderr: new LineWriter(stderr),
    audience: 'people',
    troubles: 'lines',
    log: pino({ level: 'silent' }),
  };
  warnAboutSecret({ file: undefined, isExposed: false, ...secret }, output);
  return String(stderr.read() ?? '');
}

const LONG = 'sesame-sesame-sesame';

test('a long secret that nobody sees', () => {
  expect(told({ secret: LONG })).toBe('');
});

test.each([
  [{ secret: `"${LONG}"` }, 'the secret begins and ends with a quotation mark'],
  [{ secret: `${LONG} `, file: '/etc/secret' }, 'the secret in /etc/secret ends with a blank'],
])('what was left around %j', (secret, oddity) => {
  const text = told(secret);
  expect(text).toBe(
    `warning: ${oddity}, which counts as part of it\nhint: remove that, unless the other side has it as well\n`,
  );
  expect(text).not.toContain(LONG);
});

test('all that is wrong with one', () => {
  expect(told({ secret: "'x'", isExposed: true }).match(/^warning: /gm)).toHaveLength(3);
});
