import { PassThrough } from 'node:stream';
import type { ClientEvents } from '@tunnel/client';
import type { WriteStream } from 'node:tty';
import type { ServerEvents } from '@tunnel/server';
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { advise, noNeed } from '../hints/advice.ts';
import { type AdvisedClientEvents, adviceOf } from '../hints/advice-for.ts';
import { clientLogReporter } from './client-log.ts';
import { type ClientTextContext, clientTextReporter } from './client-text.ts';
import { clientJsonReporter, jsonEmitter, serverJsonReporter } from './json-events.ts';
import { LineWriter } from '../output/line-writer.ts';
import { createLog } from '../output/log.ts';
import { errorLines } from '../output/output.ts';
import { printable, printableValue } from '../output/printable.ts';
import { Screen } from '../output/screen.ts';
import { heldBack, reportEvents, type Reporter } from '../output/reporter.ts';
import { serverLogReporter } from './server-log.ts';
import { introduceServer, serverTextReporter } from './server-text.ts';

const target = { host: 'localhost', port: 3000 };
const key = 'A'.repeat(43);
const ready: ClientEvents['ready'] = {
  tunnels: [{ target, url: 'tcp://example.org:8001', port: 8001 }],
  sessionId: 'abc',
  resumed: false,
  lostStreams: 0,
  serverKey: key,
  pinnedAt: undefined,
};
const urls = ['https://shop.example.org', 'http://shop.example.org:7835'] as const;
const webReady: ClientEvents['ready'] = { ...ready, tunnels: [{ target, url: urls[0], urls }] };
const requestFields = {
  method: 'POST',
  target: '/hook',
  status: 200,
  durationMs: 14,
  receivedBytes: 7,
  sentBytes: 2_100,
  host: 'shop.example.org',
  address: '192.0.2.1:5',
};
const request: ClientEvents['request'] = { ...requestFields, target, path: '/hook', durationMs: 14.2 };
const refused: AdvisedClientEvents['retrying'] = {
  code: 'tcp-refused',
  reason: 'connection refused',
  attempt: 1,
  delayMs: 250,
  downMs: 0,
  since: '2026-01-01T00:00:00.000Z',
  advice: advise('is it running?'),
};

const fingerprint = (): string => '0123-4567';

describe('client text', () => {
  let clock = new Date(2026, 0, 1, 8, 5, 9).getTime();
  const start = (context: Partial<ClientTextContext> = {}): [string[], Required<Reporter<AdvisedClientEvents>>] => {
    clock = new Date(2026, 0, 1, 8, 5, 9).getTime();
    const lines: string[] = [];
    const now = (): Date => new Date(clock);
    const reporter = clientTextReporter((line) => lines.push(line), {
      server: 'ws://example.org:7835',
      fingerprint,
      now,
      canPressEnter: true,
      ...context,
    });
    return [lines, reporter as Required<Reporter<AdvisedClientEvents>>];
  };

  test('says first where it listens, which key the server has, and that it is connected', () => {
    const [lines, reporter] = start();
    reporter.ready({ ...ready, pinnedAt: '/pins/a' });
    expect(lines).toEqual([
      'tcp://example.org:8001 -> localhost:3000',
      'server ws://example.org:7835, key 0123-4567 (first contact: remembered in /pins/a)',
      '08:05:09  connected; Ctrl-C ends',
    ]);
  });

  test('says under which web address, of several the best', () => {
    const [lines, reporter] = start();
    reporter.ready(webReady);
    expect(lines[0]).toBe('https://shop.example.org -> localhost:3000');
    lines.length = 0;
    reporter.ready({
      ...webReady,
      tunnels: [{ target, url: 'http://shop.example.org', urls: ['http://shop.example.org'] }],
    });
    expect(lines).toEqual(['08:05:09  the tunnels changed:', 'http://shop.example.org -> localhost:3000']);
  });

  test('tells requests, of several tunnels with the name', () => {
    const [lines, reporter] = start();
    reporter.ready(webReady);
    lines.length = 0;
    reporter.request(request);
    reporter.ready({ ...webReady, tunnels: [...webReady.tunnels, ...ready.tunnels] });
    reporter.request(request);
    expect([lines[0], lines.at(-1)]).toEqual([
      '08:05:09  POST /hook  200  14ms  2.1 kB',
      '08:05:09  POST /hook  200  14ms  2.1 kB  shop.example.org',
    ]);
  });

  test('that the tunnels are open again does not include those that stay closed', () => {
    const [lines, reporter] = start();
    reporter.ready(ready);
    lines.length = 0;
    reporter.warning({ code: 'port-in-use', reason: 'the tunnel db stays closed', advice: noNeed() });
    reporter.ready(ready);
    expect(lines).toEqual(['08:05:09  warning: the tunnel db stays closed', '08:05:09  1 tunnel open']);
  });

  test('tells every retry with cause, wait and what to press, and each hint once', () => {
    const [lines, reporter] = start();
    reporter.retrying(refused);
    reporter.retrying({ ...refused, attempt: 2, delayMs: 4200, downMs: 12_000 });
    expect(lines).toEqual([
      '08:05:09  attempt 1 failed: connection refused; next in 250ms; Enter retries now',
      '          hint: is it running?',
      '08:05:09  attempt 2 failed: connection refused; next in 4.2s (no link for 12s); Enter retries now',
    ]);
    const [others, withoutTerminal] = start({ canPressEnter: false });
    withoutTerminal.retrying({ ...refused, advice: noNeed('nothing to do: a new session follows') });
    expect(others).toEqual(['08:05:09  attempt 1 failed: connection refused; next in 250ms']);
  });

  test('prints no hint if nothing has to be done', () => {
    const [lines, reporter] = start();
    for (const code of ['at-capacity', 'server-stopped'] as const) {
      reporter.retrying({ ...refused, advice: adviceOf({ id: code }) });
    }
    expect(lines.filter((line) => line.includes('hint:'))).toEqual([]);
  });

  test('tells a break and how it ended', () => {
    const [lines, reporter] = start();
    reporter.ready(ready);
    lines.length = 0;
    const cause = { code: 'heartbeat-timeout', reason: 'nothing was heard' } as const;
    reporter.disconnected(cause);
    reporter.retrying({ ...refused, ...cause, advice: noNeed() });
    clock += 65_000;
    reporter.ready({ ...ready, resumed: true });
    reporter.disconnected(cause);
    reporter.ready({ ...ready, lostStreams: 2, tunnels: [{ target, url: 'tcp://example.org:9', port: 9 }] });
    expect(lines).toEqual([
      '08:05:09  link lost: nothing was heard',
      '08:05:09  trying again in 250ms; Enter retries now',
      '08:06:14  connected again after 1m 5s, no connection was lost',
      '08:06:14  link lost: nothing was heard',
      '08:06:14  connected again after 0ms in a new session, 2 connections lost',
      '08:06:14  the public address changed:',
      'tcp://example.org:9 -> localhost:3000',
    ]);
  });

  test('tells of the local service, warnings and the end', () => {
    const [lines, reporter] = start();
    reporter.service({
      target,
      state: 'down',
      reason: 'refused',
      code: 'ECONNREFUSED',
      held: 0,
      refused: 1,
      downMs: 0,
    });
    reporter.service({
      target,
      state: 'still-down',
      reason: 'refused',
      code: 'ECONNREFUSED',
      held: 0,
      refused: 12,
      downMs: 20_000,
    });
    reporter.service({ target, state: 'up', reason: '', code: '', held: 0, refused: 12, downMs: 30_000 });
    reporter['visitors-refused']({ target, denied: 1, overLimit: 0 });
    reporter['visitors-refused']({ target, denied: 1, overLimit: 12 });
    reporter.warning({ code: 'server-key-changed', reason: 'the key has changed', advice: advise('look') });
    reporter.stopped({ code: 'stopped', reason: 'stopped', exitCode: 0, advice: noNeed() });
    reporter.stopped({ code: 'secret-refused', reason: 'told elsewhere', exitCode: 3, advice: advise('') });
    expect(lines.map((line) => line.slice(10))).toEqual([
      'localhost:3000 does not accept connections: refused, 1 visitor turned away',
      'hint: start the service, or correct the target of the tunnel',
      'localhost:3000 is still down after 20s: refused, 12 visitors turned away',
      'localhost:3000 is back after 30s, 12 visitors turned away',
      'localhost:3000: 1 visitor kept out so far, 1 by address (--allow, --deny)',
      'localhost:3000: 13 visitors kept out so far, 1 by address (--allow, --deny), 12 beyond --max-connections',
      'warning: the key has changed',
      'hint: look',
      'stopped',
    ]);
  });
});

describe('server text', () => {
  const session = { sessionId: 'abc', clientKey: key };

  test('tells what clients do', () => {
    const lines: string[] = [];
    const reporter = serverTextReporter((line) => lines.push(line), {
      fingerprint,
      now: () => new Date(2026, 0, 1, 8, 5, 9),
      resumeWindowMs: 120_000,
    }) as Required<Reporter<ServerEvents>>;
    reporter['client-connected']({ ...session, address: '1.2.3.4:5', agent: 'tunnel/1', handshakeMs: 1 });
    reporter['tunnel-opened']({ ...session, port: 8001, name: 'localhost:3000' });
    reporter['client-disconnected']({ ...session, code: 'link-reset', reason: 'the link broke', ended: false });
    reporter['client-resumed']({ ...session, address: '1.2.3.4:6', handshakeMs: 1 });
    reporter['client-disconnected']({ ...session, code: 'stopped', reason: 'it left', ended: true });
    reporter['client-expired']({ ...session, lostStreams: 1 });
    reporter['client-refused']({ code: 'secret-refused', reason: 'wrong secret', address: '1.2.3.4:7' });
    expect(lines).toEqual([
      '08:05:09  client 0123-4567 connected from 1.2.3.4:5 (tunnel/1)',
      '08:05:09  client 0123-4567 opened port 8001 for localhost:3000',
      '08:05:09  client 0123-4567 lost its link, kept for 2m: the link broke',
      '08:05:09  client 0123-4567 is back from 1.2.3.4:6',
      '08:05:09  client 0123-4567 is gone: it left',
      '08:05:09  client 0123-4567 did not come back, 1 connection lost',
      '08:05:09  refused 1.2.3.4:7: wrong secret',
    ]);
  });

  const server = {
    version: '1.0.0',
    command: 'tunnel',
    listensOn: 'port 7835',
    minPort: 1024,
    maxPort: 65_535,
    fingerprint: '0123',
    to: 'example.org',
    note: undefined,
    secret: `it's`,
    isSecretInFile: false,
    keysFile: undefined,
    requirement: 'secret' as const,
    serverKey: key,
    domain: 'localhost',
    stateDirectory: undefined,
  };

  test('the introduction has the whole client command, quoted where a shell needs it', () => {
    const lines = introduceServer(server);
    expect(lines).toContain(`  TUNNEL_SECRET='it'\\''s' tunnel local 3000 --to example.org --server-key=${key}`);
    expect(lines.join('\n')).toContain("\non this machine:\n  TUNNEL_SECRET='it'\\''s' tunnel local 3000\n");
    expect(lines).toContain('for a web address below localhost, write http instead of local');
    expect(introduceServer({ ...server, domain: undefined }).join('\n')).not.toContain('web address');
    const stateDirectory = '/my state';
    expect(introduceServer({ ...server, isSecretInFile: true, stateDirectory })).toContain(
      "  tunnel local 3000 --state-dir '/my state'",
    );
    expect(introduceServer({ ...server, note: 'fill it in' })).toContain('(fill it in)');
  });

  test('the introduction of a server in a checkout has commands for a checkout', () => {
    const lines = introduceServer({ ...server, command: 'npm start --' });
    expect(lines).toContain(`  TUNNEL_SECRET='it'\\''s' npm start -- local 3000 --to example.org --server-key=${key}`);
    expect(lines.filter((line) => line.includes('tunnel local'))).toEqual([]);
  });

  test('the introduction of a server without a secret names the file of keys', () => {
    const lines = introduceServer({
      ...server,
      secret: undefined,
      keysFile: '/etc/tunnel/keys',
      requirement: 'key',
    });
    expect(lines).toContain(`  tunnel local 3000 --to example.org --server-key=${key}`);
    expect(lines).toContain('clients get in with a key that is listed in /etc/tunnel/keys');
  });
});

describe('json', () => {
  test('has exactly the fields that scripts rely on', () => {
    const lines: string[] = [];
    const emit = jsonEmitter(
      (line) => lines.push(line),
      () => new Date(0),
    );
    const client = clientJsonReporter(emit, () => new Date(0)) as Required<Reporter<AdvisedClientEvents>>;
    client.ready(ready);
    client.ready(webReady);
    client.disconnected({ code: 'link-reset', reason: 'broke' });
    client.retrying(refused);
    client.request(request);
    client.request({ ...request, status: undefined });
    client.stopped({ exitCode: 0, code: 'stopped', reason: 'stopped', advice: noNeed() });
    serverJsonReporter(emit).listening?.({ port: 1, serverKey: key, url: 'ws://a:1' });
    const time = '1970-01-01T00:00:00.000Z';
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        event: 'ready',
        time,
        tunnels: [{ target: 'localhost:3000', url: 'tcp://example.org:8001', port: 8001 }],
        sessionId: 'abc',
        resumed: false,
      },
      {
        event: 'ready',
        time,
        tunnels: [{ target: 'localhost:3000', url: urls[0], urls }],
        sessionId: 'abc',
        resumed: false,
      },
      { event: 'disconnected', time, code: 'link-reset', reason: 'broke' },
      {
        event: 'retrying',
        time,
        attempt: 1,
        delayMs: 250,
        nextAt: '1970-01-01T00:00:00.250Z',
        since: '2026-01-01T00:00:00.000Z',
        code: 'tcp-refused',
        reason: 'connection refused',
        hint: 'is it running?',
      },
      { event: 'request', time, ...requestFields },
      { event: 'request', time, ...requestFields, status: undefined },
      { event: 'stopped', time, exitCode: 0, code: 'stopped', reason: 'stopped', hint: 'nothing to do' },
      { event: 'listening', time, port: 1, serverKey: key, url: 'ws://a:1' },
    ]);
  });
});

describe('logs', () => {
  const open = async (format: 'json' | 'pretty'): Promise<[() => string, Awaited<ReturnType<typeof createLog>>]> => {
    const stream = new PassThrough();
    const log = await createLog(new LineWriter(stream), { level: 'info', format, colors: false });
    return [() => String(stream.read() ?? ''), log];
  };

  test('the server logs with the session, and keys only as fingerprints', async () => {
    const [read, log] = await open('json');
    const reporter = serverLogReporter(log, fingerprint);
    const session = { sessionId: '0123456789abcdef', clientKey: key };
    reporter['client-connected']?.({ ...session, address: '1.2.3.4:5', agent: 'tunnel/1', handshakeMs: 1 });
    reporter['tunnel-opened']?.({ ...session, port: 8001, name: 'web' });
    reporter['client-expired']?.({ ...session, lostStreams: 1 });
    reporter['client-refused']?.({ ...session, code: 'session-unknown', reason: 'unknown', address: '1.2.3.4:5' });
    reporter.listening?.({ port: 1, serverKey: key, url: 'ws://a:1' });
    const text = read();
    expect(text).not.toContain(key);
    expect(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { session: '01234567', client: '0123-4567', msg: 'client connected' },
      { session: '01234567', port: 8001, msg: 'tunnel opened' },
      { session: '01234567', level: 40, lostStreams: 1 },
      { session: '01234567', code: 'session-unknown', msg: 'client refused' },
      { port: 1, serverKey: '0123-4567', msg: 'listening' },
    ]);
  });

  test('the client logs with the session, as long as there is one', async () => {
    const [read, log] = await open('json');
    const reporter = clientLogReporter(log, fingerprint) as Required<Reporter<AdvisedClientEvents>>;
    reporter.retrying(refused);
    reporter.linked({ sessionId: '0123456789abcdef', resumed: false });
    reporter.ready(ready);
    reporter.disconnected({ code: 'link-reset', reason: 'broke' });
    reporter.retrying(refused);
    reporter['session-ended']({ sessionId: '0123456789abcdef', lostStreams: 1 });
    reporter.disconnected({ code: 'server-stopped', reason: 'its link ended, too' });
    reporter.retrying(refused);
    reporter.linked({ sessionId: 'fedcba9876543210', resumed: false });
    reporter.ready(ready);
    const lines = read()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { session?: string; msg: string });
    expect(lines.map(({ session, msg }) => `${session ?? 'none'} ${msg}`)).toEqual([
      'none attempt failed',
      '01234567 ready',
      '01234567 link lost',
      '01234567 attempt failed',
      '01234567 session ended',
      '01234567 link lost',
      'none attempt failed',
      'fedcba98 ready',
    ]);
  });

  test('the client logs one line for each event', async () => {
    const [read, log] = await open('pretty');
    const reporter = clientLogReporter(log, fingerprint);
    reporter.ready?.(ready);
    reporter.retrying?.(refused);
    const lines = read().trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/INFO.*: ready .*tcp:\/\/example\.org:8001/);
    expect(lines[0]).not.toContain(key);
    expect(lines[1]).toMatch(/WARN.*connection refused/);
  });
});

describe('what peers wrote', () => {
  test('loses control characters, lines and tricks with the direction of text', () => {
    expect(printable('a\u001b[31mb\u0007\r\nc\u009bd\u202ee\u0000')).toBe('a[31mb cde');
    expect(printable('grüße, 世界')).toBe('grüße, 世界');
    expect(printable('x'.repeat(5000))).toHaveLength(1001);
    expect(printableValue({ a: ['\u0007b'], c: 1, d: { e: 'f\n' } })).toEqual({ a: ['b'], c: 1, d: { e: 'f ' } });
    expect(errorLines(['no\nsuch'], 'try\u001b')).toEqual(['error: no such', 'hint: try']);
  });

  test('is made printable for every reporter, and can be held back', () => {
    const heard: string[] = [];
    const source = new EventEmitter<{ warning: [{ reason: string }] }>();
    const { reporter, release } = heldBack<{ warning: { reason: string } }>({
      warning: ({ reason }) => heard.push(reason),
    });
    reportEvents(source, reporter);
    source.emit('warning', { reason: 'a\u0007' });
    expect(heard).toEqual([]);
    release();
    source.emit('warning', { reason: 'b' });
    expect(heard).toEqual(['a', 'b']);
  });
});

test('a screen takes a terminal that says 0x0 for one of 80x24', () => {
  const stream = new PassThrough();
  const terminal = Object.assign(new EventEmitter(), { columns: 0, rows: 0 }) as unknown as WriteStream;
  const screen = new Screen(new LineWriter(stream), terminal);
  screen.draw(['x'.repeat(100), ...Array.from({ length: 30 }, () => 'a line')]);
  screen.end([]);
  const drawn = String(stream.read());
  expect(drawn).toContain(`${'x'.repeat(80)}\u001b[K\n${'x'.repeat(20)}\u001b[K\n`);
  expect(drawn).toContain('… 10 more lines');
});

describe('line writer', () => {
  test('survives a reader that went away', async () => {
    const stream = new PassThrough();
    const writer = new LineWriter(stream);
    stream.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
    await new Promise((resolve) => stream.once('close', resolve));
    writer.write('into nothing');
    await writer.drained(1000);
    expect(stream.read()).toBeNull();
  });

  test('drops lines, and counts them, for a reader that does not read', () => {
    const writer = new LineWriter(new PassThrough());
    for (let line = 0; line < 40; line++) writer.write('x'.repeat(64 * 1024));
    expect(writer.dropped).toBeGreaterThan(10);
    expect(writer.dropped).toBeLessThan(30);
  });
});
