import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { describeSystemError } from './system-errors.ts';

test('says what the system means, for files and for connections', async () => {
  const socket = connect(1, '127.0.0.1');
  const error = await new Promise((resolve) => socket.once('error', resolve));
  expect(describeSystemError(error)).toBe('connection refused');
  expect(describeSystemError(Object.assign(new Error('open x'), { code: 'ENOENT' }))).toBe('no such file or directory');
});

test('says at least the name of what has no words yet', () => {
  expect(describeSystemError(Object.assign(new Error(''), { code: 'ESTALE' }))).toBe('ESTALE');
  expect(describeSystemError(new Error('odd'))).toBe('Error: odd');
});
