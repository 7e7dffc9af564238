import { expect, test, vi } from 'vitest';
import { handleSignals, hasReloadSignal, stopSignals } from './signals.ts';

test.each(['linux', 'darwin'] as const)('on %s SIGHUP is to read the configuration again', (platform) => {
  expect(stopSignals(platform)).toEqual(['SIGINT', 'SIGTERM']);
  expect(hasReloadSignal(platform)).toBe(true);
});

test('on Windows there is no such signal: SIGHUP says that the console is closed, and stops', () => {
  expect(stopSignals('win32')).toEqual(['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP']);
  expect(hasReloadSignal('win32')).toBe(false);
  const [stop, abort, reload] = [vi.fn<(signal: string) => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  const before = process.listenerCount('SIGHUP');
  {
    using _signals = handleSignals({ stop, abort, reload }, 'win32');
    expect(process.listenerCount('SIGHUP')).toBe(before + 1);
    process.emit('SIGHUP', 'SIGHUP');
    expect(stop.mock.calls).toEqual([['SIGHUP']]);
    expect([abort.mock.calls, reload.mock.calls]).toEqual([[], []]);
  }
  expect([process.listenerCount('SIGHUP'), process.listenerCount('SIGBREAK')]).toEqual([before, 0]);
});
