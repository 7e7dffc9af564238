import { expect, test } from 'vitest';
import { isTaken } from './taken-ports.ts';

const failed = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

test.each([
  ['linux', false],
  ['darwin', false],
  ['win32', true],
] as const)('on %s a port that access is denied to may be another program’s: %j', (platform, expected) => {
  expect(isTaken(failed('EACCES'), platform)).toBe(expected);
  expect(isTaken(failed('EADDRINUSE'), platform)).toBe(true);
  expect(isTaken(failed('EADDRNOTAVAIL'), platform)).toBe(false);
});
