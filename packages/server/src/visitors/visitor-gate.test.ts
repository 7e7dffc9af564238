import type { Term } from '@tunnel/shared';
import { describe, expect, it } from 'vitest';
import { VisitorGate } from './visitor-gate.ts';

const allow = (network: string): Term => ({ term: 'allow', network });
const deny = (network: string): Term => ({ term: 'deny', network });
const atMost = (limit: number): Term => ({ term: 'max-connections', limit });

describe('a gate', () => {
  it('without rules lets everybody in', () => {
    expect(new VisitorGate().refusalOf('203.0.113.7', 1_000_000)).toBeUndefined();
    expect(new VisitorGate().refusalOf('', 0)).toBeUndefined();
  });

  it.each<readonly [string, readonly Term[], readonly string[], readonly string[]]>([
    ['allow', [allow('10.0.0.0/8'), allow('::1')], ['10.1.1.1', '::1'], ['11.0.0.1', '::2']],
    ['deny', [deny('10.0.0.0/8'), deny('::1')], ['11.0.0.1', '::2'], ['10.1.1.1', '::1']],
    ['deny within allow', [allow('10.0.0.0/8'), deny('10.9.0.0/16')], ['10.1.1.1'], ['10.9.1.1', '11.0.0.1']],
    ['allow within deny: deny wins', [deny('10.0.0.0/8'), allow('10.9.0.0/16')], [], ['10.9.1.1', '10.1.1.1']],
    ['one family allowed keeps the other out', [allow('0.0.0.0/0')], ['127.0.0.1'], ['::1']],
    ['one family denied leaves the other alone', [deny('::/0')], ['127.0.0.1'], ['::1']],
  ])('%s', (_name, rules, inside, outside) => {
    const gate = new VisitorGate(rules);
    expect(inside.map((address) => gate.refusalOf(address, 0))).toEqual(inside.map(() => undefined));
    expect(outside.map((address) => gate.refusalOf(address, 0))).toEqual(outside.map(() => 'visitor-denied'));
  });

  it('keeps out whoever is gone already, whose address nobody knows, and does not take it for somebody that it denies', () => {
    expect(new VisitorGate([allow('10.0.0.0/8')]).refusalOf('', 0)).toBe('gone');
    expect(new VisitorGate([deny('10.0.0.0/8')]).refusalOf('', 0)).toBe('gone');
    expect(new VisitorGate([atMost(1)]).refusalOf('', 0)).toBeUndefined();
    expect(new VisitorGate([atMost(1)]).refusalOf('', 1)).toBe('visitor-limit');
  });

  it('knows its rules again, so that nothing is built twice', () => {
    const rules = [allow('10.0.0.0/8'), deny('10.9.0.0/16'), atMost(3)];
    const gate = new VisitorGate(structuredClone(rules));
    expect(gate.hasTerms(rules)).toBe(true);
    expect(gate.hasTerms(rules.slice(0, 2))).toBe(false);
    expect(gate.hasTerms([...rules, atMost(3)])).toBe(false);
    expect(gate.hasTerms([deny('10.0.0.0/8'), deny('10.9.0.0/16'), atMost(3)])).toBe(false);
    expect(gate.hasTerms([allow('10.0.0.0/9'), deny('10.9.0.0/16'), atMost(3)])).toBe(false);
    expect(gate.hasTerms([allow('10.0.0.0/8'), deny('10.9.0.0/16'), atMost(4)])).toBe(false);
    expect(new VisitorGate().hasTerms()).toBe(true);
  });

  it('counts those who are there; the smallest limit holds', () => {
    const gate = new VisitorGate([atMost(3), atMost(2), allow('127.0.0.0/8')]);
    expect([0, 1, 2, 3].map((present) => gate.refusalOf('127.0.0.1', present))).toEqual([
      undefined,
      undefined,
      'visitor-limit',
      'visitor-limit',
    ]);
    expect(gate.refusalOf('10.0.0.1', 2)).toBe('visitor-denied');
  });

  it.each<readonly [Term, string]>([
    [deny('example.org'), 'example.org is not a valid network'],
    [allow('10.0.0.0/33'), '10.0.0.0/33 is not a valid network'],
    [{ term: 'unknown', type: 10, value: new Uint8Array() }, 'this server does not know terms of type 10'],
  ])('does not stand with a rule that it does not understand: %j', (rule, detail) => {
    expect(() => new VisitorGate([allow('::1'), rule])).toThrow(
      expect.objectContaining({ code: 'terms-refused', detail }),
    );
  });
});
