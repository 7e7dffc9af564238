import { resolve } from 'node:path';
import { CommandError } from '../hints/command-error.ts';
import { describe, expect, test } from 'vitest';
import { formatAdminAddress, parseAdminAddress } from './admin-address.ts';
import { parseChoice } from './choice.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { Given } from './given.ts';
import { parseHost } from './host.ts';
import { parseInspectChoice, parsePort } from './port.ts';
import { expandPortRange } from './port-range.ts';
import { formatTarget, parseTarget } from './target.ts';

const given = (text: string): Given => ({ text, source: '--flag' });

/** The usage error thrown by a parser, which names the flag and the value. */
function refusal(text: string, parse: (value: Given) => unknown): CommandError {
  try {
    parse(given(text));
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== 'usage') throw error;
    if (!error.detail.startsWith(`--flag ${text === '' ? 'nothing' : text}: `)) throw error;
    return error;
  }
  throw new Error(`${text} was taken`);
}

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['8s', 8000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['30', 30_000],
    ['0', 0],
    ['0.5', 500],
    ['1.5s', 1500],
    ['500h', 1_800_000_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(given(text))).toBe(ms);
  });

  test.each([
    '8x',
    '',
    's',
    '-1s',
    '1e3',
    ' 8s',
    '8 s',
    '8S',
    '0x10',
    '.5s',
    '5.s',
    'Infinity',
    '8s2m',
    '501h',
    '9'.repeat(400),
  ])('"%s" is none', (text) => {
    expect(refusal(text, parseDuration).advice).not.toBe('');
  });

  test('a least one can be asked for', () => {
    expect(parseDuration(given('100ms'), { minMs: 100 })).toBe(100);
    expect(refusal('99ms', (value) => parseDuration(value, { minMs: 100 })).advice).toBe('give at least 100ms');
  });

  test.each([
    [0, '0ms'],
    [250.4, '250ms'],
    [999, '999ms'],
    [1000, '1s'],
    [1540, '1.5s'],
    [9949, '9.9s'],
    [9950, '10s'],
    [59_400, '59s'],
    [59_500, '1m'],
    [185_000, '3m 5s'],
    [3_599_600, '1h'],
    [7_800_000, '2h 10m'],
  ])('%d ms are shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('ports', () => {
  test('are numbers up to 65535', () => {
    expect(['1', '22', '65535'].map((text) => parsePort(given(text)))).toEqual([1, 22, 65_535]);
    expect(parsePort(given('0'), { zero: true })).toBe(0);
  });

  test.each(['0', '65536', '70000', '-1', '', 'http', '80x', '1e3', ' 80', '8.0', '0x50'])('"%s" is none', (text) => {
    expect(refusal(text, parsePort).advice).toBe('a port is a number from 1 to 65535');
  });
});

describe('hosts', () => {
  test.each([
    ['example.org', 'example.org'],
    ['localhost', 'localhost'],
    ['my_service', 'my_service'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['example.org.', 'example.org.'],
  ])('%s', (text, host) => {
    expect(parseHost(given(text))).toBe(host);
  });

  test.each(['', 'http://a', 'a:80', 'a b', '1.2.3', '300.1.1.1', '[::1', '[a]', '-a', 'a/b', 'a\u0007b'])(
    '"%s" is none',
    (text) => {
      expect(refusal(text, parseHost).advice).toMatch(/^a host is a name/);
    },
  );
});

describe('targets', () => {
  test.each([
    ['3000', 'localhost', 3000],
    ['db:5432', 'db', 5432],
    ['10.0.0.1:22', '10.0.0.1', 22],
    ['[::1]:3000', '::1', 3000],
  ])('%s', (text, host, port) => {
    const target = parseTarget(given(text), 'localhost');
    expect(target).toEqual({ host, port });
    expect(parseTarget(given(formatTarget(target)), 'elsewhere')).toEqual(target);
  });

  test.each([
    ['unix:/run/app.sock', '/run/app.sock'],
    ['unix:///run/app.sock', '/run/app.sock'],
    ['unix:/run/a b:1-2', '/run/a b:1-2'],
  ])('%s', (text, path) => {
    for (const platform of ['linux', 'darwin'] as const) {
      const target = parseTarget(given(text), 'localhost', 'tcp', platform);
      expect(target).toEqual({ path });
      expect(parseTarget(given(formatTarget(target)), 'elsewhere', 'tcp', platform)).toEqual(target);
    }
    expect(expandPortRange(given(text))).toEqual([given(text)]);
    expect(refusal(text, (value) => parseTarget(value, 'localhost', 'tcp', 'win32')).detail).toContain('a named pipe');
  });

  test.each(['unix:', 'unix:x.sock', 'unix:./x.sock', `unix:/${'x'.repeat(103)}`])('"%s" is none', (text) => {
    const { advice } = refusal(text, (value) => parseTarget(value, 'localhost', 'tcp', 'linux'));
    expect(advice).toContain('unix:/run/app.sock');
  });

  test('a path on Windows is that of a named pipe', () => {
    const text = String.raw`unix:\\.\pipe\app`;
    const target = parseTarget(given(text), 'localhost', 'tcp', 'win32');
    expect(target).toEqual({ path: String.raw`\\.\pipe\app` });
    expect(formatTarget(target)).toBe(text);
    for (const wrong of ['unix:', String.raw`unix:C:\app.sock`, 'unix:\\\\.\\pipe\\', `${text}${'x'.repeat(250)}`]) {
      expect(refusal(wrong, (value) => parseTarget(value, 'localhost', 'tcp', 'win32')).advice).toContain(text);
    }
  });

  test.each([
    ['/run/app.sock', `unix:${resolve('/run/app.sock')}`],
    ['./x.sock', `unix:${resolve('x.sock')}`],
    ['x.sock', `unix:${resolve('x.sock')}`],
  ])('a bare path, %s, has a hint', (text, target) => {
    expect(refusal(text, (value) => parseTarget(value, 'localhost')).advice).toContain(target);
  });

  test.each(['', '0', '70000', 'db', 'db:', 'db:0', 'db:x', '::1', '::1:3000', 'a b:1'])('"%s" is none', (text) => {
    expect(refusal(text, (value) => parseTarget(value, 'localhost')).advice).toContain('host:3000');
  });
});

describe('admin addresses', () => {
  test.each([
    ['9090', '127.0.0.1:9090'],
    ['0', '127.0.0.1:0'],
    ['0.0.0.0:9090', '0.0.0.0:9090'],
    ['localhost:9090', 'localhost:9090'],
    ['[::1]:9090', '[::1]:9090'],
    ['/run/tunnel/admin.sock', '/run/tunnel/admin.sock'],
  ])('%s', (text, address) => {
    for (const platform of ['linux', 'darwin'] as const) {
      expect(formatAdminAddress(parseAdminAddress(given(text), platform))).toBe(address);
    }
  });

  test('a path on Windows is that of a named pipe', () => {
    const pipe = String.raw`\\.\pipe\admin`;
    expect(parseAdminAddress(given(pipe), 'win32')).toEqual({ path: pipe });
    for (const text of ['/run/tunnel/admin.sock', String.raw`C:\admin.sock`]) {
      expect(refusal(text, (value) => parseAdminAddress(value, 'win32')).detail).toContain(`a named pipe: `);
    }
  });

  test.each(['', 'on', '70000', ':9090', '::1', '::1:9090', 'host:', 'http://localhost:9090', 'admin.sock'])(
    '"%s" is none',
    (text) => {
      expect(refusal(text, (value) => parseAdminAddress(value)).advice).toContain('this machine only');
    },
  );
});

test('choices are told', () => {
  expect(parseChoice(given('json'), ['text', 'json'])).toBe('json');
  expect(refusal('xml', (value) => parseChoice(value, ['text', 'json'])).advice).toBe('give one of text, json');
});

describe('the inspector', () => {
  test('a port, or off', () => {
    expect(['off', '4040', '0'].map((text) => parseInspectChoice(given(text)))).toEqual(['off', 4040, 0]);
  });

  test.each(['', 'on', '65536', '127.0.0.1:4040', '-1'])('%j is neither', (text) => {
    expect(refusal(text, parseInspectChoice).advice).toBe('give a port of this machine, as in 4040, or off');
  });
});
