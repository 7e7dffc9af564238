import { ERRORS, type ErrorCode, type Hint, type SpecialHint } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { adviceFor, adviceOf, advising, isAdviceNeeded } from './advice-for.ts';
import { CommandError } from './command-error.ts';
import { ADVICE_BY_CODE, SPECIAL_ADVICE } from './words.ts';

const DATA = { path: '/run/lock', oddity: 'ends with a blank', publicKey: 'KEY', source: '--server-key' };
const specialIds = Object.keys(SPECIAL_ADVICE) as SpecialHint['id'][];

test.each([
  ...Object.entries(ADVICE_BY_CODE).map(([id, { text }]) => [id, text]),
  ...specialIds.map((id) => [id, adviceOf({ ...DATA, id } as Hint).text]),
  ...Object.entries(ERRORS).map(([code, { summary }]) => [`summary of ${code}`, summary]),
])('%s is one lower-case clause without a full stop', (_id, text) => {
  expect(text).toMatch(/^(?:[a-z]|TLS |PROXY )/);
  expect(text).not.toMatch(/[.!]$|undefined/);
});

test('data finds its way into the words', () => {
  expect(adviceOf({ id: 'key-not-listed', publicKey: 'KEY' }).text).toContain('authorized keys: KEY');
  expect(adviceOf({ id: 'lock-holder-out-of-sight', path: '/run/lock' }).text).toContain('remove /run/lock');
  expect(adviceOf({ id: 'secret-suspicious', oddity: 'ends with a blank' }).text).toContain(
    'the secret given here ends with a blank: remove that',
  );
  expect(adviceOf({ id: 'server-key-not-as-given', source: '--server-key' }).text).toContain('correct --server-key');
});

test('an error of the command has words of its own', () => {
  expect(adviceFor(new CommandError('usage', { detail: 'no', hint: 'do that' })).text).toBe('do that');
});

test('no code that passes by itself asks anybody to act', () => {
  const idle = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !isAdviceNeeded(code));
  expect(idle).toContain('server-stopped');
  expect(idle.filter((code) => ERRORS[code].disposition === 'fatal')).toEqual(['stopped']);
  expect(isAdviceNeeded('a-code-of-a-later-version')).toBe(true);
});

test('events come with words, and what this process knows besides', () => {
  const texts: string[] = [];
  const reporter = advising({ warning: ({ advice }) => texts.push(advice.text) }, (code, advice) => ({
    ...advice,
    text: `${code}: ${advice.text}`,
  }));
  reporter.warning?.({ code: 'target-loop', reason: '', hint: { id: 'utf16' } });
  expect(texts).toEqual([`target-loop: ${adviceOf({ id: 'utf16' }).text}`]);
});
