import { expect, test } from 'vitest';
import { hasProc } from './proc.ts';
import { fateOf, ownProcess } from './process-stamp.ts';

test.each([
  ['linux', true],
  ['android', true],
  ['darwin', false],
  ['win32', false],
] as const)('/proc on %s: %j', (platform, expected) => {
  expect(hasProc(platform)).toBe(expected);
});

test.each(['darwin', 'win32'] as const)('on %s a process is known by its pid alone', async (platform) => {
  expect(await ownProcess(platform)).toEqual({ pid: process.pid, started: undefined, pidNamespace: undefined });
  expect(await fateOf({ pid: process.pid, started: 'an earlier boot/17' }, platform)).toBe('running');
});
