import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { serverTextReporter } from './server-text.ts';
import { throttled } from './throttle.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(): [string[], Required<ReturnType<typeof throttled>>] {
  const lines: string[] = [];
  const text = serverTextReporter((line) => lines.push(line.slice(10)), {
    fingerprint: () => '0123',
    now: () => new Date(),
    resumeWindowMs: 0,
  });
  return [lines, throttled(text, () => Date.now()) as Required<ReturnType<typeof throttled>>];
}

const code = 'handshake-failed';
const reason = 'the handshake failed';

test('ten thousand refusals of one address leave a line, and one for all others now and then', () => {
  const [lines, reporter] = start();
  for (let port = 1; port <= 10_000; port += 1) {
    reporter['client-refused']({ code, reason, address: `192.0.2.1:${port}` });
  }
  expect(lines).toEqual(['refused 192.0.2.1:1: the handshake failed']);
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(1)).toEqual(['refused 192.0.2.1:10000: the handshake failed (9999 times since the last line)']);
  vi.advanceTimersByTime(100_000);
  expect(lines).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('another address and another code are told at once', () => {
  const [lines, reporter] = start();
  reporter['client-refused']({ code, reason, address: '[2001:db8::1]:1' });
  reporter['client-refused']({ code, reason, address: '[2001:db8::1]:2' });
  reporter['client-refused']({ code, reason, address: '[2001:db8::2]:1' });
  reporter['client-refused']({ code: 'secret-refused', reason: 'wrong secret', address: '[2001:db8::1]:3' });
  reporter['visitor-refused']({ code: 'stream-limit', port: 8001, sessionId: '', clientKey: '' });
  reporter.warning({ code: 'port-in-use', reason: 'in use: 8001' });
  reporter.warning({ code: 'port-in-use', reason: 'in use: 8002' });
  expect(lines).toEqual([
    'refused [2001:db8::1]:1: the handshake failed',
    'refused [2001:db8::2]:1: the handshake failed',
    'refused [2001:db8::1]:3: wrong secret',
    'a visitor of port 8001 was turned away: too many connections at once',
    'warning: in use: 8001',
  ]);
});

test('more addresses than can be told apart share their lines', () => {
  const [lines, reporter] = start();
  for (let host = 0; host < 5000; host += 1) {
    reporter['client-refused']({ code, reason, address: `10.0.${host >> 8}.${host & 255}:1` });
  }
  expect(lines).toHaveLength(33);
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(33)).toEqual([
    'refused 10.0.19.135:1: the handshake failed (4967 times since the last line, with others like it)',
  ]);
  // Those that were quiet meanwhile make room for new ones.
  vi.advanceTimersByTime(10_000);
  reporter['client-refused']({ code, reason, address: '192.0.2.1:1' });
  reporter['client-refused']({ code, reason, address: '192.0.2.1:2' });
  expect(lines.at(-1)).toBe('refused 192.0.2.1:1: the handshake failed');
  expect(lines).toHaveLength(35);
});

test('what was counted is told before the end', () => {
  const [lines, reporter] = start();
  for (let port = 1; port <= 3; port += 1) reporter.warning({ code: 'tcp-failed', reason: `no keepalive ${port}` });
  reporter.stopped({});
  expect(lines).toEqual([
    'warning: no keepalive 1',
    'warning: no keepalive 3 (2 times since the last line)',
    'stopped',
  ]);
  expect(vi.getTimerCount()).toBe(0);
});
