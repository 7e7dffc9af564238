import { TunnelError } from '@tunnel/shared';
import { describe, expect, test } from 'vitest';
import { judgeAddresses } from './addresses.ts';
import { textReport } from './report.ts';
import { failed, passed, type Step, troubleOf, warned } from './step.ts';
import { verdictOf } from './verdict.ts';

const refused = failed('tcp', troubleOf(new TunnelError('tcp-refused', { detail: '192.0.2.1:7835 ECONNREFUSED' })), 3);
const exposed = warned('files', { code: 'state-unusable', reason: 'others can read it', hint: 'chmod 600 it' });

function finding(address: string, error?: TunnelError): Parameters<typeof judgeAddresses>[0][number] {
  return { address, elapsedMs: 12, error };
}

describe('addresses', () => {
  const timeout = new TunnelError('tcp-timeout', { detail: '[2001:db8::1]:7835 did not answer' });
  const unreachable = new TunnelError('tcp-unreachable', { detail: '[2001:db8::1]:7835 ENETUNREACH' });

  test('a machine without IPv6 is as it should be', () => {
    expect(judgeAddresses([finding('2001:db8::1', unreachable), finding('192.0.2.1')], 7835)).toEqual(
      passed('tcp', '[2001:db8::1]:7835 ENETUNREACH; 192.0.2.1:7835 answers in 12ms', 12),
    );
  });

  test('an address that does not answer is a warning where another one does', () => {
    const step = judgeAddresses([finding('2001:db8::1', timeout), finding('192.0.2.1')], 7835);
    expect(step).toMatchObject({ state: 'warning', trouble: { code: 'tcp-timeout' } });
    expect(step.finding).toBe('[2001:db8::1]:7835 does not answer; 192.0.2.1:7835 answers in 12ms');
  });

  test('where none answers, what the reachable ones said counts', () => {
    const step = judgeAddresses([finding('2001:db8::1', unreachable), finding('2001:db8::2', timeout)], 7835);
    expect(step).toMatchObject({ state: 'failed', trouble: { code: 'tcp-timeout' } });
  });
});

describe('the verdict', () => {
  const fine = passed('visitor', 'every byte right', 2);

  test.each<[readonly Step[], number | undefined, object]>([
    [[fine], 2, { state: 'ok', exitCode: 0, text: "all is well: a visitor's bytes go there and back in 2.0ms" }],
    [
      [exposed, refused],
      undefined,
      {
        state: 'failed',
        exitCode: 4,
        code: 'tcp-refused',
        text: 'it fails at the step "TCP": check that `tunnel server` is running there, and that this is its port (default 7835)',
      },
    ],
    [
      [exposed, fine],
      2,
      {
        state: 'warning',
        exitCode: 0,
        code: 'state-unusable',
        text: 'the tunnel works, and a visitor\'s bytes go there and back in 2.0ms; a warning at "files": chmod 600 it',
      },
    ],
  ])('%#', (steps, roundTripMs, expected) => {
    expect(verdictOf(steps, roundTripMs)).toMatchObject(expected);
  });
});

describe('the text', () => {
  function printed(columns: number, hasColors: boolean): readonly string[] {
    const lines: string[] = [];
    const report = textReport((line) => lines.push(line), { hasColors, columns });
    for (const step of [passed('name', 'one two three four five six seven'), refused]) report.step(step);
    report.verdict(verdictOf([refused], undefined));
    return lines;
  }

  test('is in columns, and folded where a terminal has so many', () => {
    expect(printed(60, false)).toEqual([
      'ok       name                  one two three four five six',
      '                               seven',
      'failed   TCP            3.0ms  connection refused:',
      '                               192.0.2.1:7835 ECONNREFUSED',
      '',
      'verdict: it fails at the step "TCP": check that `tunnel server` is running there, and that this is its port (default 7835)',
    ]);
  });

  test('has colours on a terminal', () => {
    expect(printed(Infinity, true)[1]).toContain('\u001b[31mfailed   \u001b[39mTCP');
  });
});
