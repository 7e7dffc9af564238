import { describe, expect, test } from 'vitest';
import { formatAnswer, formatRequest, parseAnswer, parseRequest } from './protocol.ts';
import { type ClientReport, reportOf } from '../reports/client-report.ts';
import { FRESH_STATUS } from '../reports/client-status.fixture.ts';

const client: ClientReport = reportOf({
  ...FRESH_STATUS,
  state: 'waiting',
  tunnels: [{ target: { host: '::1', port: 1 }, url: undefined, port: undefined, isOpen: false, refused: 0, idle: 0 }],
  nextAttempt: { attempt: 1, inMs: 5, at: '2026-01-01T00:00:00.005Z' },
});

describe('requests', () => {
  test('are one line each', () => {
    expect(formatRequest('retry')).toBe('{"version":1,"command":"retry"}\n');
    expect(parseRequest('{"version":1,"command":"watch","more":1}')).toEqual({ command: 'watch' });
  });

  test.each(['', 'status', '1', 'null', '[]', '{"command":"status"}', '{"version":2,"command":"status"}'])(
    '"%s" is refused',
    (line) => {
      expect(parseRequest(line)).toHaveProperty('error');
    },
  );

  test.each(['stop', '__proto__', 1, null])('the command %j is not known', (command) => {
    expect(parseRequest(JSON.stringify({ version: 1, command }))).toEqual({
      error: 'the commands are status, watch, retry',
    });
  });
});

describe('answers', () => {
  test('come over as they were, with null for what is not known', () => {
    expect(parseAnswer(formatAnswer({ client }))).toEqual({ client });
    expect(client).toMatchObject({
      pid: process.pid,
      tunnels: [{ target: '[::1]:1', url: null, port: null, open: false, refused: 0, idle: 0 }],
      proxy: null,
      roundTripMs: null,
      lastError: null,
    });
  });

  test('are printable', () => {
    const lastError = { code: 'x', reason: 'a\u001b[2Jb\nc', hint: '', at: '' };
    expect(parseAnswer(formatAnswer({ client: { ...client, lastError } }))).toMatchObject({
      client: { lastError: { reason: 'a[2Jb c' } },
    });
    expect(parseAnswer(formatAnswer({ error: '\u001b]0;x' }))).toEqual({ problem: 'it refuses: ]0;x' });
  });

  test.each(Object.keys(client))('without %s are not complete', (field) => {
    const { [field as keyof ClientReport]: _left, ...rest } = client;
    const problem = 'its answer is incomplete';
    expect(parseAnswer(JSON.stringify({ version: 1, client: rest }))).toEqual({ problem });
    expect(parseAnswer(JSON.stringify({ version: 1, client: { ...rest, [field]: {} } }))).toEqual({ problem });
  });

  test.each([
    ['no JSON', 'it does not answer in JSON'],
    ['{"version":2}', 'it runs another version of this program'],
    ['{"version":1}', 'its answer is incomplete'],
  ])('%s is a problem', (line, problem) => {
    expect(parseAnswer(line)).toEqual({ problem });
  });
});
