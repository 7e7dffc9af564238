import { afterEach, expect, test, vi } from 'vitest';
import { dialTarget } from './target-dial.ts';

afterEach(() => void vi.useRealTimers());

test('a name whose lookup is silent is given up, and told as that', async () => {
  vi.useFakeTimers();
  const outcome = dialTarget({ host: 'db.lan', port: 1 }, { lookup: () => new Promise(() => {}) });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toEqual({
    kind: 'failed',
    reason: 'the name db.lan could not be resolved within 10s',
    code: 'EAI_AGAIN',
  });
  expect(vi.getTimerCount()).toBe(0);
});

test('what the resolver and the system say is told in words', async () => {
  const notFound = Object.assign(new Error('x'), { code: 'ENOTFOUND' });
  expect(await dialTarget({ host: 'x.lan', port: 1 }, { lookup: () => Promise.reject(notFound) })).toEqual({
    kind: 'failed',
    reason: 'no such host name',
    code: 'ENOTFOUND',
  });
  expect(await dialTarget({ path: '/nowhere/app.sock' })).toEqual({
    kind: 'failed',
    reason: 'no such file or directory',
    code: 'ENOENT',
  });
});

test('its owner can end it', async () => {
  const abort = new AbortController();
  const outcome = dialTarget({ host: 'db.lan', port: 1 }, { abort, lookup: () => new Promise(() => {}) });
  abort.abort();
  expect((await outcome).kind).toBe('failed');
});
