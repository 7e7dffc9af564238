import { expect, test } from 'vitest';
import { threadPoolSize } from './thread-pool.js';

test.each(['linux', 'darwin'])('on %s it is made larger, unless somebody said how large', (platform) => {
  expect(threadPoolSize(platform, undefined)).toBe('16');
  expect(threadPoolSize(platform, '4')).toBeUndefined();
});

test('on Windows it stays as it is', () => {
  expect(threadPoolSize('win32', undefined)).toBeUndefined();
});
