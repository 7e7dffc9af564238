import type { ServerEvents } from '@tunnel/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clientTextReporter } from './client-text.ts';
import { clientJsonReporter } from './json-events.ts';
import type { Reporter } from '../output/reporter.ts';
import { serverTextReporter } from './server-text.ts';
import { throttled } from './throttle.ts';
import { CLIENT_LINES, CLIENT_SCRIPT_EVENTS, SERVER_LINES } from './throttle-rules.ts';
import { noNeed } from '../hints/advice.ts';
import type { AdvisedClientEvents } from '../hints/advice-for.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(): [string[], Required<Reporter<ServerEvents>>] {
  const lines: string[] = [];
  const text = serverTextReporter((line) => lines.push(line.slice(10)), {
    fingerprint: () => '0123',
    now: () => new Date(),
    resumeWindowMs: 0,
  });
  return [lines, throttled(text, SERVER_LINES, () => Date.now()) as Required<Reporter<ServerEvents>>];
}

const retrying: AdvisedClientEvents['retrying'] = {
  code: 'port-unavailable',
  reason: 'no port is free',
  attempt: 1,
  delayMs: 250,
  downMs: 0,
  since: '2026-01-01T00:00:00.000Z',
  advice: noNeed(''),
};

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

test('a single like event is not "1 times"', () => {
  const [lines, reporter] = start();
  for (let port = 1; port <= 2; port += 1) reporter.warning({ code: 'tcp-failed', reason: `no keepalive ${port}` });
  reporter.stopped({});
  expect(lines[1]).toBe('warning: no keepalive 2 (once since the last line)');
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

test("a client that opens and closes a tunnel ten thousand times leaves some lines, and spoils no one else's", () => {
  const [lines, reporter] = start();
  const ofClient = (clientKey: string) => ({ sessionId: '', clientKey, port: 8001 });
  for (let time = 0; time < 10_000; time += 1) {
    reporter['tunnel-opened']({ ...ofClient('greedy'), name: 'web' });
    reporter['tunnel-closed']({ ...ofClient('greedy'), code: 'stopped' });
  }
  reporter['tunnel-opened']({ ...ofClient('honest'), name: 'db' });
  expect(lines).toHaveLength(33);
  expect(lines.at(-1)).toBe('client 0123 opened port 8001 for db');
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(33)).toEqual([
    'client 0123 opened port 8001 for web (9984 times since the last line)',
    'client 0123 closed port 8001 (9984 times since the last line)',
  ]);
});

test('each of 500 clients that are back at once after a restart has its line', () => {
  const [lines, reporter] = start();
  for (let index = 0; index < 500; index += 1) {
    const client = { sessionId: `${index}`, clientKey: `${index}`, address: '192.0.2.1:1', handshakeMs: 1 };
    reporter['client-connected']({ ...client, agent: 'tunnel/1' });
  }
  expect(lines).toHaveLength(500);
});

test('half a million refusals by a server leave some lines of a client; the last one is told', () => {
  const lines: string[] = [];
  const text = clientTextReporter((line) => lines.push(line.slice(10)), {
    server: '',
    fingerprint: () => '',
    now: () => new Date(),
    canPressEnter: false,
  });
  const reporter = throttled(text, CLIENT_LINES, () => Date.now());
  for (let attempt = 1; attempt <= 500_000; attempt += 1) reporter.retrying?.({ ...retrying, attempt });
  expect(lines).toHaveLength(16);
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(16)).toEqual([
    'attempt 500000 failed: no port is free; next in 250ms (499984 times since the last line)',
  ]);
});

test('a script gets every event but warnings and sums, which it gets with their number', () => {
  const events: [string, object][] = [];
  const json = clientJsonReporter(
    (event, fields) => events.push([event, fields]),
    () => new Date(),
  );
  const reporter = throttled(json, CLIENT_SCRIPT_EVENTS, () => Date.now()) as Required<Reporter<AdvisedClientEvents>>;
  const told = (name: string): number => events.filter(([event]) => event === name).length;
  for (let time = 1; time <= 1_000; time += 1) {
    reporter.retrying(retrying);
    reporter.disconnected({ code: 'link-reset', reason: '' });
    reporter.warning({ code: 'port-in-use', reason: `${time}`, advice: noNeed('') });
    reporter['visitors-refused']({ target: { host: 'localhost', port: 1 }, denied: time, overLimit: 0 });
  }
  expect([told('retrying'), told('disconnected'), told('warning'), told('visitors-refused')]).toEqual([
    1_000, 1_000, 16, 16,
  ]);
  reporter.stopped({ exitCode: 0, code: 'stopped', reason: '', advice: noNeed('') });
  expect(events.slice(-3)).toEqual([
    ['warning', { code: 'port-in-use', reason: '1000', hint: '', repeats: 984 }],
    ['visitors-refused', { target: 'localhost:1', denied: 1_000, overLimit: 0, repeats: 984 }],
    ['stopped', { exitCode: 0, code: 'stopped', reason: '', hint: '' }],
  ]);
});

test('a crowd of visitors that were idle is one line and a sum', () => {
  const lines: string[] = [];
  const context = { server: 's', fingerprint: String, now: () => new Date(), canPressEnter: false };
  const reporter = throttled(
    clientTextReporter((line) => lines.push(line), context),
    CLIENT_LINES,
    () => 0,
  );
  const target = { path: '/run/app.sock' };
  for (let port = 1; port <= 1_000; port += 1) reporter['visitor-idle']?.({ target, visitor: `192.0.2.1:${port}` });
  reporter.stopped?.({ code: 'stopped', reason: 'stopped', exitCode: 1, advice: noNeed('') });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('unix:/run/app.sock: visitor 192.0.2.1:1 reset, nothing moved for as long as');
  expect(lines[1]).toContain('999');
});
